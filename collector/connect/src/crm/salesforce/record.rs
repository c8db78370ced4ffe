//! Converts records from Salesforce's format.

use super::error::{SalesforceError, incomplete_response};
use super::organization::Salesforce;
use super::person;
use super::soql::{day, id, text, time};
use crate::crm::record::{DealPerson, DealRecord, PersonRecord, RecordRef, StageAt};
use serde_json::Value;
use shared::deal::DealStatus;
use shared::ids::LeadId;
use shared::lifecycle::Stage;

/// A close date is a day in the office's time zone. This is how far it can be from the day in UTC.
const ABOUT_A_DAY_MS: i64 = 36 * 3_600_000;

/// Our stages for the default values of `Lead.Status`. Organizations can define their own.
const STATUSES: [(&str, Stage); 3] = [
    ("Open - Not Contacted", Stage::Lead),
    ("Working - Contacted", Stage::Mql),
    ("Closed - Not Converted", Stage::Lost),
];

impl Salesforce {
    /// The query for a type of record, without the columns that the organization does not have.
    pub(super) fn select(&self, object: &str) -> Option<String> {
        let key = person::key(&self.prefix);
        let mut columns = match object {
            "Lead" => vec![
                "Id",
                "Email",
                "Status",
                "IsConverted",
                "ConvertedDate",
                "ConvertedContactId",
                "ConvertedOpportunityId",
                "ConvertedOpportunity.CreatedDate",
                "CreatedDate",
                "SystemModstamp",
            ],
            "Contact" => vec!["Id", "Email", "CreatedDate", "SystemModstamp"],
            "Opportunity" => vec![
                "Id",
                "Name",
                "StageName",
                "Amount",
                "CloseDate",
                "IsClosed",
                "IsWon",
                "CreatedDate",
                "SystemModstamp",
                "(SELECT ContactId,Contact.Email,IsPrimary FROM OpportunityContactRoles)",
                "(SELECT StageName,CreatedDate FROM OpportunityHistories ORDER BY CreatedDate DESC)",
            ],
            _ => return None,
        };
        let (known_columns, now_ms) = (self.known_columns(), self.caller.now_ms());
        let optional = optional(&key, object)
            .filter(|name| !known_columns.is_absent(&column(object, name), now_ms));
        columns.extend(optional);
        Some(format!("SELECT {} FROM {object}", columns.join(",")))
    }

    /// Remembers that a column does not exist. Returns whether it was optional and not known to be
    /// absent.
    pub(super) fn is_dispensable(&self, object: &str, names: &[String]) -> bool {
        let key = person::key(&self.prefix);
        let missing =
            optional(&key, object).filter(|name| names.iter().any(|unknown| unknown == name));
        let (mut known_columns, now_ms) = (self.known_columns(), self.caller.now_ms());
        let added = missing.filter(|name| {
            let column = column(object, name);
            let is_new = !known_columns.is_absent(&column, now_ms);
            known_columns.absent.insert(column, now_ms);
            is_new
        });
        added.count() > 0
    }

    /// A Lead or a Contact. A converted Lead is represented by its Contact.
    pub(super) fn person(
        &self,
        object: &str,
        row: &Value,
    ) -> Result<PersonRecord, SalesforceError> {
        let own = RecordRef { object: object.to_owned(), id: id(row)?.to_owned() };
        let contact = text(row, "ConvertedContactId").filter(|_| row["IsConverted"] == true);
        let (record, formerly) = match contact {
            Some(contact) => {
                let object = "Contact".to_owned();
                (RecordRef { object, id: contact.to_owned() }, vec![own])
            }
            None => (own, Vec::new()),
        };
        Ok(PersonRecord {
            record,
            formerly,
            email: text(row, "Email").map(str::to_owned),
            lead: self.lead(row),
            stages: self.stages(row)?.into_iter().collect(),
            changed_at_ms: changed_at(row)?,
        })
    }

    fn lead(&self, row: &Value) -> Option<LeadId> {
        LeadId::parse(text(row, &person::key(&self.prefix))?)
    }

