//! The browser's side of the wire format: writes events and batches as JSON text.
//!
//! Written by hand, because a JSON library would double the size of the module that every visitor
//! downloads. Events are encoded once and queued as text; a batch is a header around the queued
//! texts.

use super::{Kind, VERSION};
use crate::ids::{EventId, digit};
use alloc::string::String;

/// An event as the tracker knows it. Empty strings and zero totals are left out.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// The event's id, made by the browser; it never changes.
    pub id: EventId,
    /// Unix milliseconds by the browser's clock.
    pub at_ms: i64,
    /// The page view that the event belongs to; for a page view its own id.
    pub page: EventId,
    /// What is reported.
    pub kind: Kind,
    /// The page's address.
    pub url: &'a str,
    /// `document.referrer`, only on the page view that entered the site.
    pub referrer: &'a str,
    /// The page's title.
    pub title: &'a str,
    /// Engaged milliseconds of the page so far.
    pub engaged_ms: u32,
    /// The largest part of the page seen so far, 0 to 100.
    pub scroll_pct: u8,
    /// The host that the page was left for.
    pub host: &'a str,
    /// A form's id or name.
    pub form: &'a str,
    /// The form step or the name of the custom event.
    pub name: &'a str,
    /// The custom event's properties, already JSON.
    pub props: &'a str,
    /// The contact of an identify event, already JSON.
    pub contact: &'a str,
}

impl Event<'_> {
    /// An event with only its id, time, page view and kind.
    pub fn new(id: EventId, at_ms: i64, page: EventId, kind: Kind) -> Self {
        Event {
            id,
            at_ms,
            page,
            kind,
            url: "",
            referrer: "",
            title: "",
            engaged_ms: 0,
            scroll_pct: 0,
            host: "",
            form: "",
            name: "",
            props: "",
            contact: "",
        }
    }

    /// The event as a JSON object.
    pub fn to_json(&self) -> String {
        let mut object = Object::new();
        object.text("id", &self.id.to_text());
        object.number("at", self.at_ms);
        object.text("page", &self.page.to_text());
        object.text("kind", self.kind.as_str());
        object.text("url", self.url);
        object.text("referrer", self.referrer);
        object.text("title", self.title);
        if self.kind == Kind::Engagement {
            object.number("engaged_ms", i64::from(self.engaged_ms));
            object.number("scroll_pct", i64::from(self.scroll_pct));
        }
        object.text("host", self.host);
        object.text("form", self.form);
        object.text("name", self.name);
        object.raw("props", self.props);
        object.raw("contact", self.contact);
        object.close()
    }
}

/// A batch's members other than its events. Empty strings are left out.
#[derive(Clone, Debug, Default)]
pub struct Header<'a> {
    /// The site's name, from `data-site`.
    pub site: &'a str,
    /// The visitor's UUID; empty if the browser keeps none.
    pub visitor: &'a str,
    /// When the batch was sent, Unix milliseconds by the browser's clock.
    pub sent_at_ms: i64,
    /// The domain that the cookie was set on; empty for the host alone.
    pub cookie_domain: &'a str,
    /// `granted`, `denied`, or empty if consent was never asked for.
    pub consent: &'a str,
    /// The Global Privacy Control signal.
    pub gpc: bool,
    /// The Do Not Track signal.
    pub dnt: bool,
    /// `navigator.webdriver`.
    pub webdriver: bool,
    /// The cookie `_ga`, if the tracker may read it; the same holds for the next three.
    pub ga: &'a str,
    /// The first cookie `_ga_…`.
    pub ga_session: &'a str,
    /// The cookie `_fbc`.
    pub fbc: &'a str,
    /// The cookie `_fbp`.
    pub fbp: &'a str,
    /// `navigator.language`.
    pub language: &'a str,
    /// `fetch` or `beacon`.
    pub transport: &'a str,
    /// `module` or `loader`: which of the two sends the batch.
    pub sender: &'a str,
}

