//! The canonical fields of a lead: one list of names for the API, the webhooks and every CRM.
//!
//! [`catalogue`] declares them, [`build`] derives their values from a lead and its history, and
//! [`naming`] gives each CRM's name for a field and the form of its value. Unknown values are
//! `null`. The names are public; [`FIELDS_VERSION`] increases when one changes or is removed.

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
mod lead_state;
mod subject;
mod summary;

pub use field::FIELDS_VERSION;
pub use subject::{HandOff, Subject};

use catalogue::Field;
use facts::Facts;
use serde_json::{Map, Value};

/// The selected fields with their values, in the order of the catalogue; unknown values are `null`.
pub fn build(
    subject: Subject<'_>,
    wanted: impl Fn(&Field) -> bool,
) -> Vec<(&'static Field, Value)> {
    let facts = Facts::of(subject);
    let fields = catalogue::catalogue().iter().filter(|field| wanted(field));
    fields.map(|field| (field, field.read(&facts))).collect()
}

/// All fields, by name.
pub fn by_name(subject: Subject<'_>) -> Map<String, Value> {
    let fields = build(subject, |_| true).into_iter();
    fields.map(|(field, value)| (field.name.clone(), value)).collect()
}

#[cfg(test)]
mod tests;
