//! The collector's side of the wire format: parses a batch; each event is then judged on its own.
//!
//! A batch that is not JSON of this shape is refused as a whole. A single invalid event is dropped
//! on its own, because the others are still part of a journey.

use super::Kind;
use super::encode::cut;
use crate::ids::EventId;
use crate::lead::Contact;
use crate::limits;
use crate::outcome::DropReason;
use crate::source::parse_host;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A batch. Unknown members are ignored.
#[derive(Deserialize)]
pub struct Batch<'a> {
    /// The version of the wire format.
    pub v: u32,
    /// The site's name as sent.
    #[serde(borrow)]
    pub site: Cow<'a, str>,
    /// The visitor as sent; absent or empty if the browser keeps none.
    #[serde(borrow, default)]
    pub visitor: Cow<'a, str>,
    /// Unix milliseconds by the browser's clock.
    pub sent_at: i64,
    /// The domain that the tracker's cookie was set on; empty for the host alone.
    #[serde(borrow, default)]
    pub cookie_domain: Cow<'a, str>,
    /// `granted`, `denied` or empty.
    #[serde(borrow, default)]
    pub consent: Cow<'a, str>,
    /// Global Privacy Control.
    #[serde(default)]
    pub gpc: bool,
    /// Do Not Track.
    #[serde(default)]
    pub dnt: bool,
    /// `navigator.language`.
    #[serde(borrow, default)]
    pub language: Cow<'a, str>,
    /// Whether the browser says that a program controls it (`navigator.webdriver`).
    #[serde(default)]
    pub webdriver: bool,
    /// The cookie `_ga`, if the page's script tag lets the tracker read it; the same holds for the
    /// next three.
    #[serde(borrow, default)]
    pub ga: Cow<'a, str>,
    /// The first cookie `_ga_…`.
    #[serde(borrow, default)]
    pub ga_session: Cow<'a, str>,
    /// The cookie `_fbc`.
    #[serde(borrow, default)]
    pub fbc: Cow<'a, str>,
    /// The cookie `_fbp`.
    #[serde(borrow, default)]
    pub fbp: Cow<'a, str>,
    /// `module`, `loader` or `pixel`.
    #[serde(borrow, default)]
    pub sender: Cow<'a, str>,
    /// The events; each is parsed on its own.
    #[serde(borrow)]
    pub events: Vec<&'a RawValue>,
}

impl<'a> Batch<'a> {
    /// Parses a request body.
    ///
    /// # Errors
    /// [`DropReason::TooLarge`], [`DropReason::Malformed`] or [`DropReason::UnsupportedVersion`].
    pub fn parse(body: &'a [u8]) -> Result<Self, DropReason> {
        if body.len() > limits::BODY_BYTES {
            return Err(DropReason::TooLarge);
        }
        let text = std::str::from_utf8(body).map_err(|_| DropReason::Malformed)?;
        match serde_json::from_str::<Self>(text) {
            Ok(batch) if batch.v == super::VERSION => Ok(batch),
            Ok(_) => Err(DropReason::UnsupportedVersion),
            // In another version everything but `v` may look different.
            Err(_) => match serde_json::from_str::<Version>(text) {
                Ok(Version { v }) if v != super::VERSION => Err(DropReason::UnsupportedVersion),
                _ => Err(DropReason::Malformed),
            },
        }
    }
}

/// The only member that all versions share.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// An event whose types and ranges are valid. Its time is still the browser's.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// The event's own id.
    pub id: EventId,
    /// Unix milliseconds by the browser's clock.
    pub at_ms: i64,
    /// The page view it belongs to; for a page view its own id.
    pub page: EventId,
    /// What it reports.
    pub body: Body,
}

/// What an event reports.
#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    /// A page was shown.
    PageView {
        /// The page's address.
        url: String,
        /// The referrer; empty if unknown.
        referrer: String,
        /// The page's title.
        title: String,
    },
    /// Running totals of the page.
    Engagement {
        /// Engaged milliseconds so far.
        engaged_ms: u32,
        /// The largest part seen so far, 0 to 100.
        scroll_pct: u8,
    },
    /// The page was left for another host.
    Departure {
        /// In the form of [`parse_host`], at most `limits::HOST_BYTES`.
        host: String,
    },
    /// A form was focused or submitted.
    Form {
        /// The form's id or name.
        form: String,
        /// `focus` or `submit`.
        step: String,
    },
    /// A custom event of the site.
    Custom {
        /// Its name.
        name: String,
        /// Its properties as JSON text; empty if there are none.
        props: String,
    },
    /// The page identified the person.
    Identify {
        /// The contact as the page sent it. It is not normalised yet, because parsing a phone
        /// number is expensive.
        contact: Contact,
        /// The form it came from; empty if it came from no form.
        form: String,
        /// The site's signature of the contact, or empty.
        signature: String,
    },
}

/// The contact in an identify event.
#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    signature: String,
    #[serde(flatten)]
    contact: Contact,
}

