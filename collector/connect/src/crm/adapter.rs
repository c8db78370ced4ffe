//! What a vendor's adapter does. Pushing a person is all that it must do; the rest are capabilities,
//! each a trait of its own that the adapter offers where its vendor has what it takes.

use super::note::Note;
use super::push::{Push, Pushed};
use super::record::{Change, RecordRef};
use super::webhook::{Head, Received, Refused, Webhook};
use crate::error::CallError;
use async_trait::async_trait;
use shared::fields::catalogue::Field;

/// One account of a vendor.
#[async_trait]
pub trait Crm: Send + Sync {
    /// Finds the person's record or makes it, and writes the values into its fields. Safe to repeat
    /// at any point: there is one record afterwards.
    ///
    /// # Errors
    /// [`CallError::UnknownField`] where a field is not declared; nothing was written then.
    async fn push(&self, push: &Push<'_>) -> Result<Pushed, CallError>;

    /// Makes a small call that succeeds only with valid credentials. An adapter without such a call
    /// succeeds, and the next hand-off shows.
    ///
    /// # Errors
    /// [`CallError::Auth`] where the credentials are not valid.
    async fn probe(&self) -> Result<(), CallError> {
        Ok(())
    }

    /// Attaching notes to records.
    fn notes(&self) -> Option<&dyn Notes> {
        None
    }

    /// Declaring fields.
    fn fields(&self) -> Option<&dyn Fields> {
        None
    }

    /// Asking for what changed.
    fn polling(&self) -> Option<&dyn Polling> {
        None
    }

    /// Receiving webhooks.
    fn webhooks(&self) -> Option<&dyn Webhooks> {
        None
    }
}

/// A vendor that keeps notes with a person's record.
#[async_trait]
pub trait Notes: Send + Sync {
    /// Attaches a note to a record. Notes have no key of their own: with `look_first`, because an
    /// earlier attempt may have made it, the note is searched for by its marker and not made twice.
    ///
    /// # Errors
    /// [`CallError::Transient`] also where it is unknown whether the note was made.
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
    /// Declares the fields that are missing there. Repeating it changes nothing.
    ///
    /// # Errors
    /// Where the CRM refuses it.
    async fn declare(&self, wanted: &[&'static Field]) -> Result<Declared, CallError>;
}

/// A vendor that can be asked for what changed.
#[async_trait]
pub trait Polling: Send + Sync {
    /// The lists that are asked, in the order in which they should be.
    fn feeds(&self) -> &'static [&'static str];

    /// A page of what changed in a list since a time, the oldest change first.
    ///
    /// # Errors
    /// The call's.
    async fn changed(&self, feed: &str, since_ms: i64) -> Result<Page, CallError>;
}

/// A vendor that sends webhooks.
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// Judges a webhook by what stands before its body, so that the bodies of those that cannot be
    /// signed are never read. [`Self::receive`] judges all of it again.
    ///
    /// # Errors
    /// Why it is refused.
    fn admit(&self, head: &Head<'_>) -> Result<(), Refused>;

    /// Judges a webhook, its signature before anything else, and returns the records that it names.
    /// Makes no call.
    ///
    /// # Errors
    /// Why it is refused.
    fn receive(&self, webhook: &Webhook<'_>) -> Result<Received, Refused>;

    /// Reads records as they stand now. Those that are gone come as [`Change::PersonGone`] and
    /// [`Change::DealGone`].
    ///
    /// # Errors
    /// The call's.
    async fn read(&self, records: &[RecordRef]) -> Result<Vec<Change>, CallError>;
}

/// The result of declaring fields.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Declared {
    /// Every wanted field with the vendor's name for it, its type there, and whether it was made now.
    pub fields: Vec<DeclaredField>,
    /// What somebody has to do by hand.
    pub advice: Vec<String>,
}

/// A field as it stands in a CRM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeclaredField {
    /// Our name.
    pub name: String,
    /// The vendor's name.
    pub there: String,
    /// The vendor's type.
    pub kind: String,
    /// Whether it was made now.
    pub made: bool,
}

/// A page of what changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// What changed.
    pub changes: Vec<Change>,
    /// The time of the last change on it, Unix milliseconds: where the next page begins. `None` where
    /// there is no more now.
    pub more_from_ms: Option<i64>,
}
