//! The canonical fields of a lead: one list of names for the API, the webhooks and every CRM.
//!
//! [`catalogue`] declares them, [`build`] reads them off a lead with its history, and [`naming`]
//! says what a CRM calls each and in what form it takes the value. What is not known is `null`. The
//! names are public, and [`FIELDS_VERSION`] rises when one changes or goes.

mod address;
pub mod catalogue;
mod click;
mod click_ids;
mod context;
mod counts;
mod crm;
mod facts;
mod field;
mod kind;
pub mod naming;
mod person;
mod recent_click_ids;
mod row;
mod standing;
mod subject;
mod summary;

pub use field::FIELDS_VERSION;
pub use subject::{HandOff, Subject};

use catalogue::Field;
use facts::Facts;
use serde_json::{Map, Value};

/// The fields that are wanted, in the order of the catalogue; those that are not known are `null`.
pub fn build(
    subject: Subject<'_>,
    wanted: impl Fn(&Field) -> bool,
) -> Vec<(&'static Field, Value)> {
    let facts = Facts::of(subject);
    let fields = catalogue::catalogue().iter().filter(|field| wanted(field));
    fields.map(|field| (field, field.read(&facts))).collect()
}

/// Every field by its name.
pub fn by_name(subject: Subject<'_>) -> Map<String, Value> {
    let fields = build(subject, |_| true).into_iter();
    fields.map(|(field, value)| (field.name.clone(), value)).collect()
}

#[cfg(test)]
mod tests;
