//! Finds a person's record: one composite call searches in every way, then the best result is
//! chosen.

use super::error::SalesforceError;
use super::organization::Salesforce;
use super::person;
use super::soql::{self, Rows, quote, text};
use crate::crm::record::RecordRef;
use reqwest::Method;
use serde_json::Value;
use shared::ids::LeadId;

/// Whom to look for.
pub(super) struct Lookup<'a> {
    pub(super) lead: LeadId,
    pub(super) email: Option<&'a str>,
    /// The record that an earlier hand-off wrote.
    pub(super) known: Option<&'a RecordRef>,
    /// The names of our fields to read with it.
    pub(super) columns: &'a [String],
}

/// An existing record.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Found {
    pub(super) record: RecordRef,
    pub(super) row: Value,
}

/// A way of looking for a person.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum MatchedBy {
    Known,
    Key,
    Email,
}

impl Salesforce {
    /// The record to write: the known record, or else the one with our lead's id, or else the one
    /// with the e-mail address. A Lead is preferred to a Contact. A converted Lead leads to its
    /// Contact.
    pub(super) async fn find(&self, lookup: &Lookup<'_>) -> Result<Option<Found>, SalesforceError> {
        let questions = self.questions(lookup);
        let parts = questions.iter().map(|(_, object, condition)| {
            let soql = select(object, lookup.columns, condition);
            (Method::GET, soql::path(&self.data, &soql), Value::Null)
        });
        let answered = self.composite(parts.collect()).await?;
        let mut candidates = Vec::new();
        for ((matched_by, object, _), body) in questions.iter().zip(answered) {
            for row in Rows::read(body?)?.records {
                let id = soql::id(&row)?.to_owned();
                let record = RecordRef { object: (*object).to_owned(), id };
                candidates.push((*matched_by, Found { record, row }));
            }
        }
        // A converted Lead that was found only by its e-mail address comes last: a record that has
        // the address now is the better choice. Otherwise the order is that of the queries.
        candidates.sort_by_key(|(matched_by, found)| {
            *matched_by == MatchedBy::Email && found.is_converted()
        });
        for (_, found) in candidates {
            if !found.is_converted() {
                return Ok(Some(found));
            }
            if let Some(contact) = text(&found.row, "ConvertedContactId")
                && let Some(found) = self.contact(contact, lookup.columns).await?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The queries as way, object and condition; at most five, the limit of one composite call.
    fn questions(&self, lookup: &Lookup<'_>) -> Vec<(MatchedBy, &'static str, String)> {
        let mut questions = Vec::new();
        if let Some(RecordRef { object, id }) = lookup.known
            && let Some(object) = ["Lead", "Contact"].into_iter().find(|known| known == object)
        {
            questions.push((MatchedBy::Known, object, format!("Id={}", quote(id))));
        }
        let mut ask = |matched_by, field: &str, value: &str| {
            for object in ["Lead", "Contact"] {
                let order = "ORDER BY CreatedDate DESC LIMIT 5";
                questions.push((matched_by, object, format!("{field}={} {order}", quote(value))));
            }
        };
        ask(MatchedBy::Key, &person::key(&self.prefix), &lookup.lead.to_text());
        if let Some(email) = lookup.email {
            ask(MatchedBy::Email, "Email", email);
        }
        questions
    }

    async fn contact(
        &self,
        id: &str,
        columns: &[String],
    ) -> Result<Option<Found>, SalesforceError> {
        let soql = select("Contact", columns, &format!("Id={}", quote(id)));
        let row = self.query(&soql).await?.records.pop();
        let record = RecordRef { object: "Contact".to_owned(), id: id.to_owned() };
        Ok(row.map(|row| Found { record, row }))
    }
}

impl Found {
    fn is_converted(&self) -> bool {
        self.row["IsConverted"] == true
    }
}

fn select(object: &str, columns: &[String], condition: &str) -> String {
    let of_leads: &[&str] =
        if object == "Lead" { &["IsConverted", "ConvertedContactId"] } else { &[] };
    let names = ["Id"].iter().chain(of_leads).chain(person::own_fields(object)).copied();
    let names: Vec<&str> = names.chain(columns.iter().map(String::as_str)).collect();
    format!("SELECT {} FROM {object} WHERE {condition}", names.join(","))
}
