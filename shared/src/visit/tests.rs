//! Visits and touches, and their independence of the order of arrival.

use super::*;
use crate::page_view::{Departure, Totals};
use crate::testing::view;
use proptest::prelude::*;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A departure with a new id.
fn left(at_ms: i64, host: &str) -> Totals {
    let departure = Departure { at_ms, id: view(at_ms, "").id, host: host.into() };
    Totals { departures: vec![departure], ..Totals::default() }
}

/// Page views: rows of a time and either an origin (see [`view`]), or what happened on the page
/// view of the row before: `active`, or `> host` for a departure.
fn views(rows: &[(i64, &str)]) -> Vec<PageView> {
    let mut views: Vec<PageView> = Vec::new();
    for (at_ms, what) in rows {
        let departed = what.strip_prefix("> ");
        if departed.is_none() && *what != "active" {
            views.push(view(*at_ms, what));
            continue;
        }
        let page = views.last_mut().unwrap();
        page.totals.raise(match departed {
            Some(host) => left(*at_ms, host),
            None => Totals { active_at_ms: *at_ms, ..Totals::default() },
        });
    }
    views
}

/// The touches as `visit:source`, with `~` if continued and `^` if upgraded.
fn outline(journey: &Journey) -> String {
    let touches = journey.touches.iter().map(|touch| {
        let mark = match touch.began {
            Began::Evidence | Began::Direct => "",
            Began::Continued => "~",
            Began::Upgraded => "^",
        };
        let is_direct = touch.label.origin != Origin::Marketing;
        assert!(touch.began != Began::Evidence || !is_direct, "{touch:?}");
        assert!(touch.began != Began::Direct || is_direct, "{touch:?}");
        format!("{}:{}{mark}", touch.visit, touch.label.source)
    });
    touches.collect::<Vec<_>>().join(" ")
}

fn check(rows: &[(i64, &str)], expected: &str) {
    let mut views = views(rows);
    let journey = Journey::derive(&views);
    assert_eq!(outline(&journey), expected, "{rows:?}");
    views.reverse();
    assert_eq!(journey, Journey::derive(&views), "{rows:?}");
}

#[test]
fn no_visit_runs_and_there_is_evidence() {
    check(&[(0, "google")], "0:google");
    check(&[(0, "?gclid=1")], "0:google");
    check(&[(0, "https://news.example/")], "0:news.example");
    check(&[(0, "google"), (HOUR, "bing")], "0:google 1:bing");
    check(&[(0, "google"), (HOUR, "google")], "0:google 1:google");
}

#[test]
fn no_visit_runs_and_there_is_nothing() {
    check(&[], "");
    check(&[(0, "")], "0:(direct)");
    check(&[(0, "google"), (HOUR, "")], "0:google 1:(direct)");
}

#[test]
fn no_visit_runs_and_there_is_an_own_or_excluded_referrer() {
    for internal in ["own", "excluded"] {
        check(&[(0, internal)], "0:(direct)");
        check(&[(0, "google"), (HOUR, internal)], "0:google 1:google~");
        check(&[(0, ""), (HOUR, internal)], "0:(direct) 1:(direct)~");
        // less than 24 hours since the visitor was last active
        check(&[(0, "google"), (DAY - 1, internal)], "0:google 1:google~");
        check(&[(0, "google"), (DAY, internal)], "0:google 1:(direct)");
        check(
            &[(0, "google"), (MINUTE, "active"), (DAY + MINUTE - 1, internal)],
            "0:google 1:google~",
        );
        check(
            &[(0, "google"), (20 * HOUR, internal), (40 * HOUR, internal)],
            "0:google 1:google~ 2:google~",
        );
        // the last touch of the previous visit
        check(&[(0, "google"), (1, "bing"), (HOUR, internal)], "0:google 0:bing 1:bing~");
    }
}

#[test]
fn a_visit_runs_and_there_is_nothing_new() {
    for nothing in ["", "own", "excluded"] {
        check(&[(0, "google"), (MINUTE, nothing)], "0:google");
        check(&[(0, ""), (MINUTE, nothing)], "0:(direct)");
        check(&[(0, "google"), (MINUTE, nothing), (2 * MINUTE, "google")], "0:google");
    }
}

