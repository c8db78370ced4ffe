//! Input and output of writing a person into a CRM.

use super::record::RecordRef;
use serde_json::Value;
use shared::fields::catalogue::Field;
use shared::ids::LeadId;
use shared::lead::Contact;

/// A person to write into a CRM.
#[derive(Clone, Debug)]
pub struct Push<'a> {
    /// The lead.
    pub lead: LeadId,
    /// The contact data, normalised.
    pub contact: &'a Contact,
    /// The fields to write with their canonical values; none of them is null.
    pub values: &'a [(&'static Field, Value)],
    /// The display name of the last touch's channel, such as `Paid Search`.
    pub channel: Option<&'a str>,
    /// The record that an earlier hand-off wrote.
    pub known: Option<&'a RecordRef>,
    /// Whether to overwrite fields that are written once, such as the first click.
    pub overwrite_first: bool,
}

/// A record that has been written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pushed {
    /// The record.
    pub record: RecordRef,
    /// Whether it was created now.
    pub created: bool,
    /// The record's page in the CRM.
    pub url: Option<String>,
}
