//! A lead with all fields, checked one by one.

use super::*;
use std::collections::HashMap;

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
    let mut found = fields_of(golden(), contacted());
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
        let fields = fields_by(rule, golden(), contacted());
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
