//! A person to be written into a CRM.

use super::record::RecordRef;
use serde_json::Value;
use shared::fields::catalogue::Field;
use shared::ids::LeadId;
use shared::lead::Contact;

/// A person to be written.
#[derive(Clone, Debug)]
pub struct Push<'a> {
    /// Who.
    pub lead: LeadId,
    /// By what they are reached, normalised.
    pub contact: &'a Contact,
    /// The fields to be written with their canonical values, none of them null.
    pub values: &'a [(&'static Field, Value)],
    /// The words for people of the last touch's channel, such as `Paid Search`.
    pub channel: Option<&'a str>,
    /// The record that an earlier hand-off wrote.
    pub known: Option<&'a RecordRef>,
    /// Whether what was written once, such as the first click, is overwritten.
    pub overwrite_first: bool,
}

/// A record that was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pushed {
    /// Which.
    pub record: RecordRef,
    /// Whether it was made now.
    pub created: bool,
    /// Where people see it.
    pub url: Option<String>,
}
