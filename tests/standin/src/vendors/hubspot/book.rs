//! The account on the page for people.

use super::record::{Objects, Record};
use super::schema::Kind;
use crate::book::{Book, Deal, Note, Person};

/// Contacts with their notes and deals.
pub(super) fn book(vendor: &'static str, objects: &Objects) -> Book {
    let beside = |record: &Record, kind: Kind| {
        let links = objects.links.iter().filter(move |(one, _)| *one == record.id);
        let others = links.filter_map(|(_, other)| objects.records.get(other));
        others.filter(|other| other.kind == kind).collect::<Vec<_>>()
    };
    let person = |record: &Record| Person {
        kind: "contact",
        id: record.id.to_string(),
        name: name(record),
        fields: record.properties.clone().into_iter().collect(),
        notes: beside(record, Kind::Note).into_iter().map(note).collect(),
        deals: beside(record, Kind::Deal).into_iter().map(deal).collect(),
    };
    let strays = objects.of(Kind::Deal).filter(|one| beside(one, Kind::Contact).is_empty());
    let mut people: Vec<Person> = objects.of(Kind::Contact).map(person).collect();
    people.reverse();
    Book { vendor, people, strays: strays.map(deal).collect() }
}

fn name(record: &Record) -> String {
    let parts = ["firstname", "lastname"].into_iter().filter_map(|name| record.get(name));
    match parts.collect::<Vec<_>>().join(" ") {
        name if name.is_empty() => text(record, "email"),
        name => name,
    }
}

fn note(record: &Record) -> Note {
    let (id, text) = (record.id.to_string(), text(record, "hs_note_body"));
    Note { id, title: "Note".to_owned(), text, is_html: true }
}

fn deal(record: &Record) -> Deal {
    let amount = [record.get("amount"), record.get("deal_currency_code")];
    Deal {
        id: record.id.to_string(),
        name: text(record, "dealname"),
        stage: text(record, "dealstage"),
        amount: amount.into_iter().flatten().collect::<Vec<_>>().join(" "),
    }
}

fn text(record: &Record, name: &str) -> String {
    record.get(name).unwrap_or_default().to_owned()
}
