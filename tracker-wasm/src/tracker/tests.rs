//! The tracker from signal to batch, in a fake browser.

use super::*;
use crate::{browser::Transport, fake::Fake, opening::Opening};
use std::{borrow::ToOwned, format, vec, vec::Vec};

const FIRST: &str = "0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11";
const OPENED: i64 = 1_000_000;

/// A tracker with its browser and a clock.
struct Page {
    browser: Fake,
    tracker: Tracker<Fake>,
    now: i64,
}

impl Page {
    fn open(browser: &Fake, consent: &str) -> Self {
        let opening = Opening {
            site: "demo",
            consent,
            id: FIRST,
            flags: "l",
            language: "fr",
            host: "www.example.com",
            address: "https://www.example.com/?utm_source=news#top",
            referrer: "https://news.example/",
            ..Opening::default()
        };
        let tracker = Tracker::start(browser.clone(), &opening, OPENED, OPENED + 40);
        Self { browser: browser.clone(), tracker, now: OPENED + 40 }
    }

    /// Sends a signal this many milliseconds later.
    fn after(&mut self, milliseconds: i64, signal: Signal<'_>) -> &mut Self {
        self.now += milliseconds;
        self.tracker.hear(signal, self.now);
        self
    }

    fn answer(&mut self, status: u32, token: &str) -> &mut Self {
        let batch = self.browser.state.borrow().last_batch;
        self.after(10, Signal::Answer { batch, status, token, retry_after: 0 })
    }

    /// The batches since the last call: how each was sent, and its events in short form.
    fn sent(&self) -> Vec<(Transport, Vec<String>)> {
        let posts = core::mem::take(&mut self.browser.state.borrow_mut().posts);
        posts.iter().map(|(transport, body)| (*transport, events(body))).collect()
    }

    /// The events of all those batches.
    fn sent_events(&self) -> Vec<String> {
        self.sent().into_iter().flat_map(|(_, events)| events).collect()
    }

    fn attention(&mut self, attention: Attention) -> &mut Self {
        self.browser.state.borrow_mut().attention = attention;
        self.after(0, Signal::Attention)
    }

    fn stored(&self, key: &str) -> Option<String> {
        self.browser.state.borrow().storage.get(key).cloned()
    }
}

/// One event of a body in short form: its kind, then its totals, name, or the path of its URL.
fn events(body: &str) -> Vec<String> {
    let value = |event: &str, key: &str| {
        let after = event.split_once(&format!("\"{key}\":")).map(|(_, rest)| rest)?;
        let end = after.find([',', '}']).unwrap_or(after.len());
        Some(after[..end].trim_matches('"').to_owned())
    };
    let (_, list) = body.split_once("\"events\":[").unwrap_or(("", ""));
    let events = list.split("{\"id\"").skip(1);
    let detail = |event: &str| match value(event, "kind").unwrap_or_default().as_str() {
        "page_view" => value(event, "url").map(|url| url.replace("https://www.example.com", "")),
        "engagement" => Some(format!(
            "{} {}%",
            value(event, "engaged_ms").unwrap_or_default(),
            value(event, "scroll_pct").unwrap_or_default()
        )),
        "form" => Some(format!(
            "{} {}",
            value(event, "name").unwrap_or_default(),
            value(event, "form").unwrap_or_default()
        )),
        "departure" => value(event, "host"),
        _ => value(event, "name"),
    };
    events
        .map(|event| {
            let kind = value(event, "kind").unwrap_or_default();
            format!("{kind} {}", detail(event).unwrap_or_default()).trim().to_owned()
        })
        .collect()
}

fn check(got: &[(Transport, Vec<String>)], expected: &[(Transport, &[&str])]) {
    let expected: Vec<(Transport, Vec<String>)> = expected
        .iter()
        .map(|(transport, events)| {
            (*transport, events.iter().map(|event| (*event).to_owned()).collect())
        })
        .collect();
    assert_eq!(got, expected);
}