#[test]
fn a_visit_runs_and_the_evidence_is_the_same() {
    let check = |first: &str, second: &str, same: bool| {
        let views = views(&[(0, first), (MINUTE, second)]);
        let touches = Journey::derive(&views).touches.len();
        assert_eq!(touches, if same { 1 } else { 2 }, "{first} {second}");
    };
    check("google", "google", true);
    check("?gclid=1", "?gclid=1", true);
    check("?gclid=1", "?gclid=2", false);
    check("?gclid=1", "?gclid=1&msclkid=2", true);
    check("?utm_source=google&gclid=1", "?utm_source=google", false);
    let tags = "?utm_source=a&utm_medium=b&utm_campaign=c";
    check(tags, tags, true);
    check(tags, "?utm_source=x&utm_medium=b&utm_campaign=c", false);
    check(tags, "?utm_source=a&utm_medium=x&utm_campaign=c", false);
    check(tags, "?utm_source=a&utm_medium=b&utm_campaign=x", false);
    check(tags, "?utm_source=a&utm_medium=b", false);
    check(tags, &format!("{tags}&utm_term=x&utm_content=y"), true);
    check("https://news.example/", "https://news.example/other", true);
}

#[test]
fn a_visit_runs_and_other_evidence_upgrades_a_direct_touch() {
    check(&[(0, ""), (MINUTE, "google")], "0:google^");
    check(&[(0, "own"), (MINUTE, "google")], "0:google^");
    check(&[(0, "excluded"), (MINUTE, "google")], "0:google^");
    check(&[(0, ""), (1, "google"), (2, "google")], "0:google^");
    check(&[(0, ""), (1, "google"), (2, "bing")], "0:google^ 0:bing");
    check(&[(0, ""), (HOUR, "own"), (HOUR + 1, "google")], "0:(direct) 1:google^");
    let views = views(&[(5, ""), (MINUTE, "google")]);
    let journey = Journey::derive(&views);
    let touch = &journey.touches[0];
    assert_eq!((touch.at_ms, touch.page, touch.page_views), (5, views[0].id, 2));
}

#[test]
fn a_visit_runs_and_other_evidence_is_a_new_touch() {
    check(&[(0, "google"), (1, "bing")], "0:google 0:bing");
    check(&[(0, "google"), (1, "bing"), (2, "google")], "0:google 0:bing 0:google");
    // a continued touch is not direct
    check(&[(0, "google"), (HOUR, "own"), (HOUR + 1, "bing")], "0:google 1:google~ 1:bing");
    check(&[(0, "google"), (HOUR, "own"), (HOUR + 1, "google")], "0:google 1:google~");
}

/// The page view whose label each touch carries.
#[test]
fn every_touch_names_its_evidence() {
    let rows =
        [(0, ""), (1, "google"), (2, "bing"), (HOUR, "own"), (2 * HOUR, "own"), (9 * HOUR, "")];
    let views = views(&rows);
    let journey = Journey::derive(&views);
    assert_eq!(outline(&journey), "0:google^ 0:bing 1:bing~ 2:bing~ 3:(direct)");
    let of = |id| views.iter().position(|view| view.id == id).unwrap();
    let evidence: Vec<_> =
        journey.touches.iter().map(|touch| (of(touch.page), of(touch.evidence))).collect();
    assert_eq!(evidence, [(0, 1), (2, 2), (3, 2), (4, 2), (5, 5)]);
    for touch in &journey.touches {
        assert_eq!(touch.label, views[of(touch.evidence)].label);
    }
}

#[test]
fn paired_returns() {
    let left = [(0, "google"), (5 * MINUTE, "> pay.test")];
    let check_return = |at_ms: i64, origin: &str, expected: &str| {
        check(&[&left[..], &[(at_ms, origin)]].concat(), expected);
    };
    check_return(10 * MINUTE, "https://pay.test/done", "0:google");
    check_return(10 * MINUTE, "https://WWW.Pay.test/done", "0:google");
    check_return(5 * MINUTE, "https://pay.test/", "0:google");
    // another site
    check_return(10 * MINUTE, "https://bank.test/", "0:google 0:bank.test");
    // another host of the same one
    check_return(10 * MINUTE, "https://a.pay.test/", "0:google");
    // no visit is running
    check_return(35 * MINUTE - 1, "https://pay.test/", "0:google");
    check_return(35 * MINUTE, "https://pay.test/", "0:google 1:google~");
    check_return(65 * MINUTE - 1, "https://pay.test/", "0:google 1:google~");
    check_return(65 * MINUTE, "https://pay.test/", "0:google 1:pay.test");
    // left after the later page view
    check_return(5 * MINUTE - 1, "https://pay.test/", "0:google 0:pay.test");
    // other evidence is never treated as a return
    check_return(10 * MINUTE, "?utm_source=bing https://pay.test/", "0:google 0:bing");
    check_return(10 * MINUTE, "?gclid=1 https://pay.test/", "0:google 0:google");

    let back = (10 * MINUTE, "https://pay.test/");
    check(&[(0, ""), (MINUTE, "> pay.test"), back], "0:(direct)");
    check(&[(0, "google"), (MINUTE, "> bank.test"), back], "0:google 0:pay.test");
    check(&[(0, "google"), (MINUTE, "> bank.test"), (MINUTE, "> pay.test"), back], "0:google");
    check(&[(0, "google"), (MINUTE, ""), (2 * MINUTE, "> pay.test"), back, back], "0:google");
    // a departure can pair more than once
    check(
        &[(0, "google"), (MINUTE, "> pay.test"), back, (50 * MINUTE, "https://pay.test/")],
        "0:google 1:google~",
    );
    // the visit ended a day after it began, although the page stayed open
    check(
        &[(0, "google"), (50 * HOUR, "> pay.test"), (50 * HOUR + 1, "https://pay.test/")],
        "0:google 1:(direct)",
    );
}

