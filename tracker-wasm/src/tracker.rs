//! The tracker: what each signal means for the page view, its totals, consent and the timer.
//!
//! [`events`] has the events that signals produce, [`batches`] how batches are sent and what
//! responses do.

mod batches;
mod events;
#[cfg(test)]
mod tests;

use crate::{
    browser::{Attention, Browser},
    consent::Consent,
    engagement::Ledger,
    identity::Identity,
    opening::{AD_COOKIES, DNT, GPC, LOADED, Opening, SECURE, WEBDRIVER},
    page::Page,
    queue::{Queue, Take},
    schedule::{NEVER, Schedule},
    signal::Signal,
};
use alloc::string::String;
use shared::ids::EventId;

/// All state of the tracker on this page.
pub(crate) struct Tracker<B> {
    browser: B,
    site: String,
    language: String,
    host: String,
    secure: bool,
    gpc: bool,
    dnt: bool,
    webdriver: bool,
    ad_cookies: bool,
    consent: Consent,
    identity: Identity,
    page: Page,
    ledger: Ledger,
    queue: Queue,
    schedule: Schedule,
    /// The sealed token; empty until the collector has sent one.
    token: String,
    /// Whether the page has finished loading, so that its height and forms are final.
    loaded: bool,
    /// When the timer is due.
    wake_at: i64,
}

impl<B: Browser> Tracker<B> {
    /// Starts on a page opened at `opened`.
    pub(crate) fn start(browser: B, opening: &Opening<'_>, opened: i64, now: i64) -> Self {
        let id = EventId::parse(opening.id).unwrap_or_else(|| events::id(&browser, opened));
        let mut tracker = Self {
            site: opening.site.into(),
            language: opening.language.into(),
            host: opening.host.into(),
            secure: opening.is(SECURE),
            gpc: opening.is(GPC),
            dnt: opening.is(DNT),
            webdriver: opening.is(WEBDRIVER),
            ad_cookies: opening.is(AD_COOKIES) && !opening.is(GPC),
            consent: Consent::new(opening.consent, opening.decision),
            identity: Identity::passing(&browser),
            page: Page::new(id, opened, opening.address, opening.referrer),
            ledger: Ledger::new(opened, browser.attention() == Attention::Focused),
            queue: Queue::default(),
            schedule: Schedule::new(),
            token: String::new(),
            loaded: opening.is(LOADED),
            wake_at: NEVER,
            browser,
        };
        tracker.ledger.advance(now);
        tracker.consent_changed(now);
        tracker.settle(now);
        tracker
    }

    /// Handles a signal.
    pub(crate) fn hear(&mut self, signal: Signal<'_>, now: i64) {
        self.ledger.advance(now);
        match signal {
            Signal::Input => self.ledger.input(now),
            Signal::Scroll => {
                self.ledger.input(now);
                self.ledger.see(self.browser.seen());
            }
            Signal::Attention => self.attention(now),
            Signal::Leave => {
                self.ledger.attend(now, false);
                self.measure();
                self.report(now);
                self.flush(now, Take::All);
            }
            Signal::Restored(address) => {
                self.queue.release(0);
                self.open(now, address);
                self.schedule.at_once(now);
            }
            Signal::Loaded => {
                self.loaded = true;
                self.measure();
                self.fill_forms();
            }
            Signal::Online => self.schedule.reachable(),
            Signal::Wake => self.wake_at = NEVER,
            Signal::Navigate(address) => self.navigate(now, address),
            Signal::FormFocus(form) => self.form_focus(now, form),
            Signal::FormSubmit(form) => self.form_submit(now, form),
            Signal::Answer { batch, status, token, retry_after } => {
                self.answer(now, batch, status, token, retry_after);
            }
            Signal::Consent(word) => {
                let before = self.consent;
                self.consent.decide(word);
                if self.consent != before {
                    self.consent_changed(now);
                }
            }
            Signal::Depart(host) => self.depart(now, host),
            Signal::Custom(name, props) => self.custom(now, name, props),
            Signal::Identify(contact) => self.identify(now, contact),
        }
        self.settle(now);
    }

    /// After every signal: report and send what is due, store what changed, set the timer.
    fn settle(&mut self, now: i64) {
        if self.ledger.is_due() {
            self.report(now);
            self.schedule.at_once(now);
        }
        if self.queue.fills_batch() {
            self.schedule.at_once(now);
        }
        if self.send_at() <= now {
            self.flush(now, Take::Waiting);
        }
        self.store_queue();
        let wake_at = self.send_at().min(self.ledger.due_at(now).unwrap_or(NEVER));
        if wake_at != self.wake_at && wake_at != NEVER {
            self.wake_at = wake_at;
            self.browser.wake_after((wake_at - now).max(0));
        }
    }

    /// Applies a change of consent.
    fn consent_changed(&mut self, now: i64) {
        if self.consent.refused() {
            self.queue.clear();
            self.hold_token("");
            self.browser.forget();
            // A later grant is for a new visitor.
            self.identity = Identity::passing(&self.browser);
            return;
        }
        if self.consent.may_store() {
            let before = self.identity.visitor.clone();
            self.identity.keep(&self.browser, &self.host, self.secure);
            self.adopt_queue();
            if let Some(token) = self.stored_token() {
                self.hold_token(&token);
            } else if self.identity.visitor != before {
                self.hold_token("");
            }
        }
        self.fill_forms();
        self.schedule.at_once(now);
    }

    fn attention(&mut self, now: i64) {
        let attention = self.browser.attention();
        self.ledger.attend(now, attention == Attention::Focused);
        if attention == Attention::Hidden {
            // On phones this is often the last event of a page.
            self.measure();
            self.report(now);
            self.flush(now, Take::Waiting);
        }
    }

    /// The page's script changed the URL: only another path or query is a new page view.
    fn navigate(&mut self, now: i64, address: &str) {
        if !self.page.is_at(address) {
            self.push_page_view();
            self.report(now);
            self.open(now, address);
            self.schedule.soon(now);
        }
    }

    /// Starts another page view in the same document.
    fn open(&mut self, now: i64, address: &str) {
        self.page = Page::new(events::id(&self.browser, now), now, address, "");
        self.ledger = Ledger::new(now, self.browser.attention() == Attention::Focused);
    }

    /// Measures how much of the page is seen, once it has finished loading: before that, it is no
    /// higher than its window.
    fn measure(&mut self) {
        if self.loaded {
            self.ledger.see(self.browser.seen());
        }
    }
}
