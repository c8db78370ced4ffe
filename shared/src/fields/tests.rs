//! Leads as the collector stores them, and the fields of their journeys.

mod golden;
mod limits;

use super::naming::Crm;
use super::*;
use crate::ad_cookies::{AdCookies, GaSession};
use crate::attribution::{self, Model, Rule};
use crate::context::VisitorContext;
use crate::ids::{ConversionId, EventId, LeadId, SiteId, VisitorId};
use crate::journey::History;
use crate::lead::{
    Contact, Conversion, ConversionKind, FoundBy, Join, JoinEvidence, JourneyState, Lead, NamedBy,
};
use crate::lifecycle::LifeCycle;
use crate::page_view::{PageView, Totals};
use crate::source::{InternalTags, OwnHosts, Rules};
use crate::time::parse_rfc3339;
use serde_json::json;
use std::sync::LazyLock;

fn ms(time: &str) -> i64 {
    parse_rfc3339(time).unwrap()
}

/// A page view as the collector stores it.
fn page(at_ms: i64, url: &str, referrer: &str, engaged_ms: u32) -> PageView {
    static RULES: LazyLock<Rules> = LazyLock::new(Rules::built_in);
    let url = ::url::Url::parse(url).unwrap();
    let evidence = RULES.evidence(&url, referrer, "");
    PageView {
        id: EventId::new(at_ms, [1; 10]),
        at_ms,
        received_at_ms: at_ms,
        url: RULES.clean_url(&url),
        title: String::new(),
        totals: Totals { engaged_ms, ..Totals::default() },
        label: RULES.label(&evidence, "", &OwnHosts::new(["example.com"]), InternalTags::Ignore),
        evidence,
        rules: 0,
        bot: None,
    }
}

fn visitor() -> VisitorId {
    VisitorId::from_random([7; 16])
}

fn conversion(number: u32, at_ms: i64, form_name: &str) -> Conversion {
    Conversion {
        id: ConversionId::new(at_ms, [1; 10]),
        number,
        at_ms,
        kind: ConversionKind::Form,
        visitor: Some(visitor()),
        journey: JourneyState::Known,
        contact: Contact::default(),
        form_id: Some("contact".to_owned()),
        form_name: Some(form_name.to_owned()),
        page_url: Some("https://www.example.com/contact".to_owned()),
        page_title: Some("Contact".to_owned()),
        context: None,
        raw: Vec::new(),
    }
}

fn lead(at_ms: i64) -> Lead {
    let by = JoinEvidence { person: FoundBy::New, visitor: NamedBy::Token };
    let join = Join::new(visitor(), &conversion(1, at_ms, "Contact us"), by);
    let contact = Contact {
        email: Some("Lead@example.com".to_owned()),
        phone: Some("+33142685300".to_owned()),
        first_name: Some("First".to_owned()),
        last_name: Some("Last".to_owned()),
        full_name: Some("First Last".to_owned()),
        first_name_kana: None,
        last_name_kana: None,
        company: Some("Acme".to_owned()),
        job_title: Some("Buyer".to_owned()),
    };
    let (id, site) = (LeadId::new(at_ms, [2; 10]), SiteId::parse("demo").unwrap());
    Lead { contact, joins: vec![join], conversions: 1, ..Lead::new(id, site, at_ms) }
}

fn fields_of(pages: Vec<PageView>, conversions: Vec<Conversion>) -> Map<String, Value> {
    fields_by(Rule::new(Model::LastNonDirect), pages, conversions)
}

