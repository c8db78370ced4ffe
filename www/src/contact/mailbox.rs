//! Where submissions are kept until the collector has taken them: a bounded list in memory.
//!
//! A real handler has a database or a mailbox in its place. Only what waits is sent again.

use crate::contact::submission::{Submission, fresh_id};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// More are not kept: the oldest settled one goes first, then the oldest of all.
const CAPACITY: usize = 500;

/// What became of a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Not sent yet, or the collector was away.
    Waiting,
    /// The collector made this lead of it.
    Accepted { lead_id: String },
    /// The collector will never take it; sending it again would not help.
    Refused { status: u16 },
}

/// One submission and its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    pub submission: Submission,
    #[serde(flatten)]
    pub state: State,
}

#[derive(Default)]
pub(crate) struct Mailbox {
    kept: Mutex<VecDeque<Kept>>,
}

impl Mailbox {
    /// Keeps a submission and answers it back. The same form with the same content (a double
    /// click) is kept once. The same form with other content (sent, gone back, corrected) is a
    /// second message, which must not be lost as a repeat of the first: it gets an id of its own.
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
                tracing::error!("too many submissions wait for the collector: the oldest is lost");
            }
            kept.remove(settled.unwrap_or(0));
        }
        kept.push_back(Kept { submission: submission.clone(), state: State::Waiting });
        submission
    }

    /// A submission that was accepted stays so, whatever a repeat of it is told.
    pub(crate) fn settle(&self, id: &str, state: State) {
        let pending = |known: &&mut Kept| {
            known.submission.id == id && !matches!(known.state, State::Accepted { .. })
        };
        if let Some(known) = self.lock().iter_mut().find(pending) {
            known.state = state;
        }
    }

    pub(crate) fn waiting(&self) -> Vec<Submission> {
        let waiting = |known: &&Kept| known.state == State::Waiting;
        self.lock().iter().filter(waiting).map(|known| known.submission.clone()).collect()
    }

    pub(crate) fn all(&self) -> Vec<Kept> {
        self.lock().iter().cloned().collect()
    }

    /// Nothing panics while the lock is held, and the list would be whole if it did.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
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
