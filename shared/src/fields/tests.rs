//! One lead with everything, field by field, and what holds of the fields of any lead.

use super::*;
use crate::ad_cookies::GaSession;
use crate::ids::{ConversionId, EventId, LeadId, SiteId};
use crate::lead::{Contact, ConversionKind, FoundBy, Join, JoinEvidence, JourneyState, NamedBy};
use crate::page_view::{PageView, Totals};
use crate::source::{OwnHosts, Rules};
use crate::time::parse_rfc3339;
use proptest::prelude::*;
use serde_json::json;
use std::collections::HashMap;
use std::sync::LazyLock;

fn ms(time: &str) -> i64 {
    parse_rfc3339(time).unwrap()
}

/// A page view as the collector stores it.
fn page(at_ms: i64, url: &str, referrer: &str, engaged_ms: u32) -> PageView {
    static RULES: LazyLock<Rules> = LazyLock::new(Rules::built_in);
    let url = ::url::Url::parse(url).unwrap();
    let evidence = RULES.evidence(&url, referrer);
    PageView {
        id: EventId::new(at_ms, [1; 10]),
        at_ms,
        received_at_ms: at_ms,
        url: RULES.clean_url(&url),
        title: String::new(),
        totals: Totals { engaged_ms, ..Totals::default() },
        label: RULES.label(&evidence, &OwnHosts::new(["example.com"])),
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
        touches: Vec::new(),
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
        company: Some("Acme".to_owned()),
        job_title: Some("Buyer".to_owned()),
    };
    Lead {
        id: LeadId::new(at_ms, [2; 10]),
        site: SiteId::parse("demo").unwrap(),
        created_at_ms: at_ms,
        converted_at_ms: at_ms,
        contact,
        joins: vec![join],
        conversions: 1,
        phone_conflict: None,
    }
}

fn told(pages: Vec<PageView>, conversions: Vec<Conversion>) -> Map<String, Value> {
    told_by(Rule::new(Model::LastNonDirect), pages, conversions)
}

fn told_by(rule: Rule, pages: Vec<PageView>, conversions: Vec<Conversion>) -> Map<String, Value> {
    let lead = lead(conversions.first().map_or(0, |first| first.at_ms));
    let history = History::of_lead(&lead, &[(visitor(), pages)], conversions);
    let session = GaSession { id: "1790000123".to_owned(), number: Some(4) };
    let cookies = AdCookies {
        ga_client_id: Some("1234567890.1700000000".to_owned()),
        ga_session: Some(session),
        fbp: Some("fb.1.1.2".to_owned()),
        fbc: None,
    };
    let browser = Browser {
        language: "fr-FR",
        user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        consent: "granted",
        gpc: false,
        ad_cookies: Some(&cookies),
    };
    let hand_off = HandOff { provider: Crm::Webhook, status: "sent", synced_at_ms: Some(0) };
    by_name(Subject {
        lead: &lead,
        history: &history,
        browser: Some(browser),
        hand_off: Some(hand_off),
        rule,
        long_text: 10_000,
    })
}

fn golden() -> Vec<PageView> {
    let tagged = "https://www.example.com/pricing?plan=b&utm_source=google&utm_medium=cpc\
        &utm_campaign=brand-fr&utm_id=77&utm_term=attribution%20marketing&utm_content=ad-a\
        &gclid=EAIaIQ&fbclid=AbCd";
    vec![
        page(ms("2026-11-02T08:01:11Z"), tagged, "https://www.google.fr/", 12_000),
        page(ms("2026-11-02T08:02:11Z"), "https://www.example.com/", "", 2_000),
        page(
            ms("2026-11-12T17:40:02Z"),
            "https://www.example.com/blog/x",
            "https://www.linkedin.com/feed/",
            30_000,
        ),
        page(ms("2026-11-15T09:00:00Z"), "https://www.example.com/pricing", "", 0),
        page(ms("2026-11-21T10:11:40Z"), "https://www.example.com/contact#form", "", 20_000),
    ]
}

