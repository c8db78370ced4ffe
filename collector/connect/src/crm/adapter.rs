//! What a vendor's adapter does. It must be able to push a person. Everything else is a capability:
//! a separate trait that the adapter offers if its vendor supports it.

use super::note::Note;
use super::push::{Push, Pushed};
use super::record::{RecordRef, RecordState};
use super::webhook::{Head, Received, Refused, Webhook};
use crate::error::CallError;
use async_trait::async_trait;
use shared::fields::catalogue::Field;

/// One account of a vendor.
#[async_trait]
pub trait CrmAdapter: Send + Sync {
    /// Finds or creates the person's record, and writes the values into its fields. Safe to repeat
    /// at any point: there is exactly one record afterwards.
    ///
    /// # Errors
    /// [`CallError::UnknownField`] if a field is not declared; then nothing was written.
    async fn push(&self, push: &Push<'_>) -> Result<Pushed, CallError>;

    /// Makes a small call that succeeds only with valid credentials. An adapter without such a call
    /// returns `Ok`, and the next hand-off shows whether they are valid.
    ///
    /// # Errors
    /// [`CallError::Auth`] if the credentials are invalid.
    async fn probe(&self) -> Result<(), CallError> {
        Ok(())
    }

    /// The capability to attach notes to records.
    fn notes(&self) -> Option<&dyn Notes> {
        None
    }

    /// The capability to declare fields.
    fn fields(&self) -> Option<&dyn Fields> {
        None
    }

    /// The capability to poll for changes.
    fn polling(&self) -> Option<&dyn Polling> {
        None
    }

    /// The capability to receive webhooks.
    fn webhooks(&self) -> Option<&dyn Webhooks> {
        None
    }
}

/// A vendor that attaches notes to a person's record.
#[async_trait]
pub trait Notes: Send + Sync {
    /// Attaches a note to a record. Vendors do not deduplicate notes. With `look_first`, because an
    /// earlier attempt may have created it, the note is first searched for by its marker.
    ///
    /// # Errors
    /// [`CallError::Transient`] also if it is unknown whether the note was created.
    async fn attach(
        &self,
        record: &RecordRef,
        note: &Note,
        look_first: bool,
    ) -> Result<(), CallError>;
}

/// A vendor whose fields can be declared by API.
#[async_trait]
pub trait Fields: Send + Sync {
    /// Declares the fields that are missing in the CRM. Repeating it changes nothing.
    ///
    /// # Errors
    /// If the CRM refuses it.
    async fn declare(&self, wanted: &[&'static Field]) -> Result<Declared, CallError>;
}

/// A vendor that can be polled for changes.
#[async_trait]
pub trait Polling: Send + Sync {
    /// The lists to poll, in this order.
    fn feeds(&self) -> &'static [&'static str];

    /// A page of the changes in a list since a time, oldest first.
    ///
    /// # Errors
    /// The error of the call.
    async fn changed(&self, feed: &str, since_ms: i64) -> Result<Page, CallError>;
}

/// A vendor that sends webhooks.
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// Checks what is known of a webhook before its body is read, so that the bodies of webhooks
    /// that cannot be signed are never read. [`Self::receive`] checks everything again.
    ///
    /// # Errors
    /// Why the webhook is refused.
    fn admit(&self, head: &Head<'_>) -> Result<(), Refused>;

    /// Checks a webhook, its signature first, and returns the records that it names. Makes no
    /// calls.
    ///
    /// # Errors
    /// Why the webhook is refused.
    fn receive(&self, webhook: &Webhook<'_>) -> Result<Received, Refused>;

    /// Reads the current state of records. Deleted ones are returned as
    /// [`RecordState::PersonGone`] and [`RecordState::DealGone`].
    ///
    /// # Errors
    /// The error of the call.
    async fn read(&self, records: &[RecordRef]) -> Result<Vec<RecordState>, CallError>;
}

/// The result of declaring fields.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Declared {
    /// Every wanted field, with its name and type in the CRM and whether it was created now.
    pub fields: Vec<DeclaredField>,
    /// What someone has to do by hand.
    pub advice: Vec<String>,
}

/// A field in a CRM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeclaredField {
    /// Our name.
    pub name: String,
    /// The vendor's name.
    pub there: String,
    /// The vendor's type.
    pub kind: String,
    /// Whether it was created now.
    pub made: bool,
}

/// A page of changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// The changes.
    pub changes: Vec<RecordState>,
    /// The time of the last change on this page, Unix milliseconds: where the next page begins.
    /// `None` if there are no more changes now.
    pub more_from_ms: Option<i64>,
}