    fn stages(&self, row: &Value) -> Result<Option<StageAt>, SalesforceError> {
        let (created_ms, changed_ms) = (time(row, "CreatedDate"), changed_at(row)?);
        let is_converted = row["IsConverted"] == true;
        if is_converted && text(row, "ConvertedOpportunityId").is_some() {
            // It may have been converted into an existing opportunity.
            let opened_ms = time(&row["ConvertedOpportunity"], "CreatedDate");
            let at_ms = opened_ms.max(day(row, "ConvertedDate")).max(created_ms);
            let at_ms = at_ms.unwrap_or(changed_ms);
            let word = "IsConverted".to_owned();
            return Ok(Some(StageAt { stage: Stage::Opportunity, at_ms, word }));
        }
        let Some(word) = text(row, "Status") else { return Ok(None) };
        let usual = || STATUSES.iter().find(|(status, _)| *status == word).map(|(_, stage)| *stage);
        let stage = self.stages.get(word).copied().or_else(usual);
        Ok(stage.map(|stage| {
            let since_ms = if stage == Stage::Lead { created_ms } else { None };
            let at_ms = since_ms.unwrap_or(changed_ms);
            StageAt { stage, at_ms, word: word.to_owned() }
        }))
    }

    /// An Opportunity.
    pub(super) fn deal(&self, row: &Value) -> Result<DealRecord, SalesforceError> {
        let word = text(row, "StageName")
            .ok_or_else(|| incomplete_response("StageName of an opportunity"))?;
        let status = match (&row["IsWon"], &row["IsClosed"]) {
            (Value::Bool(true), _) => DealStatus::Won,
            (_, Value::Bool(true)) => DealStatus::Lost,
            _ => DealStatus::Open,
        };
        let changed_at_ms = changed_at(row)?;
        let closed = || closed_at(row, word).unwrap_or(changed_at_ms);
        let mut persons: Vec<DealPerson> =
            children(row, "OpportunityContactRoles").filter_map(person_of_deal).collect();
        persons.sort_by_key(|person| !person.is_primary);
        Ok(DealRecord {
            id: id(row)?.to_owned(),
            status,
            word: word.to_owned(),
            stage: self.deal_stages.get(word).copied(),
            // Displayed without an exponent, in the shortest form that is the same number.
            amount: row["Amount"].as_f64().map(|amount| amount.to_string()),
            currency: text(row, "CurrencyIsoCode").map(str::to_owned),
            created_at_ms: time(row, "CreatedDate").unwrap_or(changed_at_ms),
            closed_at_ms: (status != DealStatus::Open).then(closed),
            changed_at_ms,
            persons,
            lead: self.lead(row),
        })
    }
}

/// Columns that an organization may not have: the currency if it uses only one, and our lead's id
/// if it is not declared.
fn optional<'a>(key: &'a str, object: &str) -> impl Iterator<Item = &'a str> {
    let currency = (object == "Opportunity").then_some("CurrencyIsoCode");
    std::iter::once(key).chain(currency)
}

fn column(object: &str, name: &str) -> String {
    format!("{object}.{name}")
}

pub(super) fn changed_at(row: &Value) -> Result<i64, SalesforceError> {
    time(row, "SystemModstamp").ok_or_else(|| incomplete_response("SystemModstamp of a record"))
}

/// The time when a deal entered its stage, if that is about the day of its close date; otherwise
/// the beginning of that day, because people backdate sales.
fn closed_at(row: &Value, word: &str) -> Option<i64> {
    let day_ms = day(row, "CloseDate");
    let history = children(row, "OpportunityHistories");
    let of_stage = history.take_while(|entry| text(entry, "StageName") == Some(word));
    let since_ms = of_stage.filter_map(|entry| time(entry, "CreatedDate")).last();
    match (day_ms, since_ms) {
        (Some(day_ms), Some(since_ms)) => {
            // Measured from the middle of the day.
            let apart_ms = (since_ms - day_ms - 12 * 3_600_000).abs();
            Some(if apart_ms <= ABOUT_A_DAY_MS { since_ms } else { day_ms })
        }
        (day_ms, since_ms) => day_ms.or(since_ms),
    }
}

/// The records of a sub-query; its result is null if there are none.
fn children<'a>(row: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    row[name]["records"].as_array().into_iter().flatten()
}

fn person_of_deal(role: &Value) -> Option<DealPerson> {
    let record =
        RecordRef { object: "Contact".to_owned(), id: text(role, "ContactId")?.to_owned() };
    let email = text(&role["Contact"], "Email").map(str::to_owned);
    Some(DealPerson { record, email, is_primary: role["IsPrimary"] == true })
}
