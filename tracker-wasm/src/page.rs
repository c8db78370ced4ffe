//! The current page view: its URL, and when a new URL is a new page view.

use crate::pieces::{cut_at, pieces};
use alloc::string::String;
use shared::{
    ids::EventId,
    limits,
    wire::{
        Kind,
        encode::{Event, cut},
    },
};

/// How many bytes of form names a page view remembers; no page made for people needs more.
const FORMS_BYTES: usize = 2_000;

/// The prefixes of campaign tags; the loader has the same ones.
const CAMPAIGN_TAGS: [&str; 3] = ["utm_", "mtm_", "pk_"];

/// One page view.
#[derive(Debug)]
pub(crate) struct Page {
    /// The page view's event id, to which all its other events refer.
    pub(crate) id: EventId,
    at_ms: i64,
    address: String,
    referrer: String,
    /// The visitor that the page view was queued for. If the visitor changes, after a change of
    /// consent, it must be queued again.
    announced_for: String,
    /// The names of focused forms, each after a line break.
    focused_forms: String,
}

impl Page {
    /// Creates a page view; `referrer` is empty for all but the first.
    pub(crate) fn new(id: EventId, at_ms: i64, address: &str, referrer: &str) -> Self {
        Self {
            id,
            at_ms,
            address: address.into(),
            referrer: cut(referrer, limits::URL_BYTES).into(),
            announced_for: String::new(),
            focused_forms: String::new(),
        }
    }

    /// Whether a URL is the same page: path and query matter, the fragment does not.
    pub(crate) fn is_at(&self, address: &str) -> bool {
        place(&self.address) == place(address)
    }

    /// The page view as an event to be queued for this visitor.
    pub(crate) fn announce(&mut self, visitor: &str, title: &str) -> String {
        self.announced_for = visitor.into();
        let mut event = Event::new(self.id, self.at_ms, self.id, Kind::PageView);
        event.url = to_report(&self.address);
        event.referrer = &self.referrer;
        event.title = cut(title, limits::TEXT_BYTES);
        event.to_json()
    }

    /// Whether the page view has not been queued for this visitor.
    pub(crate) fn is_new_to(&self, visitor: &str) -> bool {
        self.announced_for != visitor
    }

    /// Whether this is the form's first focus on this page view.
    pub(crate) fn first_focus(&mut self, form: &str) -> bool {
        let first = self.focused_forms.len() < FORMS_BYTES
            && pieces(&self.focused_forms, b'\n').skip(1).all(|known| known != form);
        if first {
            self.focused_forms += "\n";
            self.focused_forms.push_str(form);
        }
        first
    }
}

fn place(address: &str) -> &str {
    cut_at(address, b'#').0
}

/// The URL as reported. Fragments more often hold app state and secrets than evidence, so one is
/// kept only if it has campaign tags.
fn to_report(address: &str) -> &str {
    let fragment = cut_at(address, b'#').1.unwrap_or_default();
    let tagged = CAMPAIGN_TAGS
        .iter()
        .any(|tag| fragment.as_bytes().windows(tag.len()).any(|part| part == tag.as_bytes()));
    cut(if tagged { address } else { place(address) }, limits::URL_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_another_page() {
        let check = |from: &str, to: &str, same: bool| {
            let page = Page::new(EventId::new(1, [1; 10]), 1, from, "");
            assert_eq!(page.is_at(to), same, "{from} {to}");
        };
        check("https://a.example/x", "https://a.example/x", true);
        check("https://a.example/x#top", "https://a.example/x#end", true);
        check("https://a.example/x#/a", "https://a.example/x", true);
        check("https://a.example/x", "https://a.example/y", false);
        check("https://a.example/x", "https://a.example/x?p=1", false);
        check("https://a.example/x?p=1", "https://a.example/x?p=2#a", false);
    }

    #[test]
    fn what_is_reported() {
        let long = "https://a.example/".to_owned() + &"é".repeat(5_000);
        let check = |address: &str, expected: &str| assert_eq!(to_report(address), expected);
        check("https://a.example/x?gclid=1#token=secret", "https://a.example/x?gclid=1");
        check("https://a.example/#utm_source=news", "https://a.example/#utm_source=news");
        check("https://a.example/#a&mtm_campaign=x", "https://a.example/#a&mtm_campaign=x");
        check("https://a.example/#pk_kwd=x", "https://a.example/#pk_kwd=x");
        check("https://a.example/#", "https://a.example/");
        check("https://a.example/#utm", "https://a.example/");
        check(&long, &long[..8_192]);
    }

    #[test]
    fn a_form_is_focused_once() {
        let mut page = Page::new(EventId::new(1, [1; 10]), 1, "", "");
        assert!(page.first_focus("contact"));
        assert!(!page.first_focus("contact"));
        assert!(page.first_focus(""));
    }

    #[test]
    fn a_page_view_is_announced_once_for_each_visitor() {
        let mut page =
            Page::new(EventId::new(1, [1; 10]), 5, "https://a.example/#x", "https://b.example/");
        let id = page.id.to_text();
        assert!(page.is_new_to("one"));
        let json = page.announce("one", "Home");
        assert_eq!(
            json,
            std::format!(
                "{{\"id\":\"{id}\",\"at\":5,\"page\":\"{id}\",\"kind\":\"page_view\",\
                 \"url\":\"https://a.example/\",\"referrer\":\"https://b.example/\",\"title\":\"Home\"}}"
            )
        );
        assert!(!page.is_new_to("one") && page.is_new_to("other"));
    }
}
