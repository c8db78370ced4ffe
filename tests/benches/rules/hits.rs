//! What the benchmark's visitors do.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::ids::{ConversionId, EventId, LeadId, SiteId, VisitorId};
use shared::lead::{
    Contact, Conversion, ConversionKind, FoundBy, Join, JoinEvidence, JourneyState, Lead, NamedBy,
};
use shared::page_view::{PageView, Totals};
use shared::source::{InternalTags, OwnHosts, Rules};
use std::collections::HashSet;
use url::Url;

const START_MS: i64 = 1_795_255_200_000;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// Typical landing pages and referrers: tagged, with click ids, from search, shared, internal,
/// direct.
pub(crate) const HITS: [(&str, &str); 10] = [
    (
        "https://www.example.com/pricing?utm_source=google&utm_medium=cpc&utm_campaign=brand-fr&utm_term=attribution%20software&utm_content=ad-a&gclid=EAIaIQobChMI8v6ZkrX_hQMVmkdBAh1nDgXkEAAYASAAEgKQ5vD_BwE&gad_source=1",
        "https://www.google.com/",
    ),
    ("https://www.example.com/", "https://www.google.co.uk/"),
    (
        "https://www.example.com/blog/first-party?fbclid=IwAR0aXk3mQ8Jc2xq1b6yZ",
        "https://l.facebook.com/",
    ),
    ("https://www.example.com/blog/first-party", "https://www.linkedin.com/feed/"),
    ("https://www.example.com/contact", "https://www.example.com/pricing"),
    ("https://www.example.com/", ""),
    ("https://www.example.com/docs?page=2&sort=name", "https://chatgpt.com/"),
    (
        "https://www.example.com/lp/spring?utm_source=newsletter&utm_medium=email&utm_campaign=2026-11&mc_cid=4f2a",
        "https://mail.google.com/mail/u/0/",
    ),
    ("https://www.example.com/thank-you", "https://checkout.stripe.com/c/pay"),
    (
        "https://www.example.com/docs/install",
        "https://blog.someone.co.uk/2026/11/tools-we-like?page=3",
    ),
];

/// Page views of one visitor, who comes from another source for every touch.
pub(crate) fn page_views(count: i64, touches: i64) -> Vec<PageView> {
    let rules = Rules::built_in();
    let own = OwnHosts::new(["www.example.com"]);
    let each = count / touches;
    let view = |index: i64| {
        let (touch, page) = (index / each, index % each);
        let (address, referrer) = match page {
            0 => {
                let source =
                    ["google", "bing", "linkedin", "newsletter", "partner"][touch as usize % 5];
                let tags =
                    format!("?utm_source={source}&utm_medium=cpc&utm_campaign=campaign-{touch}");
                (format!("https://www.example.com/pricing{tags}"), "https://www.google.com/")
            }
            page => {
                (format!("https://www.example.com/docs/{page}"), "https://www.example.com/pricing")
            }
        };
        let url = Url::parse(&address).expect("an address");
        let evidence = rules.evidence(&url, referrer, USER_AGENTS[0].1);
        let at_ms = START_MS + touch * 6 * HOUR_MS + page * MINUTE_MS;
        PageView {
            id: EventId::new(at_ms, [index as u8; 10]),
            at_ms,
            received_at_ms: at_ms,
            url: rules.clean_url(&url),
            title: "Pricing and plans".to_owned(),
            totals: Totals {
                engaged_ms: 20_000,
                scroll_pct: 60,
                active_at_ms: at_ms + 20_000,
                ..Totals::default()
            },
            label: rules.label(&evidence, "", &own, InternalTags::Ignore),
            evidence,
            rules: rules.hash(),
            bot: None,
        }
    };
    (0..count).map(view).collect()
}

/// The lead that the visitor becomes, with its conversion.
pub(crate) fn lead() -> (Lead, Conversion) {
    let at_ms = START_MS + 90 * 24 * HOUR_MS;
    let contact = Contact {
        email: Some("lead@example.com".to_owned()),
        first_name: Some("First".to_owned()),
        company: Some("Example".to_owned()),
        ..Contact::default()
    };
    let visitor = VisitorId::from_random([7; 16]);
    let conversion = Conversion {
        id: ConversionId::new(at_ms, [1; 10]),
        number: 1,
        at_ms,
        kind: ConversionKind::Form,
        visitor: Some(visitor),
        journey: JourneyState::Known,
        contact: contact.clone(),
        form_id: Some("contact".to_owned()),
        form_name: Some("Contact us".to_owned()),
        page_url: Some("https://www.example.com/contact".to_owned()),
        page_title: Some("Contact".to_owned()),
        context: None,
        raw: Vec::new(),
    };
    let by = JoinEvidence { person: FoundBy::New, visitor: NamedBy::Cookie };
    let join = Join::new(visitor, &conversion, by);
    let (id, site) = (LeadId::new(at_ms, [2; 10]), SiteId::parse("demo").expect("a site"));
    let lead = Lead { contact, joins: vec![join], conversions: 1, ..Lead::new(id, site, at_ms) };
    (lead, conversion)
}

/// User agents, by kind.
pub(crate) const USER_AGENTS: [(&str, &str); 3] = [
    (
        "person",
        "Mozilla/5.0 (Linux; Android 14; SM-S921B; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/142.0.0.0 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/530.0.0.48.74;]",
    ),
    ("crawler", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    ("library", "curl/8.5.0"),
];

/// Distinct paths of one to ten touches, each with its number of conversions.
pub(crate) fn paths(count: usize, channels: usize) -> Vec<(Vec<usize>, f64)> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut paths = HashSet::new();
    while paths.len() < count {
        let length = random.random_range(1..=10);
        paths.insert((0..length).map(|_| random.random_range(0..channels)).collect::<Vec<_>>());
    }
    paths
        .into_iter()
        .map(|path| {
            let conversions = path.len() as f64;
            (path, conversions)
        })
        .collect()
}
