//! The queue of events that the collector has not acknowledged.
//!
//! For this page the queue in memory counts. localStorage keeps a copy for the next page. Several
//! tabs share it, so every write reads first and changes only the events that this tab knows. An
//! event sent by two tabs is stored once, because its id is its key.

use crate::pieces::pieces;
use alloc::{string::String, vec::Vec};

/// The most events and bytes in the queue; beyond that the oldest are dropped.
const EVENTS: usize = 200;
const BYTES: usize = 48 * 1024;
/// The most events and bytes in one batch. Browsers allow 64 KiB for all pending `keepalive`
/// requests.
const BATCH_EVENTS: usize = 50;
const BATCH_BYTES: usize = 30 * 1024;
/// The batch number of entries to be removed.
const DONE: u32 = u32::MAX;

/// An event's JSON starts with its id: this text, then 36 characters.
const OPENING: &str = "{\"id\":\"";
const ID_LENGTH: usize = 36;

/// Which events go into a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Take {
    /// Those not in flight, oldest first.
    Waiting,
    /// All that are not acknowledged, newest first: the page is going away.
    All,
}

/// One event as its stored line: `-` and the JSON; or, for the totals of a page view, which replace
/// earlier totals, `=`, the page view's id and the JSON.
#[derive(Debug)]
struct Entry {
    line: String,
    /// The batch in which it is in flight; 0 if it waits.
    batch: u32,
}

impl Entry {
    fn new(line: &str) -> Self {
        Self { line: line.into(), batch: 0 }
    }

    /// The id of the page view if these are totals; otherwise empty.
    fn replaces(&self) -> &str {
        let length = if self.line.starts_with("=") { ID_LENGTH } else { 0 };
        self.line.get(1..=length).unwrap_or_default()
    }

    fn json(&self) -> &str {
        self.line.get(1 + self.replaces().len()..).unwrap_or_default()
    }

    fn id(&self) -> &str {
        self.json().get(OPENING.len()..OPENING.len() + ID_LENGTH).unwrap_or_default()
    }

    /// Whether a line from storage is a valid entry.
    fn is_sound(&self) -> bool {
        self.json().starts_with(OPENING) && self.json().ends_with("}") && !self.id().is_empty()
    }
}

/// The unacknowledged events of this page and earlier ones.
#[derive(Default, Debug)]
pub(crate) struct Queue {
    entries: Vec<Entry>,
    /// The ids of removed events, concatenated, until the stored copy has been updated.
    settled: String,
    changed: bool,
}

impl Queue {
    /// Adds an event.
    pub(crate) fn push(&mut self, json: &str) {
        self.push_line("-", json);
    }

    /// Adds the totals of a page view, replacing earlier ones.
    pub(crate) fn push_totals(&mut self, page: &str, json: &str) {
        let mut mark = String::from("=");
        mark.push_str(page);
        self.push_line(&mark, json);
    }

    fn push_line(&mut self, mark: &str, json: &str) {
        let mut new = Entry::new(mark);
        let replaces = String::from(new.replaces());
        new.line.push_str(json);
        self.entries.push(new);
        // From newest to oldest: entries that are replaced or exceed the limits are removed.
        let (mut events, mut bytes) = (0, 0);
        for (index, entry) in self.entries.iter_mut().rev().enumerate() {
            events += 1;
            bytes += entry.line.len();
            let replaced = index > 0 && !replaces.is_empty() && entry.replaces() == replaces;
            if replaced || events > EVENTS || bytes > BYTES {
                entry.batch = DONE;
            }
        }
        self.changed = true;
        self.settle(DONE);
    }