fn fields_by(rule: Rule, pages: Vec<PageView>, conversions: Vec<Conversion>) -> Map<String, Value> {
    let lead = lead(conversions.first().map_or(0, |first| first.at_ms));
    let session = GaSession { id: "1790000123".to_owned(), number: Some(4) };
    let ad_cookies = AdCookies {
        ga_client_id: Some("1234567890.1700000000".to_owned()),
        ga_session: Some(session),
        fbp: Some("fb.1.1.2".to_owned()),
        fbc: None,
    };
    let context = VisitorContext {
        language: "fr-FR".to_owned(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
            .to_owned(),
        consent: "granted".to_owned(),
        ad_cookies,
        ..VisitorContext::default()
    };
    let with_context = |made| Conversion { context: Some(context.clone()), ..made };
    let conversions = conversions.into_iter().map(with_context).collect();
    let history = History::of_lead(&lead, &[(visitor(), pages.into_iter().collect())], conversions);
    let hand_off =
        HandOff { provider: Crm::Webhook, link: None, status: "sent", synced_at_ms: Some(0) };
    by_name(Subject {
        lead: &lead,
        history: &history,
        life_cycle: &LifeCycle::of(lead.created_at_ms, []),
        deals: &[],
        hand_off: Some(hand_off),
        rule,
        long_text: 10_000,
    })
}

/// The four levels of a channel's drill-down.
fn check_drilldown(url: &str, referrer: &str, expected: [Option<&str>; 5]) {
    let url = format!("https://www.example.com/{url}");
    let fields = fields_of(vec![page(0, &url, referrer, 0)], vec![conversion(1, 1_000, "")]);
    let found = ["", "_drilldown_1", "_drilldown_2", "_drilldown_3", "_drilldown_4"]
        .map(|step| fields[&format!("first_click_channel{step}")].as_str());
    assert_eq!(found, expected, "{url} {referrer}");
}

#[test]
fn channels_are_broken_down() {
    const TAGS: &str = "utm_campaign=spring&utm_content=red&utm_term=shoes";
    let check = |source: &str, expected: [Option<&str>; 5]| {
        check_drilldown(&format!("a/b?{TAGS}&{source}"), "", expected);
    };
    let all = |channel, first, rest: [&'static str; 3]| {
        [Some(channel), Some(first), Some(rest[0]), Some(rest[1]), Some(rest[2])]
    };
    let search = ["spring", "shoes", "red"];
    let ad = ["spring", "red", "shoes"];
    check("utm_source=google&utm_medium=cpc", all("paid_search", "google", search));
    check("utm_source=facebook&utm_medium=cpc", all("paid_social", "facebook", ad));
    check("utm_source=facebook&utm_medium=social", all("organic_social", "facebook", ad));
    check("utm_source=x-net&utm_medium=display", all("display", "x-net", ad));
    check("utm_source=x-net&utm_medium=affiliate", all("affiliates", "x-net", ad));
    check("utm_source=x-net&utm_medium=cpc", all("paid_other", "x-net", ad));
    check("utm_source=x-net&utm_medium=what", all("other", "x-net", ["what", "spring", "red"]));
    check(
        "utm_source=list&utm_medium=email",
        [Some("email"), Some("list"), Some("spring"), Some("red"), None],
    );
    check(
        "utm_source=list&utm_medium=sms",
        [Some("sms"), Some("list"), Some("spring"), Some("red"), None],
    );
    let page = Some("/a/b");
    check_drilldown(
        "a/b",
        "https://www.google.fr/",
        [Some("organic_search"), Some("google"), Some("www.google.fr"), page, None],
    );
    check_drilldown(
        "a/b",
        "https://chatgpt.com/",
        [Some("ai_assistant"), Some("chatgpt"), Some("chatgpt.com"), page, None],
    );
    check_drilldown(
        "a/b",
        "https://blog.news.co.uk/story?id=7",
        [Some("referral"), Some("news.co.uk"), Some("https://blog.news.co.uk/story"), None, None],
    );
    check_drilldown("a/b", "", [Some("direct"), None, None, page, None]);
}

#[test]
fn click_ids_are_the_last_seen_of_ninety_days() {
    let url = |query: &str| format!("https://www.example.com/?{query}");
    let day = |days: i64| days * crate::limits::DAY_MS;
    let pages = || {
        vec![
            page(day(0), &url("gclid=old&msclkid=M"), "", 0),
            page(day(5), &url("gclid=new&fbclid=F&ttclid=T"), "", 0),
            page(day(6), &url("twclid=not-ours"), "", 0),
        ]
    };
    let ids = |converted_day: i64| {
        let fields = fields_of(pages(), vec![conversion(1, day(converted_day), "")]);
        ["gclid", "msclkid", "fbclid", "ttclid", "fbc", "click_id_at"]
            .map(|name| fields[name].as_str().unwrap_or("-").to_owned())
            .join(" ")
    };
    assert_eq!(ids(0), "old M - - - 1970-01-01T00:00:00Z");
    assert_eq!(ids(90), "new M F T fb.1.432000000.F 1970-01-06T00:00:00Z");
    assert_eq!(ids(91), "new - F T fb.1.432000000.F 1970-01-06T00:00:00Z");
    assert_eq!(ids(96), "- - - - - -");
}

#[test]
fn a_journey_that_is_not_known_has_no_counts() {
    let fields = fields_of(Vec::new(), vec![conversion(1, 1_000, "Contact us")]);
    assert_eq!(fields.len(), 121);
    for name in ["visits_count", "touchpoints_count", "days_to_convert", "first_click_source"] {
        assert_eq!(fields[name], Value::Null, "{name}");
    }
    assert_eq!(
        fields["journey_summary"],
        "1970-01-01 00:00 sent the form \"Contact us\" on /contact"
    );
}

/// The lines of a summary of this many touches, each with a different source from the one before.
fn summary_of(touches: i64, limit: usize) -> String {
    const HOUR: i64 = 60 * 60 * 1000;
    let source = |hour: i64| ["google", "bing"][usize::try_from(hour % 2).unwrap()];
    let url =
        |hour| format!("https://www.example.com/?utm_source={}&utm_campaign=a%0Ab", source(hour));
    let pages = (0..touches).map(|hour| page(hour * HOUR, &url(hour), "", 0)).collect();
    let lead = lead(touches * HOUR);
    let conversions = vec![conversion(1, touches * HOUR, "x")];
    summary::describe(&History::of_lead(&lead, &[(visitor(), pages)], conversions), limit)
}

#[test]
fn long_journeys_are_told_in_twenty_lines() {
    for (touches, lines, mark) in
        [(1, 2, ""), (19, 20, ""), (20, 20, "… 2 left out …"), (200, 20, "… 182 left out …")]
    {
        let summary = summary_of(touches, 10_000);
        assert_eq!(summary.lines().count(), lines, "{summary}");
        assert_eq!(summary.lines().nth(1).filter(|line| line.starts_with('…')).unwrap_or(""), mark);
        assert!(summary.lines().last().unwrap().contains("sent the form"), "{summary}");
        assert!(summary.contains("campaign \"a b\""), "{summary}");
    }
    let short = summary_of(200, 300);
    assert!(short.chars().count() <= 300, "{short}");
    assert!(short.starts_with("1970-01-01 00:00") && short.contains("… 19"), "{short}");
    assert!(short.lines().last().unwrap().contains("sent the form"), "{short}");
}

#[test]
fn earlier_conversions_stand_where_they_happened() {
    let hour = 60 * 60 * 1000;
    let page = |at_ms| page(at_ms, "https://www.example.com/a", "", 0);
    let fields = fields_of(
        vec![page(0), page(3 * hour), page(5 * hour)],
        vec![conversion(1, hour, "first"), conversion(2, 6 * hour, "second")],
    );
    let summary = fields["journey_summary"].as_str().unwrap();
    let times: Vec<&str> = summary.lines().map(|line| &line[11..]).collect();
    assert_eq!(
        times,
        [
            "00:00 came directly, landed on /a, looked at 1 page",
            "01:00 sent the form \"first\" on /contact",
            "03:00 came back directly 2 times until 1970-01-01 05:00, looked at 2 pages",
            "06:00 sent the form \"second\" on /contact",
        ]
    );
    let touches: Vec<Value> =
        serde_json::from_str(fields["journey_json"].as_str().unwrap()).unwrap();
    let converted: Vec<_> = touches.iter().map(|touch| touch["conversion"] == true).collect();
    assert_eq!(converted, [true, false, true]);
    assert_eq!(fields["conversion_count"], 2);
}
