//! The organization on the page for people.

use super::record::{Org, Record};
use crate::book::{Book, Deal, Note, Person};
use serde_json::Value;

/// Contacts, then leads, each newest first, with their tasks and opportunities.
pub(super) fn book(vendor: &'static str, org: &Org) -> Book {
    let role = |role: &Record, name: &str, id: &str| role.text(name) == Some(id);
    let of_person = |person: &Record, opportunity: &Record| {
        let mut roles = org.of("OpportunityContactRole");
        person.text("ConvertedOpportunityId") == Some(&opportunity.id)
            || roles.any(|one| {
                role(one, "ContactId", &person.id) && role(one, "OpportunityId", &opportunity.id)
            })
    };
    let person = |kind: &'static str, record: &Record| {
        let tasks = org.of("Task").filter(|task| role(task, "WhoId", &record.id));
        let opportunities = org.of("Opportunity").filter(|one| of_person(record, one));
        Person {
            kind,
            id: record.id.clone(),
            name: text(record, "Name"),
            fields: record.fields.iter().filter_map(field).collect(),
            notes: tasks.map(note).collect(),
            deals: opportunities.map(deal).collect(),
        }
    };
    let leads = org.of("Lead").map(|lead| person("Lead", lead));
    let contacts = org.of("Contact").map(|contact| person("Contact", contact));
    let has_person = |opportunity: &Record| {
        let mut roles = org.of("OpportunityContactRole");
        roles.any(|one| role(one, "OpportunityId", &opportunity.id))
    };
    let mut people: Vec<Person> = leads.chain(contacts).collect();
    people.reverse();
    Book {
        vendor,
        people,
        strays: org.of("Opportunity").filter(|one| !has_person(one)).map(deal).collect(),
    }
}

fn field((name, value): (&String, &Value)) -> Option<(String, String)> {
    let value = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some((name.clone(), value))
}

fn note(task: &Record) -> Note {
    let (title, text) = (text(task, "Subject"), text(task, "Description"));
    Note { id: task.id.clone(), title, text, is_html: false }
}

fn deal(opportunity: &Record) -> Deal {
    let amount = opportunity.fields.get("Amount").filter(|amount| !amount.is_null());
    let amount = amount.map(Value::to_string).unwrap_or_default();
    let currency = text(opportunity, "CurrencyIsoCode");
    Deal {
        id: opportunity.id.clone(),
        name: text(opportunity, "Name"),
        stage: text(opportunity, "StageName"),
        amount: format!("{amount} {currency}").trim().to_owned(),
    }
}

fn text(record: &Record, name: &str) -> String {
    record.text(name).unwrap_or_default().to_owned()
}
