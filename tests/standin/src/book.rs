//! The content of the page for people: the persons in the CRM, with fields, notes and deals.
//!
//! It comes from visitors of a web site, so all of it is escaped. A note in HTML is shown in a
//! sandboxed frame.

use askama::Template;

/// The prefix of Clew's fields in every vendor, in lower case.
const OURS: &str = "clew_";

/// The page's content.
#[derive(Template)]
#[template(path = "people.html")]
pub(crate) struct Book {
    /// The vendor.
    pub(crate) vendor: &'static str,
    /// Persons, newest first.
    pub(crate) people: Vec<Person>,
    /// Deals without a person.
    pub(crate) strays: Vec<Deal>,
}

/// A contact or a lead.
pub(crate) struct Person {
    /// The vendor's word for it.
    pub(crate) kind: &'static str,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) fields: Fields,
    pub(crate) notes: Vec<Note>,
    pub(crate) deals: Vec<Deal>,
}

/// Fields with their values; fields without a value are left out.
#[derive(Default)]
pub(crate) struct Fields {
    /// Clew's.
    ours: Vec<(String, String)>,
    /// The vendor's.
    theirs: Vec<(String, String)>,
}

/// A note or a task.
pub(crate) struct Note {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) is_html: bool,
}

/// A deal or an opportunity.
pub(crate) struct Deal {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) stage: String,
    pub(crate) amount: String,
}

impl FromIterator<(String, String)> for Fields {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(all: T) -> Self {
        let is_ours = |(name, _): &(String, String)| name.to_lowercase().starts_with(OURS);
        let (ours, theirs) = all.into_iter().partition(is_ours);
        Self { ours, theirs }
    }
}