fn contacted() -> Vec<Conversion> {
    vec![conversion(1, ms("2026-11-21T10:15:00Z"), "Contact us")]
}

#[test]
fn the_golden_lead() {
    let summary = "2026-11-02 08:01 Paid Search (google), campaign \"brand-fr\", keyword \
        \"attribution marketing\", landed on /pricing, read 1 of 2 pages\n\
        2026-11-12 17:40 Organic Social (linkedin), landed on /blog/x, read the page\n\
        2026-11-15 09:00 came back directly 2 times until 2026-11-21 10:11, read 1 of 2 pages\n\
        2026-11-21 10:15 sent the form \"Contact us\" on /contact";
    let touch = |n: u32, at: &str, channel: &str, source: &str, medium: &str, page: &str| {
        json!({
            "n": n, "at": at, "channel": channel, "source": source, "medium": medium,
            "landing_page": page, "pageviews": 1, "duration_s": 0, "events": ["page_view:1"],
        })
    };
    let mut touches = [
        touch(
            1,
            "2026-11-02T08:01:11Z",
            "paid_search",
            "google",
            "cpc",
            "https://www.example.com/pricing?plan=b",
        ),
        touch(
            2,
            "2026-11-12T17:40:02Z",
            "organic_social",
            "linkedin",
            "social",
            "https://www.example.com/blog/x",
        ),
        touch(
            3,
            "2026-11-15T09:00:00Z",
            "direct",
            "(direct)",
            "(none)",
            "https://www.example.com/pricing",
        ),
        touch(
            4,
            "2026-11-21T10:11:40Z",
            "direct",
            "(direct)",
            "(none)",
            "https://www.example.com/contact",
        ),
    ];
    let mut more = |n: usize, members: Value| {
        let members = members.as_object().unwrap().clone();
        touches[n].as_object_mut().unwrap().extend(members);
    };
    more(
        0,
        json!({
            "campaign": "brand-fr", "term": "attribution marketing", "content": "ad-a",
            "referrer": "https://www.google.fr/", "click_id_type": "gclid", "pageviews": 2,
            "duration_s": 60, "events": ["page_view:2", "engaged_page:1"],
        }),
    );
    more(1, json!({ "referrer": "https://www.linkedin.com/feed/" }));
    more(1, json!({ "events": ["page_view:1", "engaged_page:1"] }));
    more(3, json!({ "events": ["page_view:1", "engaged_page:1"], "conversion": true }));
    let expected = [
        ("lead_id", json!(LeadId::new(ms("2026-11-21T10:15:00Z"), [2; 10]).to_text())),
        ("first_click_source", json!("google")),
        ("first_click_medium", json!("cpc")),
        ("first_click_campaign", json!("brand-fr")),
        ("first_click_campaign_id", json!("77")),
        ("first_click_term", json!("attribution marketing")),
        ("first_click_content", json!("ad-a")),
        ("first_click_channel", json!("paid_search")),
        ("first_click_channel_drilldown_1", json!("google")),
        ("first_click_channel_drilldown_2", json!("brand-fr")),
        ("first_click_channel_drilldown_3", json!("attribution marketing")),
        ("first_click_channel_drilldown_4", json!("ad-a")),
        ("first_click_landing_page", json!("https://www.example.com/pricing?plan=b")),
        ("first_click_landing_page_group", json!("/pricing")),
        ("first_click_referrer", json!("https://www.google.fr/")),
        ("first_click_referrer_domain", json!("google.fr")),
        ("first_click_at", json!("2026-11-02T08:01:11Z")),
        ("last_click_source", json!("(direct)")),
        ("last_click_medium", json!("(none)")),
        ("last_click_channel", json!("direct")),
        ("last_click_channel_drilldown_3", json!("/contact")),
        ("last_click_landing_page", json!("https://www.example.com/contact")),
        ("last_click_landing_page_group", json!("/contact")),
        ("last_click_at", json!("2026-11-21T10:11:40Z")),
        ("last_non_direct_click_source", json!("linkedin")),
        ("last_non_direct_click_medium", json!("social")),
        ("last_non_direct_click_channel", json!("organic_social")),
        ("last_non_direct_click_channel_drilldown_1", json!("linkedin")),
        ("last_non_direct_click_landing_page", json!("https://www.example.com/blog/x")),
        ("last_non_direct_click_landing_page_group", json!("/blog")),
        ("last_non_direct_click_referrer", json!("https://www.linkedin.com/feed/")),
        ("last_non_direct_click_referrer_domain", json!("linkedin.com")),
        ("last_non_direct_click_at", json!("2026-11-12T17:40:02Z")),
        ("visitor_id", json!(visitor().to_text())),
        ("email", json!("Lead@example.com")),
        ("email_sha256", json!("9fbdefe2837a03c9225be80e741f316f4d174d1732b719b6abb6477efc1ae9d2")),
        ("phone", json!("+33142685300")),
        ("first_name", json!("First")),
        ("last_name", json!("Last")),
        ("full_name", json!("First Last")),
        ("company", json!("Acme")),
        ("job_title", json!("Buyer")),
        ("converted_at", json!("2026-11-21T10:15:00Z")),
        ("conversion_type", json!("form")),
        ("form_id", json!("contact")),
        ("form_name", json!("Contact us")),
        ("conversion_page", json!("https://www.example.com/contact")),
        ("conversion_page_title", json!("Contact")),
        ("conversion_count", json!(1)),
        ("first_visit_at", json!("2026-11-02T08:01:11Z")),
        ("visits_count", json!(4)),
        ("pageviews_count", json!(5)),
        ("touchpoints_count", json!(4)),
        ("distinct_channels_count", json!(3)),
        ("seconds_to_convert", json!(1_649_629)),
        ("days_to_convert", json!(19)),
        ("channel_path", json!("paid_search > organic_social > direct ×2")),
        ("source_path", json!("google / cpc > linkedin / social > (direct) / (none) ×2")),
        ("journey_summary", json!(summary)),
        ("gclid", json!("EAIaIQ")),
        ("fbclid", json!("AbCd")),
        ("fbc", json!(format!("fb.1.{}.AbCd", ms("2026-11-02T08:01:11Z")))),
        ("click_id_at", json!("2026-11-02T08:01:11Z")),
        ("fbp", json!("fb.1.1.2")),
        ("ga_client_id", json!("1234567890.1700000000")),
        ("ga_session_id", json!("1790000123")),
        ("ga_session_number", json!(4)),
        ("device_type", json!("desktop")),
        ("browser", json!("Firefox")),
        ("os", json!("Linux")),
        ("language", json!("fr-FR")),
        ("consent_analytics", json!("granted")),
        ("consent_ads", json!("unknown")),
        ("attribution_model", json!("last-non-direct")),
        ("attributed_channel", json!("organic_social")),
        ("attributed_source", json!("linkedin")),
        ("lead_stage", json!("lead")),
        ("lead_stage_at", json!("2026-11-21T10:15:00Z")),
        ("crm_provider", json!("webhook")),
        ("crm_sync_status", json!("sent")),
        ("crm_synced_at", json!("1970-01-01T00:00:00Z")),
        ("fields_version", json!(1)),
    ];
    let expected: HashMap<&str, Value> = expected.into_iter().collect();
    let mut found = told(golden(), contacted());
    let journey: Value =
        serde_json::from_str(found.remove("journey_json").unwrap().as_str().unwrap()).unwrap();
    assert_eq!(journey, json!(touches));
    assert_eq!(found.len(), 120);
    for (name, value) in &found {
        assert_eq!(*value, expected.get(name.as_str()).cloned().unwrap_or_default(), "{name}");
    }
    let unknown: Vec<_> = expected.keys().filter(|name| !found.contains_key(**name)).collect();
    assert_eq!(unknown, [&""; 0]);
}