use Transport::{Bare, Beacon, Fetch};

#[test]
fn the_first_batch() {
    let browser = Fake::new();
    browser.state.borrow_mut().public_suffixes = vec!["com"];
    Page::open(&browser, "");
    let state = browser.state.borrow();
    let visitor = state.cookies.get("clew_id").expect("a cookie");
    assert_eq!(
        state.posts[0].1,
        format!(
            "{{\"v\":1,\"site\":\"demo\",\"visitor\":\"{visitor}\",\"sent_at\":1000040,\
             \"cookie_domain\":\"example.com\",\"language\":\"fr\",\"transport\":\"fetch\",\
             \"sender\":\"module\",\"events\":[{{\"id\":\"{FIRST}\",\"at\":1000000,\
             \"page\":\"{FIRST}\",\"kind\":\"page_view\",\
             \"url\":\"https://www.example.com/?utm_source=news\",\
             \"referrer\":\"https://news.example/\",\"title\":\"Home\"}}]}}"
        )
    );
    assert_eq!(state.wake, Some(4_960), "the first report is due after five seconds");
}

/// The header's members that come from the tag, the browser and its cookies.
#[test]
fn what_a_batch_says_of_the_browser() {
    let cookies = "_ga=GA1.1.1.2; _gat=1; _ga_ABC=GS2.1.s1$o2; _ga_DEF=GS1.1.3; _fbp=fb.1.2.3";
    let check = |flags: &str, consent: &str, expected: &str| {
        let browser = Fake::new();
        for cookie in cookies.split("; ") {
            browser.set_cookie(cookie);
        }
        let opening = Opening { site: "demo", consent, flags, id: FIRST, ..Opening::default() };
        Tracker::start(browser.clone(), &opening, OPENED, OPENED);
        let body = browser.state.borrow().posts[0].1.clone();
        let (_, rest) = body.split_once("\"sent_at\":1000000,").expect("a time");
        let (members, _) = rest.split_once("\"transport\"").expect("a transport");
        assert_eq!(members, expected, "{flags} {consent}");
    };
    let known = "\"ga\":\"GA1.1.1.2\",\"ga_session\":\"GS2.1.s1$o2\",\"fbp\":\"fb.1.2.3\",";
    check("", "full", "");
    check("w", "full", "\"webdriver\":true,");
    check("a", "full", known);
    check("wa", "full", &format!("\"webdriver\":true,{known}"));
    check("gwa", "full", "\"gpc\":true,\"webdriver\":true,");
    check("a", "cookieless", "");
}

#[test]
fn a_visit() {
    let browser = Fake::new();
    let mut page = Page::open(&browser, "full");
    check(&page.sent(), &[(Fetch, &["page_view /?utm_source=news"])]);
    page.answer(202, "sealed").after(4_950, Signal::Wake);
    check(&page.sent(), &[(Fetch, &["engagement 5000 40%"])]);
    page.answer(202, "sealed");

    page.after(1_000, Signal::Navigate("https://www.example.com/?utm_source=news#more"));
    page.after(1_000, Signal::Navigate("https://www.example.com/pricing"));
    assert!(page.sent().is_empty(), "events of one action gather");
    browser.state.borrow_mut().title = "Pricing".to_owned();
    page.after(1_000, Signal::Wake);
    check(&page.sent(), &[(Fetch, &["engagement 7010 40%", "page_view /pricing"])]);
    page.answer(202, "");

    page.after(500, Signal::FormFocus("contact")).after(100, Signal::FormFocus("contact"));
    page.after(100, Signal::FormSubmit("contact"));
    check(
        &page.sent(),
        &[(Fetch, &["form focus contact", "form submit contact", "engagement 1710 40%"])],
    );
    browser.state.borrow_mut().seen = 90;
    page.after(50, Signal::Leave).attention(Attention::Hidden);
    check(
        &page.sent(),
        &[(Beacon, &["form focus contact", "form submit contact", "engagement 1760 90%"])],
    );
    assert!(page.stored("clew_q").is_some(), "a beacon is no acknowledgement");

    let next = Page::open(&browser, "full");
    let expected = [
        "form focus contact",
        "form submit contact",
        "engagement 1760 90%",
        "page_view /?utm_source=news",
    ];
    check(&next.sent(), &[(Fetch, &expected)]);
    assert_eq!(browser.state.borrow().forms, "sealed", "the token is used at once");
}

