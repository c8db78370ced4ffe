//! Attacks by what batches say.

use super::Field;
use crate::http::batch_from;
use crate::person::EMAIL;
use clew_core::Clock;
use serde_json::json;
use shared::ids::VisitorId;
use shared::limits::DAY_MS;
use shared::wire::Kind;
use shared::wire::encode::Event;
use std::rc::Rc;
use tests::wire::{HOME, batch, engagement, new_event, new_visitor, view};

/// Page views of one batch: as many as it may have, but for an identify.
const BATCH: usize = 249;
const CONNECTIONS: usize = 32;

fn now_ms() -> i64 {
    Clock::system().now_ms()
}

fn views(count: usize) -> Vec<String> {
    views_at(count, now_ms())
}

fn views_at(count: usize, at_ms: i64) -> Vec<String> {
    (0..count).map(|_| view(new_event(at_ms), at_ms, HOME, "")).collect()
}

/// That the visitor is the known person, and what the stranger would like to be known of it.
fn identify() -> String {
    let contact = json!({ "email": EMAIL, "last_name": "Stranger", "phone": "+33142685300" });
    let (now_ms, contact) = (now_ms(), contact.to_string());
    let (id, page) = (new_event(now_ms), new_event(now_ms));
    let mut event = Event::new(id, now_ms, page, Kind::Identify);
    event.contact = &contact;
    event.to_json()
}

fn send(field: &Field, number: usize, visitor: VisitorId, events: &[String]) -> String {
    batch_from(&field.client(number), &batch(&visitor.to_text(), now_ms(), events))
}

/// So many browsers of so many batches, the last of which names the person, again and again.
pub(super) async fn one_email(field: Rc<Field>, browsers: usize, batches: usize) {
    let visitors: Vec<_> = (0..browsers).map(|_| new_visitor()).collect();
    let sender = Rc::clone(&field);
    let request = move |number: usize| {
        let (browser, part) = (number / batches % browsers, number % batches);
        let mut events = views(BATCH);
        if part + 1 == batches {
            events.push(identify());
        }
        send(&sender, browser, visitors[browser], &events)
    };
    field.flood(CONNECTIONS, usize::MAX, request).await;
}

/// Fills a visitor with hours of page views, then raises the first one's engagement by a millisecond each
/// time.
pub(super) async fn raised(field: Rc<Field>) {
    const FILL: usize = 10_000 / BATCH;
    let begin_ms = now_ms() - DAY_MS / 2;
    let (visitor, first) = (new_visitor(), new_event(begin_ms));
    let sender = Rc::clone(&field);
    let request = move |number: usize| {
        let at_ms = begin_ms + number as i64;
        let events = match number {
            0 => vec![view(first, begin_ms, HOME, "")],
            1..=FILL => views_at(BATCH, begin_ms + number as i64 * 60_000),
            _ => vec![engagement(first, at_ms, number as u32, 50)],
        };
        send(&sender, number, visitor, &events)
    };
    field.flood(CONNECTIONS, usize::MAX, request).await;
}

/// Once, with a click that would be the person's first.
pub(super) async fn back_dated(field: Rc<Field>) {
    let sender = Rc::clone(&field);
    let request = move |number| {
        let long_ago_ms = now_ms() - 29 * DAY_MS;
        let url = "https://www.example.com/?utm_source=stranger&utm_medium=cpc";
        let events = [view(new_event(long_ago_ms), long_ago_ms, url, ""), identify()];
        send(&sender, number, new_visitor(), &events)
    };
    field.flood(1, 1, request).await;
}

/// A page view and an identify in each of 500 browsers.
pub(super) async fn joins(field: Rc<Field>) {
    let sender = Rc::clone(&field);
    let request = move |number| {
        let events = [views(1), vec![identify()]].concat();
        send(&sender, number, new_visitor(), &events)
    };
    field.flood(CONNECTIONS, 500, request).await;
}

/// One browser that names the person again and again.
pub(super) async fn conversions(field: Rc<Field>) {
    let (sender, visitor) = (Rc::clone(&field), new_visitor());
    let request = move |number| {
        let events = if number == 0 { views(1) } else { vec![identify()] };
        send(&sender, number, visitor, &events)
    };
    field.flood(CONNECTIONS, 18_700, request).await;
}

/// Full batches, each of a new visitor.
pub(super) async fn page_views(field: Rc<Field>) {
    let sender = Rc::clone(&field);
    let request = move |number| send(&sender, number, new_visitor(), &views(BATCH));
    field.flood(CONNECTIONS, usize::MAX, request).await;
}
