//! How batches are sent, what responses do, and what is stored between pages.

use super::Tracker;
use crate::{
    browser::{Browser, Transport},
    identity::values,
    pieces::cut_at,
    queue::Take,
    schedule::{NEVER, Verdict},
};
use alloc::string::String;
use shared::wire::encode::Header;

/// The localStorage key of the queue.
const QUEUE: &str = "clew_q";
/// The localStorage key of the token, which is stored after its visitor's id.
const TOKEN: &str = "clew_t";

impl<B: Browser> Tracker<B> {
    /// When a batch can be sent. Only one is in flight at a time, unless the page is about to go
    /// away.
    pub(super) fn send_at(&self) -> i64 {
        let blocked = !self.consent.may_send() || self.queue.is_in_flight();
        if blocked { NEVER } else { self.schedule.due_at() }
    }

    /// Sends one batch, if there are events and the collector did not ask to wait.
    pub(super) fn flush(&mut self, now: i64, take: Take) {
        if !self.consent.may_send() {
            return;
        }
        if self.page.is_new_to(&self.identity.visitor) {
            self.push_page_view();
            self.measure();
            self.fill_forms();
        }
        if self.schedule.must_wait(now) {
            return;
        }
        let transport = match take {
            _ if !self.consent.may_store() => Transport::Bare,
            Take::All => Transport::Beacon,
            Take::Waiting => Transport::Fetch,
        };
        let batch = self.schedule.next_batch();
        self.queue.take(batch, take);
        if self.queue.batch(batch).next().is_none() {
            return;
        }
        let readable = self.ad_cookies && self.consent.may_store();
        let cookies = if readable { self.browser.cookies() } else { String::new() };
        let cookie = |name| values(&cookies, name).next().unwrap_or_default();
        let body = Header {
            site: &self.site,
            visitor: &self.identity.visitor,
            sent_at_ms: now,
            cookie_domain: &self.identity.domain,
            consent: self.consent.word(),
            gpc: self.gpc,
            dnt: self.dnt,
            webdriver: self.webdriver,
            ga: cookie("_ga="),
            // The property's name comes before the value.
            ga_session: cut_at(cookie("_ga_"), b'=').1.unwrap_or_default(),
            fbc: cookie("_fbc="),
            fbp: cookie("_fbp="),
            language: &self.language,
            transport: if transport == Transport::Beacon { "beacon" } else { "fetch" },
            sender: "module",
        }
        .batch(self.queue.batch(batch));
        self.browser.post(batch, transport, &body);
    }

    /// Handles a batch's response or failure.
    pub(super) fn answer(
        &mut self,
        now: i64,
        batch: u32,
        status: u32,
        token: &str,
        retry_after: u32,
    ) {
        if self.consent.refused() {
            // A response in flight may just have renewed the cookie.
            self.browser.forget();
            return;
        }
        let verdict = Verdict::of(status);
        self.schedule.answered(now, verdict, retry_after);
        match verdict {
            Verdict::Failed => self.queue.release(batch),
            Verdict::Accepted | Verdict::Refused => self.queue.settle(batch),
        }
        if self.queue.has_waiting() {
            self.schedule.at_once(now);
        }
        if !token.is_empty() {
            self.hold_token(token);
            self.fill_forms();
            if self.consent.may_store() {
                let mut value = self.identity.visitor.clone();
                value.push_str(token);
                self.browser.save(TOKEN, &value);
            }
        }
    }

    /// The token that an earlier page received for this visitor.
    pub(super) fn stored_token(&self) -> Option<String> {
        let stored = self.browser.load(TOKEN);
        let token = stored.strip_prefix(&*self.identity.visitor);
        token.filter(|token| !token.is_empty()).map(String::from)
    }

    /// Sets the token; an empty one removes it everywhere.
    pub(super) fn hold_token(&mut self, token: &str) {
        if token != self.token {
            self.token = token.into();
            self.browser.publish_token(token);
            if token.is_empty() {
                self.browser.fill_forms(token);
            }
        }
    }

    /// Writes the token into the page's forms, but only once the page has finished loading: a
    /// framework that hydrates server-rendered markup does not expect extra fields.
    pub(super) fn fill_forms(&self) {
        if !self.token.is_empty() && self.loaded {
            self.browser.fill_forms(&self.token);
        }
    }

    /// Takes over the events that earlier pages could not send.
    pub(super) fn adopt_queue(&mut self) {
        self.queue.adopt(&self.owner(), &self.browser.load(QUEUE));
    }

    /// Stores unacknowledged events for the next page.
    pub(super) fn store_queue(&mut self) {
        if !self.consent.may_store() {
            self.queue.skip_store();
        } else if self.queue.is_changed() {
            let owner = self.owner();
            let text = self.queue.store(&owner, &self.browser.load(QUEUE));
            self.browser.save(QUEUE, &text);
        }
    }

    /// The owner of the stored queue's events.
    fn owner(&self) -> String {
        let mut owner = self.site.clone();
        owner += " ";
        owner.push_str(&self.identity.visitor);
        owner
    }
}
