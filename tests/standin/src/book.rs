//! What the page for people shows: who is in the CRM, with fields, notes and deals.
//!
//! What was written there came from visitors of a web site, so all of it is escaped; a note that is HTML is
//! shown in a frame that may do nothing.

use askama::Template;

/// What the names of Clew's fields begin with in every vendor, in small letters.
const OURS: &str = "clew_";

/// What the page shows.
#[derive(Template)]
#[template(path = "people.html")]
pub(crate) struct Book {
    /// The vendor.
    pub(crate) vendor: &'static str,
    /// Persons, the newest first.
    pub(crate) people: Vec<Person>,
    /// Deals that belong to no person.
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

/// Fields that have a value, with it.
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