#[test]
fn the_attributed_touch_is_the_models() {
    let check = |rule: Rule, expected: [Option<&str>; 3]| {
        let fields = told_by(rule, golden(), contacted());
        assert_eq!(fields["attribution_model"], rule.model.name());
        let found = ["channel", "source", "campaign"]
            .map(|name| fields[&format!("attributed_{name}")].as_str());
        assert_eq!(found, expected, "{rule:?}");
    };
    let google = [Some("paid_search"), Some("google"), Some("brand-fr")];
    let linkedin = [Some("organic_social"), Some("linkedin"), None];
    let direct = [Some("direct"), Some("(direct)"), None];
    let days = |days| attribution::Days::new(days);
    let drop = attribution::Direct::Drop;
    check(Rule::new(Model::First), google);
    check(Rule::new(Model::Last), direct);
    check(Rule { direct: drop, ..Rule::new(Model::Last) }, linkedin);
    check(Rule::new(Model::LastNonDirect), linkedin);
    // ties go to the later touch
    check(Rule::new(Model::Linear), direct);
    check(Rule { direct: drop, ..Rule::new(Model::Linear) }, linkedin);
    check(Rule::new(Model::U), direct);
    check(Rule { look_back: days(10.0), ..Rule::new(Model::First) }, linkedin);
    check(Rule { look_back: days(0.001), ..Rule::new(Model::First) }, [None; 3]);
}