#[test]
fn a_visit_ends_after_half_an_hour_without_activity() {
    check(&[(0, "google"), (30 * MINUTE - 1, "google")], "0:google");
    check(&[(0, "google"), (30 * MINUTE, "google")], "0:google 1:google");
    check(&[(0, "google"), (29 * MINUTE, ""), (58 * MINUTE, "google")], "0:google");
    let active = [(0, "google"), (20 * MINUTE, "active")];
    check(&[&active[..], &[(50 * MINUTE - 1, "")]].concat(), "0:google");
    check(&[&active[..], &[(50 * MINUTE, "")]].concat(), "0:google 1:(direct)");
}

#[test]
fn a_visit_lasts_a_day_at_most() {
    let busy: Vec<(i64, &str)> = (0..72).map(|step| (step * 20 * MINUTE, "")).collect();
    check(&[&busy[..], &[(DAY - 1, "")]].concat(), "0:(direct)");
    check(&[&busy[..], &[(DAY, "")]].concat(), "0:(direct) 1:(direct)~");
    let from_google = [&[(0, "google")], &busy[1..], &[(DAY, "")]].concat();
    check(&from_google, "0:google 1:google~");
    let journey = Journey::derive(&views(&[(0, ""), (3 * DAY, "active")]));
    assert_eq!(journey.visits[0].active_at_ms, DAY);
}

#[test]
fn a_click_counts_once() {
    // The same address again: a bookmark, a restored tab.
    check(&[(0, "?gclid=1"), (HOUR, "?gclid=1")], "0:google 1:(direct)");
    check(&[(0, "?gclid=1"), (HOUR, ""), (2 * HOUR, "?gclid=1")], "0:google 1:(direct) 2:(direct)");
    check(&[(0, "?gclid=1"), (HOUR, "?gclid=2")], "0:google 1:google");
    // Back from another touch of the same visit.
    check(&[(0, "?gclid=1"), (MINUTE, "bing"), (2 * MINUTE, "?gclid=1")], "0:google 0:bing");
    // This does not name one click.
    check(&[(0, "?gad_source=1"), (HOUR, "?gad_source=1")], "0:google 1:google");
}

#[test]
fn the_browser_of_an_app_is_the_last_evidence() {
    let in_app = |at_ms| {
        let mut view = view(at_ms, "");
        view.label.source = "instagram".into();
        view.label.origin = Origin::Marketing;
        view.label.rule = "in_app:instagram/organic_social".into();
        view
    };
    for (views, expected) in [
        (vec![in_app(0), in_app(MINUTE)], "0:instagram"),
        (vec![view(0, "google"), in_app(MINUTE)], "0:google"),
        (vec![view(0, "own"), in_app(MINUTE)], "0:instagram^"),
        (vec![view(0, "google"), in_app(HOUR)], "0:google 1:instagram"),
    ] {
        assert_eq!(outline(&Journey::derive(&views)), expected);
    }
}

#[test]
fn midnight_splits_nothing() {
    let before_midnight = 20_000 * DAY - 10 * MINUTE;
    check(&[(before_midnight, "google"), (before_midnight + 20 * MINUTE, "google")], "0:google");
}

#[test]
fn equal_times_are_told_in_the_order_of_ids() {
    check(&[(7, "google"), (7, "bing"), (7, "")], "0:google 0:bing");
    check(&[(7, ""), (7, "bing"), (7, "google")], "0:bing^ 0:google");
}