    /// Marks events as in flight in a batch.
    pub(crate) fn take(&mut self, batch: u32, take: Take) {
        let (mut events, mut bytes) = (0, 0);
        let count = self.entries.len();
        for place in 0..count {
            let newest_first = count - 1 - place;
            let index = if take == Take::All { newest_first } else { place };
            let Some(entry) = self.entries.get_mut(index) else { return };
            let wanted = take == Take::All || entry.batch == 0;
            // The first one is sent whatever its length.
            let fits =
                events == 0 || (events < BATCH_EVENTS && bytes + entry.line.len() < BATCH_BYTES);
            if wanted && fits {
                events += 1;
                bytes += entry.line.len();
                entry.batch = batch;
            }
        }
    }

    /// The JSON of a batch's events, oldest first.
    pub(crate) fn batch(&self, batch: u32) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(move |entry| entry.batch == batch).map(Entry::json)
    }

    /// Removes a batch's events: they are stored, or never will be.
    pub(crate) fn settle(&mut self, batch: u32) {
        let settled = &mut self.settled;
        self.entries.retain(|entry| {
            let keep = entry.batch != batch;
            if !keep {
                settled.push_str(entry.id());
            }
            keep
        });
        self.changed |= !self.settled.is_empty();
    }

    /// Returns a failed batch's events to waiting; batch 0 means all batches.
    pub(crate) fn release(&mut self, batch: u32) {
        for entry in &mut self.entries {
            if batch == 0 || entry.batch == batch {
                entry.batch = 0;
            }
        }
    }

    /// Whether there are enough events for a full batch.
    pub(crate) fn fills_batch(&self) -> bool {
        self.entries.len() >= BATCH_EVENTS
    }

    /// Whether any event waits to be sent.
    pub(crate) fn has_waiting(&self) -> bool {
        self.entries.iter().any(|entry| entry.batch == 0)
    }

    /// Whether any batch is in flight.
    pub(crate) fn is_in_flight(&self) -> bool {
        self.entries.iter().any(|entry| entry.batch != 0)
    }

    /// Forgets removed ids when there is no stored copy to update.
    pub(crate) fn skip_store(&mut self) {
        self.settled.clear();
    }

    /// Removes everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes over events that earlier pages left. Events of another owner (another site on this
    /// origin, or a visitor whose cookie is gone) are ignored.
    pub(crate) fn adopt(&mut self, owner: &str, stored: &str) {
        let mut all = self.foreign(owner, stored);
        all.append(&mut self.entries);
        self.entries = all;
    }

    /// Whether the stored copy must be rewritten.
    pub(crate) fn is_changed(&self) -> bool {
        self.changed
    }

    /// The text that replaces `stored`; empty if no events are left.
    pub(crate) fn store(&mut self, owner: &str, stored: &str) -> String {
        let mut text = String::from(owner);
        let mut bytes: usize = self.entries.iter().map(|entry| entry.line.len()).sum();
        // Other tabs' events come first, and are left out when the text gets too long.
        let mut all = self.foreign(owner, stored);
        all.retain(|entry| {
            bytes += entry.line.len();
            bytes < BYTES
        });
        for entries in [&all, &self.entries] {
            for entry in entries {
                text += "\n";
                text.push_str(&entry.line);
            }
        }
        self.changed = false;
        self.settled.clear();
        if text.len() == owner.len() { String::new() } else { text }
    }

    /// The stored events that this page neither has nor has removed.
    fn foreign(&self, owner: &str, stored: &str) -> Vec<Entry> {
        let mut lines = pieces(stored, b'\n');
        let mut foreign = Vec::new();
        if lines.next() == Some(owner) {
            for line in lines {
                let entry = Entry::new(line);
                if entry.is_sound() && !self.knows(&entry) {
                    foreign.push(entry);
                }
            }
        }
        foreign
    }

    /// Whether this page has or had the event, or has newer totals of its page view.
    fn knows(&self, other: &Entry) -> bool {
        let id = other.id().as_bytes();
        self.settled.as_bytes().chunks(ID_LENGTH).any(|settled| settled == id)
            || self.entries.iter().any(|entry| {
                entry.id() == other.id()
                    || (!entry.replaces().is_empty() && entry.replaces() == other.replaces())
            })
    }
}

#[cfg(test)]
mod tests;
