//! Builders for the tests of this crate and, with the feature `testing`, of others; not part of the product.

use crate::ids::EventId;
use crate::page_view::{PageView, Totals};
use crate::source::{InternalTags, Label, OwnHosts, Rules};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use url::Url;

/// A page view at a time. `origin` is `""` (nothing), `"own"` or `"excluded"` (such a referrer), a
/// `utm_source`, or as written: `"?query"`, `"https://referrer/"`, or both with a space between.
pub fn view(at_ms: i64, origin: &str) -> PageView {
    static RULES: LazyLock<Rules> = LazyLock::new(Rules::built_in);
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let mut random = [0; 10];
    random[2..].copy_from_slice(&SERIAL.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let (query, referrer) = match origin {
        "" => (String::new(), ""),
        "own" => (String::new(), "https://site.example/"),
        "excluded" => (String::new(), "https://www.paypal.com/"),
        referrer if referrer.starts_with("https:") => (String::new(), referrer),
        query if query.starts_with('?') => {
            let (query, referrer) = query.split_once(' ').unwrap_or((query, ""));
            (query.to_owned(), referrer)
        }
        source => (format!("?utm_source={source}"), ""),
    };
    let url = Url::parse(&format!("https://site.example/{query}")).unwrap();
    let evidence = RULES.evidence(&url, referrer, "");
    let label: Label =
        RULES.label(&evidence, "", &OwnHosts::new(["site.example"]), InternalTags::Ignore);
    PageView {
        id: EventId::new(at_ms, random),
        at_ms,
        received_at_ms: at_ms,
        url: url.into(),
        title: String::new(),
        totals: Totals::default(),
        evidence,
        label,
        rules: 0,
        bot: None,
    }
}
