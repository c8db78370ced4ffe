//! Attaches a journey to a contact as a note.

use super::account::Hubspot;
use super::read::results;
use super::words::{BATCH, MISSING};
use crate::call::Request;
use crate::crm::note::{LINE_CHARACTERS, Note, NoteMarker};
use crate::crm::record::RecordRef;
use crate::error::CallError;
use askama::filters::{Html, escape};
use serde_json::{Value, json};
use shared::cut;
use shared::time::rfc3339;
use std::fmt;

/// The maximum length of a note, in characters.
const MOST_CHARACTERS: usize = 65_536;
/// HubSpot's id of the association type from a note to a contact.
const NOTE_TO_CONTACT: u32 = 202;

impl Hubspot {
    pub(super) async fn make_note(&self, record: &RecordRef, note: &Note) -> Result<(), CallError> {
        let body = json!({
            "properties": { "hs_timestamp": rfc3339(note.at_ms), "hs_note_body": html(note) },
            "associations": [{
                "to": { "id": record.id },
                "types": [{
                    "associationCategory": "HUBSPOT_DEFINED",
                    "associationTypeId": NOTE_TO_CONTACT,
                }],
            }],
        });
        self.post(&self.paths.objects("notes"), &body).await?;
        Ok(())
    }

    /// Whether the contact has a note with the marker. Looks at the newest notes first.
    pub(super) async fn has_note(
        &self,
        record: &RecordRef,
        marker: NoteMarker,
    ) -> Result<bool, CallError> {
        let mut notes =
            self.associated("contacts", "notes", std::slice::from_ref(&record.id)).await?;
        notes.sort_by_key(|(_, note)| std::cmp::Reverse((note.id.len(), note.id.clone())));
        let path = self.paths.objects("notes/batch/read");
        for notes in notes.chunks(BATCH) {
            let inputs: Vec<Value> =
                notes.iter().map(|(_, note)| json!({ "id": note.id })).collect();
            let body = json!({
                "inputs": inputs, "properties": ["hs_note_body"], "propertiesWithHistory": [],
            });
            let body = self.ask(&Request::post(&path, &body), MISSING).await?;
            let is_it = |note: &Value| {
                note["properties"]["hs_note_body"].as_str().is_some_and(|text| marker.is_in(text))
            };
            if results(&body)?.iter().any(is_it) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The note as HTML, within HubSpot's limit.
fn html(note: &Note) -> String {
    let title = cut::text(note.title.clone(), LINE_CHARACTERS);
    let head = format!("<b>{}</b><ol>", escaped(&title));
    let tail = format!("</ol><p>{}</p>", note.marker);
    let room = MOST_CHARACTERS - head.chars().count() - tail.chars().count();
    let lines = note.fit(room, |line| format!("<li>{}</li>", escaped(line)));
    format!("{head}{lines}{tail}")
}

/// As text in HTML, whatever it is.
fn escaped(text: &str) -> impl fmt::Display {
    let Ok(html) = escape(text, Html);
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::ids::LeadId;

    const MARKER: &str = "clew-journey:0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11:1";

    fn note(lines: &[&str]) -> Note {
        let lead = LeadId::parse("0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11").unwrap();
        Note {
            title: "Attribution journey #1".into(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            marker: NoteMarker { lead, number: 1 },
            at_ms: 0,
        }
    }

    #[test]
    fn html_of_lines() {
        let begin = "<b>Attribution journey #1</b><ol>";
        let end = format!("</ol><p>{MARKER}</p>");
        for (lines, expected) in [
            (&[][..], ""),
            (&["a"], "<li>a</li>"),
            (&["a", "b", "c"], "<li>a</li><li>b</li><li>c</li>"),
            (
                &["<script>alert('x')</script> & \"y\" 🎉"],
                "<li>&#60;script&#62;alert(&#39;x&#39;)&#60;/script&#62; &#38; &#34;y&#34; 🎉</li>",
            ),
        ] {
            assert_eq!(html(&note(lines)), format!("{begin}{expected}{end}"));
        }
        let line = "x".repeat(1_990);
        let lines: Vec<&str> =
            std::iter::once("first").chain((0..40).map(|_| line.as_str())).collect();
        let cut = html(&note(&lines));
        assert!(cut.chars().count() <= MOST_CHARACTERS && cut.ends_with(&end));
        assert!(
            cut.starts_with(&format!("{begin}<li>first</li><li>… 8 more …</li><li>x")),
            "{}",
            &cut[..99]
        );
    }

    proptest! {
        /// Whatever the lines are, the note is within the limit, ends with the marker and contains
        /// only our tags.
        #[test]
        fn notes_fit(lines in proptest::collection::vec("[<&'\"äx]{0,3000}", 0..40)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let html = html(&note(&lines));
            prop_assert!(html.chars().count() <= MOST_CHARACTERS);
            let end = format!("<p>{MARKER}</p>");
            prop_assert!(html.ends_with(&end));
            let tags = html.matches('<').count();
            let items = html.matches("<li>").count();
            prop_assert_eq!(tags, 2 * items + 6);
        }
    }
}