#[test]
fn answers() {
    let check = |status: u32, kept: bool, retry: bool| {
        let browser = Fake::new();
        let mut page = Page::open(&browser, "full");
        page.sent();
        page.answer(status, "");
        assert_eq!(page.stored("clew_q").is_some(), kept, "{status}");
        page.after(5_000, Signal::Wake);
        let sent = page.sent_events();
        assert_eq!(sent.iter().any(|event| event.starts_with("page_view")), retry, "{status}");
    };
    check(202, false, false);
    check(400, false, false);
    check(413, false, false);
    check(429, true, true);
    check(503, true, true);
    check(0, true, true);
}

#[test]
fn the_collector_is_left_alone_as_long_as_it_asks() {
    // What happens this many milliseconds after a response that asks for a minute, and whether
    // anything is sent.
    let check = |milliseconds: i64, signal: Signal<'_>, sends: bool| {
        let browser = Fake::new();
        let mut page = Page::open(&browser, "full");
        page.sent();
        let batch = browser.state.borrow().last_batch;
        page.after(10, Signal::Answer { batch, status: 429, token: "", retry_after: 60 });
        browser.state.borrow_mut().attention = Attention::Hidden;
        page.after(milliseconds, signal);
        assert_eq!(!page.sent().is_empty(), sends, "{milliseconds} {signal:?}");
        let kept = page.stored("clew_q").unwrap_or_default();
        assert!(kept.contains("page_view"), "{milliseconds} {signal:?}: {kept}");
    };
    for early in [Signal::Wake, Signal::Online, Signal::Attention, Signal::Leave] {
        check(59_999, early, false);
    }
    for later in [Signal::Wake, Signal::Attention, Signal::Leave] {
        check(60_000, later, true);
    }
}

#[test]
fn departures() {
    let browser = Fake::new();
    let mut page = Page::open(&browser, "full");
    page.answer(202, "");
    page.sent();
    // in another tab
    page.after(10, Signal::Depart("pay.test"));
    assert!(page.sent().is_empty(), "it may wait for others");
    page.after(1_000, Signal::Wake);
    check(&page.sent(), &[(Fetch, &["departure pay.test"])]);
    // in this one, while the response is in flight
    page.after(10, Signal::Depart("login.test")).after(5, Signal::Leave);
    let expected = ["departure pay.test", "departure login.test", "engagement 1075 40%"];
    check(&page.sent(), &[(Beacon, &expected)]);
    // Another page view reports its own departures.
    page.after(5, Signal::Restored("https://www.example.com/pricing"));
    page.answer(202, "");
    page.sent();
    page.after(10, Signal::Depart("pay.test")).after(1_000, Signal::Wake);
    let body = browser.state.borrow().posts[0].1.clone();
    let id = page.tracker.page.id.to_text();
    assert!(body.contains(&format!("\"page\":\"{id}\",\"kind\":\"departure\"")), "{body}");
}

