//! Attaches a journey as a completed task, which Salesforce shows among the person's activities.

use super::error::SalesforceError;
use super::find::Lookup;
use super::organization::Salesforce;
use super::soql::{quote, text};
use crate::call::Request;
use crate::crm::note::Note;
use crate::crm::record::RecordRef;
use crate::error::CallError;
use serde_json::{Value, json};
use shared::cut;
use shared::time::rfc3339;

/// The maximum length of a subject, in characters.
const SUBJECT: usize = 255;
/// The maximum length of a description, in characters.
const DESCRIPTION: usize = 32_000;

impl Salesforce {
    pub(super) async fn attach_note(
        &self,
        record: &RecordRef,
        note: &Note,
        look_first: bool,
    ) -> Result<(), SalesforceError> {
        match self.attach_to(&record.id, note, look_first).await {
            // A converted Lead's activities have moved to the Contact.
            Err(SalesforceError::Gone(message)) => match self.successor(record, note).await? {
                Some(successor) => self.attach_to(&successor.id, note, look_first).await,
                None => Err(SalesforceError::Other(CallError::Invalid(message))),
            },
            attached => attached,
        }
    }

    async fn attach_to(
        &self,
        who: &str,
        note: &Note,
        look_first: bool,
    ) -> Result<(), SalesforceError> {
        let subject = subject(note);
        if look_first && self.is_attached(who, &subject, note).await? {
            return Ok(());
        }
        let path = format!("{}/sobjects/Task", self.data);
        self.call(&Request::post(&path, &task(who, &subject, note))).await?;
        Ok(())
    }

    /// Queries can filter by the subject, but not by the description, which contains the full
    /// marker.
    async fn is_attached(
        &self,
        who: &str,
        subject: &str,
        note: &Note,
    ) -> Result<bool, SalesforceError> {
        let (who, subject) = (quote(who), quote(subject));
        let soql =
            format!("SELECT Id,Description FROM Task WHERE WhoId={who} AND Subject={subject}");
        let mut page = self.query(&soql).await?;
        loop {
            let holds =
                |row: &Value| text(row, "Description").is_some_and(|text| note.marker.is_in(text));
            if page.records.iter().any(holds) {
                return Ok(true);
            }
            let Some(next) = page.next else { return Ok(false) };
            page = super::soql::Rows::read(self.call(&Request::get(&next)).await?)?;
        }
    }

    /// The record that replaced one to which no task can be attached.
    async fn successor(
        &self,
        record: &RecordRef,
        note: &Note,
    ) -> Result<Option<RecordRef>, SalesforceError> {
        let lead = note.marker.lead;
        let lookup = Lookup { lead, email: None, known: Some(record), columns: &[] };
        Ok(self.find(&lookup).await?.map(|found| found.record).filter(|found| found != record))
    }
}

/// `Attribution journey #1 (0197a2b4)`: readable for people, and specific enough for a query.
fn subject(note: &Note) -> String {
    let key: String = note.marker.lead.to_text().chars().take(8).collect();
    let title = cut::text(note.title.clone(), SUBJECT - key.len() - 3);
    format!("{title} ({key})")
}

fn task(who: &str, subject: &str, note: &Note) -> Value {
    let marker = note.marker.to_string();
    let lines = note.fit(DESCRIPTION - marker.len(), |line| format!("{line}\n"));
    let day: String = rfc3339(note.at_ms).chars().take(10).collect();
    json!({
        "WhoId": who,
        "Subject": subject,
        "Status": "Completed",
        "Priority": "Normal",
        "ActivityDate": day,
        "Description": format!("{lines}{marker}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crm::note::NoteMarker;
    use shared::ids::LeadId;

    #[test]
    fn tasks() {
        let lead = LeadId::parse("0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11").unwrap();
        let marker = NoteMarker { lead, number: 1 };
        let note = |title: &str, lines: &[&str]| Note {
            title: title.into(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            marker,
            at_ms: 1_795_256_100_000,
        };
        let usual = note("Attribution journey #1", &["1. 2026-11-02 google / cpc", "2. direct"]);
        assert_eq!(
            task("00QB", &subject(&usual), &usual),
            json!({
                "WhoId": "00QB",
                "Subject": "Attribution journey #1 (0197a2b4)",
                "Status": "Completed",
                "Priority": "Normal",
                "ActivityDate": "2026-11-21",
                "Description": format!("1. 2026-11-02 google / cpc\n2. direct\n{marker}"),
            })
        );
        let line = "ä".repeat(1_500);
        let long = note(&"ä".repeat(40_000), &[[line.as_str(); 40].as_slice(), &["last"]].concat());
        let task = task("00QB", &subject(&long), &long);
        let length = |name: &str| task[name].as_str().map(|text| text.chars().count());
        assert_eq!(length("Subject"), Some(255));
        assert!(length("Description").is_some_and(|length| (30_000..=32_000).contains(&length)));
        let end = format!("last\n{marker}");
        assert!(task["Description"].as_str().is_some_and(|text| text.ends_with(&end)));
    }
}
