//! Keeps submissions until the collector has accepted them, in a bounded list in memory.
//!
//! A real handler would use a database or a mailbox. Only waiting submissions are sent again.

use crate::contact::submission::{Submission, fresh_id};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most submissions kept. Beyond that the oldest settled one is removed, or else the oldest
/// one.
const CAPACITY: usize = 500;

/// The state of a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Not sent yet, or the collector was unavailable.
    Waiting,
    /// The collector accepted it as this lead.
    Accepted { lead_id: String },
    /// The collector refused it permanently.
    Refused { status: u16 },
}

/// One submission and its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredSubmission {
    pub submission: Submission,
    #[serde(flatten)]
    pub state: State,
}

#[derive(Default)]
pub(crate) struct Mailbox {
    kept: Mutex<VecDeque<StoredSubmission>>,
}

impl Mailbox {
    /// Stores a submission and returns it. The same form with the same content, as after a double
    /// click, is stored once. The same form with different content, for example sent again after a
    /// correction, is a second message that must not be lost as a repeat, so it gets its own id.
    pub(crate) fn keep(&self, mut submission: Submission) -> Submission {
        let mut kept = self.lock();
        if let Some(known) = kept.iter().find(|known| known.submission.id == submission.id) {
            if known.submission == submission {
                return submission;
            }
            submission.id = fresh_id();
        }
        if kept.len() == CAPACITY {
            let settled = kept.iter().position(|known| known.state != State::Waiting);
            if settled.is_none() {
                tracing::error!(
                    "too many submissions are waiting for the collector: the oldest was dropped"
                );
            }
            kept.remove(settled.unwrap_or(0));
        }
        kept.push_back(StoredSubmission { submission: submission.clone(), state: State::Waiting });
        submission
    }

    /// Sets the state of a submission; an accepted one stays accepted, whatever a repeat results
    /// in.
    pub(crate) fn settle(&self, id: &str, state: State) {
        let pending = |known: &&mut StoredSubmission| {
            known.submission.id == id && !matches!(known.state, State::Accepted { .. })
        };
        if let Some(known) = self.lock().iter_mut().find(pending) {
            known.state = state;
        }
    }

    pub(crate) fn waiting(&self) -> Vec<Submission> {
        let waiting = |known: &&StoredSubmission| known.state == State::Waiting;
        self.lock().iter().filter(waiting).map(|known| known.submission.clone()).collect()
    }

    pub(crate) fn all(&self) -> Vec<StoredSubmission> {
        self.lock().iter().cloned().collect()
    }

    /// Nothing panics while the lock is held, and the list would be intact even then.
    fn lock(&self) -> MutexGuard<'_, VecDeque<StoredSubmission>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contact::submission::Form;

    fn submission(id: &str, message: &str) -> Submission {
        let form = Form {
            email: "lead@example.com".into(),
            submission: id.into(),
            message: message.into(),
            ..Form::default()
        };
        Submission::new(&form, None, "http://site.example/contact".into()).unwrap()
    }

    #[test]
    fn a_double_click_is_one_and_a_correction_is_another() {
        let mailbox = Mailbox::default();
        let first = mailbox.keep(submission("a", "Hello"));
        assert_eq!(mailbox.keep(submission("a", "Hello")).id, first.id);
        assert_eq!(mailbox.all().len(), 1);
        let corrected = mailbox.keep(submission("a", "Hello again"));
        assert_ne!(corrected.id, first.id);
        assert_eq!(mailbox.waiting().len(), 2);
    }

    #[test]
    fn a_full_list_gives_up_settled_ones_first() {
        let mailbox = Mailbox::default();
        for number in 0..CAPACITY {
            mailbox.keep(submission(&format!("id-{number}"), ""));
        }
        mailbox.settle("id-7", State::Refused { status: 422 });
        mailbox.keep(submission("one more", ""));
        let ids: Vec<String> = mailbox.all().into_iter().map(|kept| kept.submission.id).collect();
        assert_eq!(ids.len(), CAPACITY);
        assert!(ids.contains(&"id-0".to_owned()) && !ids.contains(&"id-7".to_owned()));
        mailbox.keep(submission("and another", ""));
        assert!(!mailbox.all().iter().any(|kept| kept.submission.id == "id-0"));
    }
}