/// The four steps of a channel's drill-down.
fn check_drilldown(url: &str, referrer: &str, expected: [Option<&str>; 5]) {
    let url = format!("https://www.example.com/{url}");
    let fields = told(vec![page(0, &url, referrer, 0)], vec![conversion(1, 1_000, "")]);
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
        let fields = told(pages(), vec![conversion(1, day(converted_day), "")]);
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
    let fields = told(Vec::new(), vec![conversion(1, 1_000, "Contact us")]);
    assert_eq!(fields.len(), 121);
    for name in ["visits_count", "touchpoints_count", "days_to_convert", "first_click_source"] {
        assert_eq!(fields[name], Value::Null, "{name}");
    }
    assert_eq!(
        fields["journey_summary"],
        "1970-01-01 00:00 sent the form \"Contact us\" on /contact"
    );
}

/// The lines of a summary of so many touches, other sources one after the other.
fn summary_of(touches: i64, limit: usize) -> String {
    const HOUR: i64 = 60 * 60 * 1000;
    let source = |hour: i64| ["google", "bing"][usize::try_from(hour % 2).unwrap()];
    let url =
        |hour| format!("https://www.example.com/?utm_source={}&utm_campaign=a%0Ab", source(hour));
    let pages = (0..touches).map(|hour| page(hour * HOUR, &url(hour), "", 0)).collect();
    let lead = lead(touches * HOUR);
    let conversions = vec![conversion(1, touches * HOUR, "x")];
    summary::tell(&History::of_lead(&lead, &[(visitor(), pages)], conversions), limit)
}

