//! Properties of any lead's fields: no value exceeds its limit, whatever strangers send.

use super::*;
use catalogue::FieldKind;
use proptest::prelude::*;

#[test]
fn ten_thousand_touches_are_told() {
    let url = |number: i64| format!("https://www.example.com/?utm_source=s{number}");
    let pages = (0..10_000).map(|number| page(number * 1_000, &url(number), "", 0)).collect();
    let fields = fields_of(pages, vec![conversion(1, 10_000_000, "")]);
    assert_eq!(fields["touchpoints_count"], 10_000);
    assert!(fields["journey_json"].as_str().unwrap().len() <= 10_000);
    assert!(fields["channel_path"].as_str().unwrap().contains("×10000"));
}

/// A lead whose values from strangers are all the same text.
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
        first_name_kana: None,
        last_name_kana: None,
        company: some(),
        job_title: some(),
    };
    let session = GaSession { id: text.to_owned(), number: None };
    let ad_cookies =
        AdCookies { ga_client_id: some(), ga_session: Some(session), fbc: some(), fbp: some() };
    conversion.context = Some(VisitorContext {
        language: text.to_owned(),
        user_agent: text.to_owned(),
        consent: text.to_owned(),
        ad_cookies,
        ..VisitorContext::default()
    });
    let history = History::of_lead(&lead, &[(visitor(), pages.collect())], vec![conversion]);
    by_name(Subject {
        lead: &lead,
        history: &history,
        life_cycle: &LifeCycle::of(lead.created_at_ms, []),
        deals: &[],
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

    /// No value exceeds its limit and nothing panics, with any text and any times: missing, equal
    /// or in the future.
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