#[test]
fn times_may_be_anything() {
    let now = 1_795_255_200_000;
    check(&[(now, "google"), (now + HOUR, "bing"), (now + MINUTE, "")], "0:google 1:bing");
    check(&[(now, "google"), (i64::MAX, "bing")], "0:google 1:bing");
    check(&[(0, "google"), (i64::MIN, "bing")], "0:bing 1:google");
    check(
        &[(i64::MIN, "google"), (i64::MIN, "> x.test"), (i64::MIN, "https://x.test/")],
        "0:google",
    );
}

#[test]
fn ten_thousand_touches() {
    let rows: Vec<_> =
        (0..10_000).map(|step| (step * SECOND, ["google", "bing"][step as usize % 2])).collect();
    let journey = Journey::derive(&views(&rows));
    assert_eq!((journey.touches.len(), journey.visits.len()), (10_000, 1));
}

/// One page view: time in tens of minutes, origin, minutes of activity, engaged time, and
/// departures as minutes since the page view (negative with a wrong clock) and host.
type Drawn = (i64, usize, i64, u32, Vec<(i64, usize)>);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let departures = proptest::collection::vec((-10..120i64, 0..2usize), 0..11);
    let page_view = (0..60i64, 0..6usize, 0..40i64, 0..90_000u32, departures);
    proptest::collection::vec(page_view, 1..20)
}

/// Page views with what happened on them.
fn seen(rows: &[Drawn]) -> Vec<PageView> {
    let origins = ["", "own", "google", "bing", "https://pay.test/", "https://bank.test/"];
    let seen = |(tens, origin, active, engaged_ms, departures): &Drawn| {
        let mut view = view(tens * 10 * MINUTE, origins[*origin]);
        view.totals.raise(Totals {
            engaged_ms: *engaged_ms,
            active_at_ms: view.at_ms + active * MINUTE,
            ..Totals::default()
        });
        for (minutes, host) in departures {
            view.totals
                .raise(left(view.at_ms + minutes * MINUTE, ["pay.test", "bank.test"][*host]));
        }
        view
    };
    rows.iter().map(seen).collect()
}

proptest! {
    /// Touches do not depend on the order in which page views arrive, and each is counted once.
    #[test]
    fn any_order_of_arrival(rows in drawn(), from in any::<prop::sample::Index>()) {
        let mut views = seen(&rows);
        let journey = Journey::derive(&views);
        let from = from.index(views.len());
        views.rotate_left(from);
        prop_assert_eq!(&journey, &Journey::derive(&views));
        prop_assert_eq!(journey.visits.iter().map(|visit| visit.page_views).sum::<u32>() as usize, rows.len());
        prop_assert_eq!(journey.page_views() as usize, rows.len());
    }

    /// Summing up older page views, once or repeatedly, keeps the first touch, all sums, and the
    /// newest touches unchanged.
    #[test]
    fn what_is_summed_up_adds_up(rows in drawn(), steps in 1..6usize, most in 2..5usize) {
        let mut views = seen(&rows);
        views.sort_by_key(PageView::position);
        let whole = Journey::derive(&views);
        let mut past = Past::default();
        let old = views.len() * 2 / 3;
        for some in views[..old].chunks(steps) {
            past.take(some);
            past.sum_up(most);
        }
        let journey = Trail { past: Some(past), views: views[old..].to_vec() }.journey();
        let Journey { touches, left_out, visits } = &journey;
        prop_assert_eq!(touches.len() + left_out.touches as usize, whole.touches.len());
        prop_assert_eq!(visits.len() + left_out.visits as usize, whole.visits.len());
        prop_assert_eq!(journey.page_views(), whole.page_views());
        let engaged = |touches: &[Touch]| -> (u64, u32) {
            let engaged_ms = touches.iter().map(|touch| touch.engaged_ms).sum();
            (engaged_ms, touches.iter().map(|touch| touch.engaged_pages).sum())
        };
        let (engaged_ms, engaged_pages) = engaged(touches);
        let sums = (engaged_ms + left_out.engaged_ms, engaged_pages + left_out.engaged_pages);
        prop_assert_eq!(sums, engaged(&whole.touches));
        let plain = |touch: &Touch| Touch { visit: 0, ..touch.clone() };
        prop_assert_eq!(touches.first().map(plain), whole.touches.first().map(plain));
        let newest: Vec<_> = touches.iter().skip(1).map(plain).collect();
        let of_whole = &whole.touches[whole.touches.len() - newest.len()..];
        prop_assert_eq!(newest, of_whole.iter().map(plain).collect::<Vec<_>>());
        for touch in touches {
            prop_assert!(visits[touch.visit as usize].at_ms <= touch.at_ms);
        }
    }
}
