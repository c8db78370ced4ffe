//! The events that no answer has covered yet.
//!
//! Memory is the truth for this page. localStorage keeps a copy that the next page adopts; several
//! tabs share it, so every write reads first and changes only what this tab knows about. An event
//! that two tabs send is stored once, because its id is its key.

use crate::pieces::pieces;
use alloc::{string::String, vec::Vec};

/// Events and bytes that wait at most; beyond them the oldest are given up.
const EVENTS: usize = 200;
const BYTES: usize = 48 * 1024;
/// Events and bytes of one batch. Browsers allow 64 KiB for all `keepalive` requests under way.
const BATCH_EVENTS: usize = 50;
const BATCH_BYTES: usize = 30 * 1024;
/// The batch of entries that are done with.
const DONE: u32 = u32::MAX;

/// An event opens with its id: this, then 36 characters.
const OPENING: &str = "{\"id\":\"";
const ID_LENGTH: usize = 36;

/// Which events go into a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Take {
    /// Those that are not under way, the oldest first.
    Waiting,
    /// All that nothing has answered, the newest first: the page is going away.
    All,
}

/// One event, as the line that is stored: `-` and its JSON, or for the totals of a page view, which
/// replace its earlier ones, `=`, the page view's id, and the JSON.
#[derive(Debug)]
struct Entry {
    line: String,
    /// The batch that it is under way in; 0 where it waits.
    batch: u32,
}

impl Entry {
    fn new(line: &str) -> Self {
        Self { line: line.into(), batch: 0 }
    }

    /// The page view whose totals these are, or nothing.
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

    /// Whether a line that was found in the storage is one that a tracker put there.
    fn is_sound(&self) -> bool {
        self.json().starts_with(OPENING) && self.json().ends_with("}") && !self.id().is_empty()
    }
}

/// The unsent events of this page and of those before it.
#[derive(Default, Debug)]
pub(crate) struct Queue {
    entries: Vec<Entry>,
    /// Ids that are done with, one after the other, until the stored copy knows.
    settled: String,
    changed: bool,
}

impl Queue {
    /// Adds an event.
    pub(crate) fn push(&mut self, json: &str) {
        self.push_line("-", json);
    }

    /// Adds the totals of a page view in place of its earlier ones.
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
        // From the newest to the oldest: what is replaced, and what is too much, is done with.
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

    /// Marks events as under way in a batch.
    pub(crate) fn take(&mut self, batch: u32, take: Take) {
        let (mut events, mut bytes) = (0, 0);
        let count = self.entries.len();
        for place in 0..count {
            let newest_first = count - 1 - place;
            let index = if take == Take::All { newest_first } else { place };
            let Some(entry) = self.entries.get_mut(index) else { return };
            let wanted = take == Take::All || entry.batch == 0;
            // The first goes however long it is.
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

    /// A batch was answered for good: its events are stored, or will never be.
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

    /// A batch did not arrive: its events wait again. Batch 0 stands for all.
    pub(crate) fn release(&mut self, batch: u32) {
        for entry in &mut self.entries {
            if batch == 0 || entry.batch == batch {
                entry.batch = 0;
            }
        }
    }

    /// Whether there is enough for a batch.
    pub(crate) fn fills_batch(&self) -> bool {
        self.entries.len() >= BATCH_EVENTS
    }

    /// Whether any event waits to be sent.
    pub(crate) fn has_waiting(&self) -> bool {
        self.entries.iter().any(|entry| entry.batch == 0)
    }

    /// Whether any batch has yet to be answered.
    pub(crate) fn is_under_way(&self) -> bool {
        self.entries.iter().any(|entry| entry.batch != 0)
    }

    /// There is no stored copy that would have to know what is done with.
    pub(crate) fn skip_store(&mut self) {
        self.settled.clear();
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes over what earlier pages left. Another owner's events (another site on this origin, a
    /// visitor whose cookie is gone) are not sent in this one's name.
    pub(crate) fn adopt(&mut self, owner: &str, stored: &str) {
        let mut all = self.foreign(owner, stored);
        all.append(&mut self.entries);
        self.entries = all;
    }

    /// Whether the stored copy has to be written again.
    pub(crate) fn is_changed(&self) -> bool {
        self.changed
    }

    /// The text to store in place of `stored`; empty where nothing is left.
    pub(crate) fn store(&mut self, owner: &str, stored: &str) -> String {
        let mut text = String::from(owner);
        let mut bytes: usize = self.entries.iter().map(|entry| entry.line.len()).sum();
        // Other tabs' events come first. They are left out when the whole grows too long.
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

    /// The stored events that this page neither has nor is done with.
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

    /// Whether an event, or totals of its page, are here, or were.
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
