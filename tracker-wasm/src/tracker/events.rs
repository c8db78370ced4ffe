//! The events that signals produce.

use super::Tracker;
use crate::{browser::Browser, queue::Take};
use shared::{
    ids::EventId,
    limits,
    wire::{
        Kind,
        encode::{Event, cut},
    },
};

impl<B: Browser> Tracker<B> {
    /// Queues the page view, unless it has been queued. The title is read this late because
    /// single-page apps set it after the URL.
    pub(super) fn push_page_view(&mut self) {
        let visitor = &self.identity.visitor;
        if !self.consent.refused() && self.page.is_new_to(visitor) {
            let json = self.page.announce(visitor, &self.browser.title());
            self.queue.push(&json);
        }
    }

    /// Queues the page's totals if they have grown.
    pub(super) fn report(&mut self, now: i64) {
        if let Some((engaged_ms, scroll_pct)) = self.ledger.report() {
            let mut event = self.event(now, Kind::Engagement);
            event.at_ms = self.ledger.engaged_until();
            event.engaged_ms = engaged_ms;
            event.scroll_pct = scroll_pct;
            self.push(now, &event);
        }
    }

    /// A form's first focus is an event; every focus is a chance to fill new forms.
    pub(super) fn form_focus(&mut self, now: i64, form: &str) {
        self.ledger.input(now);
        self.fill_forms();
        let form = cut(form, limits::TEXT_BYTES);
        if self.page.first_focus(form) {
            self.form_event(now, "focus", form);
        }
    }

    /// A submit usually ends the page, so everything is sent now.
    pub(super) fn form_submit(&mut self, now: i64, form: &str) {
        self.ledger.input(now);
        self.fill_forms();
        self.form_event(now, "submit", cut(form, limits::TEXT_BYTES));
        self.measure();
        self.report(now);
        self.flush(now, Take::Waiting);
    }

    fn form_event(&mut self, now: i64, step: &str, form: &str) {
        let mut event = self.event(now, Kind::Form);
        event.name = step;
        event.form = form;
        self.push(now, &event);
    }

    /// The page is left for another host. The event is sent when the page ends.
    pub(super) fn depart(&mut self, now: i64, host: &str) {
        let mut event = self.event(now, Kind::Departure);
        event.host = host;
        self.push(now, &event);
    }

    /// `clew('event', name, props)`.
    pub(super) fn custom(&mut self, now: i64, name: &str, props: &str) {
        let mut event = self.event(now, Kind::Custom);
        event.name = cut(name, limits::TEXT_BYTES);
        event.props = object(props);
        if !name.is_empty() {
            self.push(now, &event);
        }
    }

    /// `clew('identify', contact)`: a lead, so it is sent at once.
    pub(super) fn identify(&mut self, now: i64, contact: &str) {
        let mut event = self.event(now, Kind::Identify);
        event.contact = object(contact);
        if !event.contact.is_empty() {
            self.push(now, &event);
            self.schedule.at_once(now);
        }
    }

    fn event(&self, now: i64, kind: Kind) -> Event<'static> {
        Event::new(id(&self.browser, now), now, self.page.id, kind)
    }

    fn push(&mut self, now: i64, event: &Event<'_>) {
        if !self.consent.refused() {
            let json = event.to_json();
            if event.kind == Kind::Engagement {
                self.queue.push_totals(&event.page.to_text(), &json);
            } else {
                self.queue.push(&json);
            }
            self.schedule.soon(now);
        }
    }
}

/// A new event id.
pub(super) fn id(browser: &impl Browser, now: i64) -> EventId {
    EventId::new(now, *browser.random_bytes().first_chunk().unwrap_or(&[0; 10]))
}

/// The text if it is a JSON object within the limit of the wire format; otherwise empty.
fn object(json: &str) -> &str {
    if json.starts_with("{") && json.len() <= limits::PROPS_BYTES { json } else { "" }
}