impl Header<'_> {
    /// The batch as a JSON object; `events` are already JSON.
    pub fn batch<'e>(&self, events: impl Iterator<Item = &'e str>) -> String {
        let mut object = Object::new();
        object.number("v", i64::from(VERSION));
        object.text("site", self.site);
        object.text("visitor", self.visitor);
        object.number("sent_at", self.sent_at_ms);
        object.text("cookie_domain", self.cookie_domain);
        object.text("consent", self.consent);
        object.flag("gpc", self.gpc);
        object.flag("dnt", self.dnt);
        object.flag("webdriver", self.webdriver);
        object.text("ga", self.ga);
        object.text("ga_session", self.ga_session);
        object.text("fbc", self.fbc);
        object.text("fbp", self.fbp);
        object.text("language", self.language);
        object.text("transport", self.transport);
        object.text("sender", self.sender);
        let mut list = String::from("[");
        for event in events {
            if list.len() > 1 {
                list += ",";
            }
            list.push_str(event);
        }
        list += "]";
        object.raw("events", &list);
        object.close()
    }
}

/// A JSON object being written. It is built from string slices only: `String::push` would pull in
/// the encoding of characters.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self(String::from("{"))
    }

    fn raw(&mut self, key: &str, json: &str) {
        if json.is_empty() {
            return;
        }
        self.0.push_str(if self.0.len() > 1 { ",\"" } else { "\"" });
        self.0.push_str(key);
        self.0.push_str("\":");
        self.0.push_str(json);
    }

    fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.raw(key, &quote(value));
        }
    }

    fn number(&mut self, key: &str, value: i64) {
        self.raw(key, &decimal(value));
    }

    fn flag(&mut self, key: &str, value: bool) {
        if value {
            self.raw(key, "true");
        }
    }

    fn close(mut self) -> String {
        self.0 += "}";
        self.0
    }
}

/// A JSON string.
pub fn quote(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json += "\"";
    let mut copied = 0;
    for (index, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        json.push_str(text.get(copied..index).unwrap_or_default());
        copied = index + 1;
        if byte < b' ' {
            json.push_str(if byte < 16 { "\\u000" } else { "\\u001" });
            json.push_str(digit(usize::from(byte & 15)));
        } else {
            // The next slice starts with the character itself.
            json += "\\";
            copied = index;
        }
    }
    json.push_str(text.get(copied..).unwrap_or_default());
    json += "\"";
    json
}

/// A decimal integer; `core::fmt` would add more to the tracker than these lines.
pub fn decimal(value: i64) -> String {
    let mut text = String::with_capacity(20);
    if value < 0 {
        text += "-";
    }
    push_decimal(&mut text, value.unsigned_abs());
    text
}

fn push_decimal(text: &mut String, value: u64) {
    if value >= 10 {
        push_decimal(text, value / 10);
    }
    text.push_str(digit((value % 10) as usize));
}

/// The longest prefix of at most `limit` bytes that ends on a character boundary.
pub fn cut(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted() {
        let check = |text: &str, expected: &str| assert_eq!(quote(text), expected);
        check("", r#""""#);
        check("a/b é 😀", r#""a/b é 😀""#);
        check(r#"say "no""#, r#""say \"no\"""#);
        check("\\\\\"", r#""\\\\\"""#);
        check("a\nb\u{1f}\0", r#""a\u000ab\u001f\u0000""#);
        check("\u{7f}\u{2028}", "\"\u{7f}\u{2028}\"");
    }

    #[test]
    fn integers_are_decimal() {
        for value in [0, 7, 10, 99, 1_000, 1_764_000_000_000, -1, -305, i64::MAX, i64::MIN] {
            assert_eq!(decimal(value), alloc::format!("{value}"));
        }
    }

    #[test]
    fn cuts_end_at_characters() {
        let check = |text: &str, limit: usize, expected: &str| {
            assert_eq!(cut(text, limit), expected, "{text} {limit}");
        };
        check("abc", 5, "abc");
        check("abc", 2, "ab");
        check("aé", 2, "a");
        check("😀", 3, "");
    }
}
