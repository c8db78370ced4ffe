//! The journey as a note on the contact (crm.md 3.5).

use super::read::results;
use super::{BATCH, Hubspot};
use crate::crm::call::Request;
use crate::crm::{CrmError, Note, RecordRef};
use serde_json::{Value, json};
use shared::cut;
use shared::time::rfc3339;
use std::fmt::Write;

/// The longest note, in characters.
const MOST_CHARACTERS: usize = 65_536;
/// The longest line before it is escaped.
const LINE_CHARACTERS: usize = 2_000;
/// HubSpot's number for a note's belonging to a contact.
const NOTE_TO_CONTACT: u32 = 202;

impl Hubspot {
    pub(super) async fn make_note(&self, record: &RecordRef, note: &Note) -> Result<(), CrmError> {
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

    /// Whether the contact has a note with the marker. What was made last is looked at first.
    pub(super) async fn has_note(
        &self,
        record: &RecordRef,
        marker: &str,
    ) -> Result<bool, CrmError> {
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
            let body = self.ask(&Request::post(&path, &body), super::MISSING).await?;
            if results(&body)?
                .iter()
                .any(|note| is_marked(&note["properties"]["hs_note_body"], marker))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a note ends a marker where ours ends: `…:1` is no beginning of `…:12`.
fn is_marked(body: &Value, marker: &str) -> bool {
    let body = body.as_str().unwrap_or_default();
    let mut ends = body.match_indices(marker).map(|(at, _)| &body[at + marker.len()..]);
    ends.any(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
}

/// The note, within the limit: the first line stays, and the last ones that fit.
fn html(note: &Note) -> String {
    let line =
        |text: &String| format!("<li>{}</li>", escaped(&cut::text(text.clone(), LINE_CHARACTERS)));
    let head = format!("<b>{}</b><ol>", escaped(&cut::text(note.title.clone(), LINE_CHARACTERS)));
    let tail = format!("</ol><p>{}</p>", escaped(&note.marker));
    let omitted = |count: usize| format!("<li>… {count} more …</li>");
    let length = |text: &str| text.chars().count();
    let lines: Vec<String> = note.lines.iter().map(line).collect();
    let reserved = length(&head) + length(&tail) + length(&omitted(usize::MAX));
    let mut left = MOST_CHARACTERS.saturating_sub(reserved);
    let first = lines.first().map_or(0, |line| length(line));
    left = left.saturating_sub(first);
    let mut from = lines.len();
    while from > 1 {
        let needed = length(&lines[from - 1]);
        if needed > left {
            break;
        }
        left -= needed;
        from -= 1;
    }
    let mut html = head;
    html.extend(lines.first().map(String::as_str));
    if from > 1 {
        // Writing to a String does not fail.
        let _ = write!(html, "{}", omitted(from - 1));
    }
    html.extend(lines.get(from.max(1)..).unwrap_or_default().iter().map(String::as_str));
    html.push_str(&tail);
    html
}

/// As text in HTML, whatever it is.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            letter => html.push(letter),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MARKER: &str = "clew-journey:0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11:1";

    fn note(lines: &[&str]) -> Note {
        Note {
            title: "Attribution journey #1".into(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            marker: MARKER.into(),
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
                "<li>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;y&quot; 🎉</li>",
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

    #[test]
    fn markers_end_where_they_end() {
        for (body, expected) in [
            (format!("<p>{MARKER}</p>"), true),
            (MARKER.to_owned(), true),
            (format!("{MARKER}2 and {MARKER} "), true),
            (format!("<p>{MARKER}2</p>"), false),
            ("nothing".to_owned(), false),
        ] {
            assert_eq!(is_marked(&json!(body), MARKER), expected, "{body}");
        }
        assert!(!is_marked(&Value::Null, MARKER));
    }

    proptest! {
        /// Whatever the lines are: within the limit, the marker last, and no tag but ours.
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
