//! Builders for what browsers send, with the tracker's own encoder.

use shared::ids::{EventId, VisitorId};
use shared::wire::Kind;
use shared::wire::encode::{Event, Header};

/// The site in every test.
pub const SITE: &str = "demo";
/// Its home page.
pub const HOME: &str = "https://www.example.com/";

/// A new visitor's id.
pub fn new_visitor() -> VisitorId {
    VisitorId::from_random(rand::random())
}

/// A new event's id.
pub fn new_event(at_ms: i64) -> EventId {
    EventId::new(at_ms, rand::random())
}

/// A page view as JSON.
pub fn view(id: EventId, at_ms: i64, url: &str, referrer: &str) -> String {
    let mut event = Event::new(id, at_ms, id, Kind::PageView);
    event.url = url;
    event.referrer = referrer;
    event.title = "Home";
    event.to_json()
}

/// A page view's running totals as JSON.
pub fn engagement(page: EventId, at_ms: i64, engaged_ms: u32, scroll_pct: u8) -> String {
    let mut event = Event::new(new_event(at_ms), at_ms, page, Kind::Engagement);
    event.engaged_ms = engaged_ms;
    event.scroll_pct = scroll_pct;
    event.to_json()
}

/// A departure from a page view to a host, as JSON.
pub fn departure(page: EventId, at_ms: i64, host: &str) -> String {
    let mut event = Event::new(new_event(at_ms), at_ms, page, Kind::Departure);
    event.host = host;
    event.to_json()
}

/// A batch for the test site from events that are already JSON.
pub fn batch(visitor: &str, sent_at_ms: i64, events: &[String]) -> String {
    let header = Header { site: SITE, visitor, sent_at_ms, sender: "module", ..Header::default() };
    header.batch(events.iter().map(String::as_str))
}
