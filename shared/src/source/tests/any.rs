//! Properties of any URL and referrer.

use super::*;
use crate::limits;
use proptest::prelude::*;

proptest! {
    /// Any URL and referrer give a label within the limits, without a panic.
    #[test]
    fn any_address(query in "\\PC{0,80}", fragment in "\\PC{0,30}", referrer in "\\PC{0,80}") {
        let text = format!("https://www.site.example/?{query}#{fragment}");
        let Ok(url) = Url::parse(&text) else { return Ok(()) };
        bounded(&url, &referrer)?;
    }

    #[test]
    fn addresses_that_look_like_some(
        pairs in proptest::collection::vec(("(utm_source|utm_medium|gclid|FBCLID|ref|source|mtm_campaign|_hsenc|q|x)", "(%[0-9a-fA-F]{2}|[a-zA-Z0-9%+&=]){0,12}"), 0..8),
        host in "[a-z0-9.-]{0,20}",
        path in "[a-z/%]{0,20}",
        scheme in "(https|http|android-app|ftp|javascript)",
    ) {
        let query: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let url = Url::parse(&format!("https://www.site.example/?{}", query.join("&"))).unwrap();
        bounded(&url, &format!("{scheme}://{host}{path}?{}", query.join("&")))?;
    }

    /// A label depends only on its evidence: the stored evidence gives the same label again.
    #[test]
    fn stored_evidence_gives_the_same_label(query in "(utm_source=[a-z.]{0,9}&)?(utm_medium=[a-z]{0,5}&)?(gclid=[A-Z]{0,3})?", host in "(google.com|t.co|blog.example|paypal.com)") {
        let url = Url::parse(&format!("https://www.site.example/?{query}")).unwrap();
        let own = OwnHosts::new(["site.example"]);
        let evidence = RULES.evidence(&url, &format!("https://{host}/x?q=a"), "");
        let stored: Evidence = serde_json::from_str(&serde_json::to_string(&evidence).unwrap()).unwrap();
        prop_assert_eq!(RULES.label(&evidence, "", &own, InternalTags::Ignore), RULES.label(&stored, "", &own, InternalTags::Ignore));
    }
}

fn bounded(url: &Url, referrer: &str) -> Result<(), TestCaseError> {
    let evidence = RULES.evidence(url, referrer, "");
    let label = RULES.label(&evidence, "", &OwnHosts::new(["site.example"]), InternalTags::Ignore);
    for tag in
        [Some(&label.source), Some(&label.medium), label.campaign.as_ref(), label.keyword.as_ref()]
    {
        prop_assert!(tag.is_none_or(|tag| tag.len() <= 2 * limits::TAG_BYTES));
    }
    prop_assert!(label.click_id.is_none_or(|id| id.value.len() <= limits::CLICK_ID_BYTES));
    let clean = RULES.clean_url(url);
    prop_assert!(clean.len() <= limits::STORED_URL_BYTES);
    prop_assert!(!clean.contains("utm_source="));
    Ok(())
}