#[test]
fn long_journeys_are_told_in_twenty_lines() {
    for (touches, lines, mark) in
        [(1, 2, ""), (19, 20, ""), (20, 20, "… 2 left out …"), (200, 20, "… 182 left out …")]
    {
        let told = summary_of(touches, 10_000);
        assert_eq!(told.lines().count(), lines, "{told}");
        assert_eq!(told.lines().nth(1).filter(|line| line.starts_with('…')).unwrap_or(""), mark);
        assert!(told.lines().last().unwrap().contains("sent the form"), "{told}");
        assert!(told.contains("campaign \"a b\""), "{told}");
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
    let fields = told(
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

#[test]
fn ten_thousand_touches_are_told() {
    let url = |number: i64| format!("https://www.example.com/?utm_source=s{number}");
    let pages = (0..10_000).map(|number| page(number * 1_000, &url(number), "", 0)).collect();
    let fields = told(pages, vec![conversion(1, 10_000_000, "")]);
    assert_eq!(fields["touchpoints_count"], 10_000);
    assert!(fields["journey_json"].as_str().unwrap().len() <= 10_000);
    assert!(fields["channel_path"].as_str().unwrap().contains("×10000"));
}

/// A lead of which everything that a stranger writes is the same text.
fn of_strangers(text: &str, times: &[i64], limit: usize) -> Map<String, Value> {
    let some = || Some(text.to_owned());
    let pages = times.iter().map(|at_ms| {
        let mut page = page(0, "https://www.example.com/?utm_source=a&gclid=b&fbclid=c", "", 0);
        page.at_ms = *at_ms;
        page.url = format!("https://www.example.com/{text}");
        let label = &mut page.label;
        label.source = format!("{text}{at_ms}");
        label.medium = text.to_owned();
        (label.campaign, label.term, label.content) = (some(), some(), some());
        label.referrer = Some(format!("https://news.example/?{text}"));
        label.referrer_host = Some(format!("{text}.example"));
        page.evidence.click_ids.iter_mut().for_each(|id| id.value = text.to_owned());
        page
    });
    let mut conversion = conversion(1, 5_000_000, text);
    (conversion.form_id, conversion.page_title) = (some(), some());
    conversion.page_url = Some(format!("https://www.example.com/{text}"));
    let mut lead = lead(5_000_000);
    lead.contact = Contact {
        email: some(),
        phone: some(),
        first_name: some(),
        last_name: some(),
        full_name: some(),
        company: some(),
        job_title: some(),
    };
    let history = History::of_lead(&lead, &[(visitor(), pages.collect())], vec![conversion]);
    let session = GaSession { id: text.to_owned(), number: None };
    let cookies =
        AdCookies { ga_client_id: some(), ga_session: Some(session), fbc: some(), fbp: some() };
    let browser = Browser {
        language: text,
        user_agent: text,
        consent: text,
        gpc: false,
        ad_cookies: Some(&cookies),
    };
    by_name(Subject {
        lead: &lead,
        history: &history,
        browser: Some(browser),
        hand_off: None,
        rule: Rule::new(Model::TimeDecay),
        long_text: limit,
    })
}

fn check_limits(fields: &Map<String, Value>, limit: usize) {
    for field in catalogue::catalogue() {
        let Some(text) = fields[&field.name].as_str() else { continue };
        let length = text.chars().count();
        let most = match field.kind {
            FieldKind::LongText | FieldKind::Json => limit,
            kind => kind.max_length().unwrap_or(usize::MAX),
        };
        assert!(length <= most, "{}: {length} of {most}", field.name);
        if let Some(words) = field.kind.values() {
            assert!(words.contains(&text), "{}: {text}", field.name);
        }
        match field.kind {
            FieldKind::Time => assert!(parse_rfc3339(text).is_some(), "{}: {text}", field.name),
            FieldKind::Json => {
                let touches: Vec<Value> = serde_json::from_str(text).unwrap();
                assert!(!touches.is_empty());
            }
            FieldKind::LongText => assert!(text.lines().count() <= 20, "{text}"),
            _ => {}
        }
    }
}

#[test]
fn limits_at_and_over_the_edge() {
    for length in [2, 3, 31, 32, 33, 63, 64, 65, 128, 129, 254, 255, 256, 511, 512, 513, 3_000] {
        for letter in ["a", "ä", "🎉", "%C3", "/"] {
            let fields = of_strangers(&letter.repeat(length), &[0, 2_000_000], 1_000);
            check_limits(&fields, 1_000);
            let phone = fields["phone"].as_str().unwrap();
            let whole = letter.chars().count() * length;
            assert_eq!(phone.chars().count(), whole.min(32), "{letter} {length}");
            assert_eq!(phone.ends_with('…'), whole > 32, "{letter} {length}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// No value exceeds its limit and nothing panics: any text, any times, none, equal, to come.
    #[test]
    fn no_value_exceeds_its_limit(
        text in "\\PC{0,40}|[\\s%/?&#:@\\[\\]\"\\\\\u{0}-\u{1f}\u{2028}]{0,700}",
        times in proptest::collection::vec(
            prop_oneof![Just(0), 0..5_000_000i64, Just(i64::MIN), Just(i64::MAX), any::<i64>()], 0..30),
        limit in 1_000..20_000usize,
    ) {
        check_limits(&of_strangers(&text, &times, limit), limit);
    }
}