/// The event as it is on the wire. All numbers are integers.
#[derive(Deserialize)]
struct RawEvent<'a> {
    id: &'a str,
    at: i64,
    #[serde(default)]
    page: Option<&'a str>,
    kind: Kind,
    #[serde(default)]
    url: String,
    #[serde(default)]
    referrer: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    engaged_ms: i64,
    #[serde(default)]
    scroll_pct: i64,
    #[serde(default)]
    host: &'a str,
    #[serde(default)]
    form: String,
    #[serde(default)]
    name: String,
    #[serde(borrow, default)]
    props: Option<&'a RawValue>,
    #[serde(default)]
    contact: Option<Named>,
}

impl Event {
    /// Parses and validates one event of a batch.
    ///
    /// # Errors
    /// [`DropReason::InvalidEvent`] or [`DropReason::TooLong`].
    pub fn parse(raw: &RawValue) -> Result<Self, DropReason> {
        let raw: RawEvent<'_> =
            serde_json::from_str(raw.get()).map_err(|_| DropReason::InvalidEvent)?;
        let id = EventId::parse(raw.id).ok_or(DropReason::InvalidEvent)?;
        let page = match raw.page {
            Some(page) => EventId::parse(page).ok_or(DropReason::InvalidEvent)?,
            None => id,
        };
        let is_view = raw.kind == Kind::PageView;
        if raw.at < 0 || (is_view && page != id) || (!is_view && page == id) {
            return Err(DropReason::InvalidEvent);
        }
        Ok(Self { id, at_ms: raw.at, page, body: body(raw)? })
    }
}

fn body(raw: RawEvent<'_>) -> Result<Body, DropReason> {
    let text = |value: String, limit: usize| match value.len() <= limit {
        true => Ok(value),
        false => Err(DropReason::TooLong),
    };
    Ok(match raw.kind {
        Kind::PageView if raw.url.is_empty() => return Err(DropReason::InvalidEvent),
        Kind::PageView => Body::PageView {
            url: text(raw.url, limits::URL_BYTES)?,
            referrer: text(raw.referrer, limits::URL_BYTES)?,
            title: text(raw.title, limits::TEXT_BYTES)?,
        },
        Kind::Engagement => Body::Engagement {
            engaged_ms: within(raw.engaged_ms, limits::ENGAGED_MS)?,
            scroll_pct: within(raw.scroll_pct, 100)?,
        },
        Kind::Departure => {
            let host = parse_host(raw.host).ok_or(DropReason::InvalidEvent)?;
            Body::Departure { host: cut(&host, limits::HOST_BYTES).to_owned() }
        }
        Kind::Form if !matches!(raw.name.as_str(), "focus" | "submit") => {
            return Err(DropReason::InvalidEvent);
        }
        Kind::Form => Body::Form { form: text(raw.form, limits::TEXT_BYTES)?, step: raw.name },
        Kind::Custom if raw.name.is_empty() => return Err(DropReason::InvalidEvent),
        Kind::Custom => {
            let props = raw.props.map(RawValue::get).unwrap_or_default();
            Body::Custom {
                name: text(raw.name, limits::TEXT_BYTES)?,
                props: text(props.into(), limits::PROPS_BYTES)?,
            }
        }
        Kind::Identify => {
            let Named { contact, signature } = raw.contact.ok_or(DropReason::InvalidEvent)?;
            let signature = text(signature, limits::TEXT_BYTES)?;
            Body::Identify { contact, form: text(raw.form, limits::TEXT_BYTES)?, signature }
        }
    })
}