#[test]
fn nothing_is_sent_or_stored_before_consent() {
    let browser = Fake::new();
    let mut page = Page::open(&browser, "none");
    page.after(100, Signal::Custom("early", "{}")).after(0, Signal::Depart("pay.test"));
    page.after(2_000, Signal::Navigate("https://www.example.com/pricing"));
    page.after(9_000, Signal::Wake).after(10, Signal::Leave);
    assert!(page.sent().is_empty());
    assert!(browser.state.borrow().storage.is_empty() && browser.state.borrow().cookies.is_empty());

    page.after(10, Signal::Restored("https://www.example.com/pricing"));
    page.after(10, Signal::Consent("granted"));
    let sent = page.sent_events();
    assert_eq!(sent[0], "custom early");
    assert_eq!(sent[1], "departure pay.test");
    assert_eq!(sent[2], "page_view /?utm_source=news", "with the landing address");
    assert!(browser.state.borrow().cookies.contains_key("clew_id"));

    page.answer(202, "sealed").after(10, Signal::Consent("denied"));
    let state = browser.state.borrow();
    assert_eq!((state.forgotten, state.forms.as_str(), state.token.as_str()), (1, "", ""));
    drop(state);
    page.after(10, Signal::Custom("late", "")).after(10, Signal::Depart("pay.test"));
    page.after(10, Signal::Leave);
    page.answer(202, "sealed");
    assert!(page.sent_events().is_empty());
    assert!(browser.state.borrow().storage.is_empty());
    assert_eq!(browser.state.borrow().forgotten, 2, "an answer may have renewed the cookie");
}

#[test]
fn without_cookies_the_visitor_lasts_as_long_as_the_page() {
    let browser = Fake::new();
    let mut page = Page::open(&browser, "cookieless");
    check(&page.sent(), &[(Bare, &["page_view /?utm_source=news"])]);
    let before = page.tracker.identity.visitor.clone();
    page.answer(202, "sealed").after(2_000, Signal::Leave);
    check(&page.sent(), &[(Bare, &["engagement 2050 40%"])]);
    assert!(browser.state.borrow().storage.is_empty() && browser.state.borrow().cookies.is_empty());
    assert_eq!(browser.state.borrow().forms, "sealed");

    page.after(10, Signal::Consent("granted"));
    assert_eq!(browser.state.borrow().cookies.get("clew_id"), Some(&before), "kept in place");
}

#[test]
fn a_known_visitor_gets_the_page_view_on_consent() {
    let browser = Fake::new();
    browser.set_cookie("clew_id=0197a2b4-7c1e-4d8a-9f00-5b2f6f1f0c11");
    let mut page = Page::open(&browser, "cookieless");
    page.answer(202, "").after(10, Signal::Consent("granted"));
    let sent = page.sent();
    check(&sent[1..], &[(Fetch, &["page_view /?utm_source=news"])]);
}

#[test]
fn the_page_may_be_frozen_and_come_back() {
    let browser = Fake::new();
    let mut page = Page::open(&browser, "full");
    page.answer(202, "").after(1_000, Signal::Leave);
    page.sent();
    page.after(60_000, Signal::Restored("https://www.example.com/"));
    check(&page.sent(), &[(Fetch, &["engagement 1050 40%", "page_view /"])]);
}

#[test]
fn what_the_page_says() {
    let browser = Fake::new();
    let mut page = Page::open(&browser, "full");
    page.answer(202, "");
    page.sent();
    page.after(10, Signal::Identify("[]")).after(10, Signal::Identify(""));
    page.after(10, Signal::Custom("", "{}"));
    assert!(page.sent().is_empty());
    page.after(10, Signal::Identify("{\"email\":\"a@b.example\"}"));
    assert_eq!(page.sent()[0].1, ["identify"], "a lead does not wait");
    page.answer(202, "");
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(5_000));
    page.after(10, Signal::Custom("ordered", &long)).after(1_000, Signal::Wake);
    assert_eq!(page.sent()[0].1, ["custom ordered"], "too many properties are left out");
}

#[test]
fn a_burst_of_pages_is_not_held_back() {
    let browser = Fake::new();
    let mut page = Page::open(&browser, "full");
    page.sent();
    page.answer(202, "");
    for number in 0..60 {
        page.after(1, Signal::Navigate(&format!("https://www.example.com/{number}")));
    }
    assert!(!page.sent().is_empty(), "fifty events do not wait for the second to pass");
}
