//! The webhooks that the CRM has received: one delivery per webhook id, and every attempt.
//!
//! Kept in memory and bounded. The same webhook id again is a repeat, never a second record.

use crate::crm::payload::Message;
use crate::settings::Clock;
use serde::Serialize;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The most attempts kept; beyond that the oldest is dropped.
const ATTEMPTS_CAPACITY: usize = 20_000;

/// The most deliveries kept; beyond that the oldest is dropped, and a repeat of it would be stored
/// again.
const DELIVERIES_CAPACITY: usize = 10_000;

/// The longest id kept of a refused request.
const MAX_ID: usize = 200;

/// An accepted webhook.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Delivery {
    pub webhook_id: String,
    /// When it first arrived.
    pub received_at_ms: i64,
    /// How often it was accepted, including repeats.
    pub attempts: u32,
    pub body: Value,
}

/// One request to `/webhook`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// As sent; with status 401 it is not verified.
    pub webhook_id: Option<String>,
    pub at_ms: i64,
    pub status: u16,
    /// Why it was refused; `None` if it was accepted.
    pub reason: Option<String>,
}

/// A delivery with its parsed message, for the pages.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) webhook_id: String,
    pub(crate) received_at_ms: i64,
    pub(crate) attempts: u32,
    pub(crate) message: Message,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    New,
    Repeat,
}

pub(crate) struct Book {
    now: Clock,
    pages: Mutex<Pages>,
    attempts_seen: watch::Sender<u64>,
}

#[derive(Default)]
struct Pages {
    received: VecDeque<Received>,
    /// The index in `received` by webhook id, counted from the first ever.
    places: HashMap<String, usize>,
    dropped: usize,
    attempts: VecDeque<Attempt>,
    failing: Option<u16>,
}

impl Book {
    pub(crate) fn new(now: Clock) -> Self {
        Self { now, pages: Mutex::default(), attempts_seen: watch::Sender::new(0) }
    }

    pub(crate) fn now_ms(&self) -> i64 {
        (self.now)()
    }

    pub(crate) fn set_failing(&self, status: Option<u16>) {
        self.lock().failing = status;
    }

    pub(crate) fn failing(&self) -> Option<u16> {
        self.lock().failing
    }

    /// Stores a verified message, or counts it as a repeat.
    pub(crate) fn take(&self, webhook_id: &str, now_ms: i64, message: Message) -> Receipt {
        let mut pages = self.lock();
        let taken = pages.take(webhook_id, now_ms, message);
        pages.note(Attempt {
            webhook_id: Some(webhook_id.to_owned()),
            at_ms: now_ms,
            status: 200,
            reason: None,
        });
        drop(pages);
        self.attempts_seen.send_modify(|count| *count += 1);
        taken
    }

    /// Records a refused attempt.
    pub(crate) fn refused(&self, webhook_id: Option<&str>, status: u16, reason: &str) {
        // With status 401 the id is from a stranger and may be of any length.
        let webhook_id = webhook_id.map(|id| id.chars().take(MAX_ID).collect());
        let reason = Some(reason.to_owned());
        self.lock().note(Attempt { webhook_id, at_ms: self.now_ms(), status, reason });
        self.attempts_seen.send_modify(|count| *count += 1);
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.attempts_seen.subscribe()
    }

    /// Oldest first.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.lock().received.iter().cloned().collect()
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        let delivery = |received: &Received| Delivery {
            webhook_id: received.webhook_id.clone(),
            received_at_ms: received.received_at_ms,
            attempts: received.attempts,
            body: received.message.body.clone(),
        };
        self.lock().received.iter().map(delivery).collect()
    }

    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.lock().attempts.iter().cloned().collect()
    }

    /// Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn take(&mut self, webhook_id: &str, now_ms: i64, message: Message) -> Receipt {
        let known = self.places.get(webhook_id).map(|place| place - self.dropped);
        if let Some(known) = known.and_then(|place| self.received.get_mut(place)) {
            known.attempts += 1;
            if known.message.body != message.body {
                tracing::warn!(webhook_id, "a repeat has a different body");
            }
            return Receipt::Repeat;
        }
        if self.received.len() == DELIVERIES_CAPACITY
            && let Some(oldest) = self.received.pop_front()
        {
            self.places.remove(&oldest.webhook_id);
            self.dropped += 1;
        }
        self.places.insert(webhook_id.to_owned(), self.dropped + self.received.len());
        let webhook_id = webhook_id.to_owned();
        self.received.push_back(Received {
            webhook_id,
            received_at_ms: now_ms,
            attempts: 1,
            message,
        });
        Receipt::New
    }

    fn note(&mut self, attempt: Attempt) {
        if self.attempts.len() == ATTEMPTS_CAPACITY {
            self.attempts.pop_front();
        }
        self.attempts.push_back(attempt);
    }
}