fn within<T: TryFrom<i64>>(value: i64, most: i64) -> Result<T, DropReason> {
    if !(0..=most).contains(&value) {
        return Err(DropReason::InvalidEvent);
    }
    T::try_from(value).map_err(|_| DropReason::InvalidEvent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::encode;
    use proptest::prelude::*;

    const ID: &str = "0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11";
    const PAGE: &str = "0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c12";

    fn check(json: &str, expected: Result<(), DropReason>) {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        assert_eq!(Event::parse(raw).map(drop), expected, "{json}");
    }

    #[test]
    fn single_events() {
        use DropReason::{InvalidEvent, TooLong};
        let long = "x".repeat(limits::URL_BYTES + 1);
        check(&format!(r#"{{"id":"{ID}","at":1,"kind":"page_view","url":"https://a/"}}"#), Ok(()));
        for bad in ["null", "1", "[]", "\"x\"", "{}"] {
            check(bad, Err(InvalidEvent));
        }
        for members in [
            r#""id":"7","at":1,"kind":"page_view","url":"https://a/""#.to_owned(),
            format!(r#""id":"{ID}","at":"1","kind":"page_view","url":"https://a/""#),
            format!(r#""id":"{ID}","at":-1,"kind":"page_view","url":"https://a/""#),
            format!(r#""id":"{ID}","at":1.5,"kind":"page_view","url":"https://a/""#),
            format!(r#""id":"{ID}","at":1e400,"kind":"page_view","url":"https://a/""#),
            format!(r#""id":"{ID}","at":1,"kind":"page_view""#),
            format!(r#""id":"{ID}","at":1,"kind":"telepathy""#),
            format!(r#""id":"{ID}","at":1,"kind":"engagement""#),
            format!(r#""id":"{ID}","page":"{PAGE}","at":1,"kind":"engagement","engaged_ms":-1"#),
            format!(r#""id":"{ID}","page":"{PAGE}","at":1,"kind":"engagement","scroll_pct":101"#),
            format!(
                r#""id":"{ID}","page":"{PAGE}","at":1,"kind":"engagement","engaged_ms":86400001"#
            ),
            format!(r#""id":"{ID}","page":"{PAGE}","at":1,"kind":"departure""#),
            format!(r#""id":"{ID}","page":"{PAGE}","at":1,"kind":"departure","host":"a b""#),
            format!(r#""id":"{ID}","at":1,"kind":"departure","host":"pay.test""#),
            format!(r#""id":"{ID}","page":"{PAGE}","at":1,"kind":"form","name":"steal""#),
            format!(r#""id":"{ID}","page":"{PAGE}","at":1,"kind":"custom""#),
            format!(r#""id":"{ID}","page":"{PAGE}","at":1,"kind":"identify""#),
            format!(r#""id":"{ID}","page":"{PAGE}","at":1,"kind":"identify","contact":"x""#),
        ] {
            check(&format!("{{{members}}}"), Err(InvalidEvent));
        }
        check(
            &format!(r#"{{"id":"{ID}","at":1,"kind":"page_view","url":"{long}"}}"#),
            Err(TooLong),
        );
    }

    #[test]
    fn departures() {
        let check = |host: &str, expected: &str| {
            let json = format!(
                r#"{{"id":"{ID}","page":"{PAGE}","at":1,"kind":"departure","host":"{host}"}}"#
            );
            let event = Event::parse(serde_json::from_str(&json).unwrap());
            let expected = Body::Departure { host: expected.into() };
            assert_eq!(event.map(|event| event.body), Ok(expected), "{host}");
        };
        check("pay.test", "pay.test");
        check("WWW.Pay.Test.", "pay.test");
        check("bücher.test", "xn--bcher-kva.test");
        check("192.0.2.1", "192.0.2.1");
        check("[2001:DB8::1]", "[2001:db8::1]");
        check(&"a".repeat(300), &"a".repeat(limits::HOST_BYTES));
    }

    #[test]
    fn whole_batches() {
        let reason = |body: &[u8]| Batch::parse(body).err();
        assert_eq!(reason(b"{"), Some(DropReason::Malformed));
        assert_eq!(reason(b"\xff\xfe"), Some(DropReason::Malformed));
        assert_eq!(
            reason(br#"{"v":1,"site":"a","sent_at":NaN,"events":[]}"#),
            Some(DropReason::Malformed)
        );
        assert_eq!(
            reason(br#"{"v":2,"site":"a","sent_at":1,"events":[]}"#),
            Some(DropReason::UnsupportedVersion)
        );
        assert_eq!(reason(br#"{"v":2,"s":"a"}"#), Some(DropReason::UnsupportedVersion));
        assert_eq!(reason(&vec![b' '; limits::BODY_BYTES + 1]), Some(DropReason::TooLarge));
        assert_eq!(
            reason(br#"{"v":1,"site":"a","sent_at":1,"events":[{"x":[]}],"future":{}}"#),
            None
        );
    }

    proptest! {
        /// The collector reads what the browser wrote, for any texts.
        #[test]
        fn encode_then_decode(url in "\\PC{1,40}", title in any::<String>(), at in 0..i64::MAX, site in any::<String>()) {
            let id = EventId::parse(ID).unwrap();
            let mut event = encode::Event::new(id, at, id, Kind::PageView);
            event.url = &url;
            event.title = &title;
            let header = encode::Header { site: &site, sent_at_ms: at, gpc: true, ..encode::Header::default() };
            let json = header.batch([event.to_json().as_str()].into_iter());
            let batch = serde_json::from_str::<Batch<'_>>(&json);
            if site.is_empty() {
                prop_assert!(batch.is_err());
                return Ok(());
            }
            let batch = batch.unwrap();
            prop_assert_eq!(batch.site.as_ref(), site.as_str());
            prop_assert_eq!((batch.sent_at, batch.gpc, batch.dnt), (at, true, false));
            let expected = Body::PageView { url, referrer: String::new(), title };
            prop_assert_eq!(Event::parse(batch.events[0]).unwrap(), Event { id, at_ms: at, page: id, body: expected });
        }

        /// No input makes the parser panic.
        #[test]
        fn any_bytes(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(batch) = Batch::parse(&body) {
                batch.events.iter().for_each(|raw| drop(Event::parse(raw)));
            }
        }
    }
}
