//! Rows 1, 2 and 17 for notes: one per conversion, whatever is lost, and text stays text.

use super::*;
use clew_connect::crm::note::{Note, NoteMarker};
use standin::{Fault, When};

fn note(number: u32, lines: &[&str]) -> Note {
    Note {
        title: format!("Attribution journey #{number}"),
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        marker: NoteMarker { lead: Person::new(1, None).lead, number },
        at_ms: NOW_MS,
    }
}

#[actix_web::test]
async fn a_journey_is_one_note() {
    for api in ["2026-09", "v3"] {
        let account = Account::with(json!({ "token": "pat-standin", "api": api }), |_| ());
        let id = account.standin.put("contact", &json!({ "email": "a@b.example" })).unwrap();
        let contact = record("contact", &id);
        let first = note(1, &["<b>one</b> & 'two'", "🎉"]);
        // The marker of note 12 begins like that of note 1.
        account.crm.attach(&contact, &note(12, &["other"]), false).await.unwrap();
        let before = account.standin.log().len();
        account.crm.attach(&contact, &first, false).await.unwrap();
        assert_eq!(account.standin.log().len(), before + 1, "a first attempt is one call");
        account.crm.attach(&contact, &first, true).await.unwrap();
        let notes = account.records("notes");
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert_eq!(notes[1]["associated"], json!([id]));
        let properties = &notes[1]["properties"];
        assert_eq!(properties["hs_timestamp"], "2026-11-21T10:00:00.000Z");
        assert_eq!(
            properties["hs_note_body"],
            "<b>Attribution journey #1</b><ol><li>&#60;b&#62;one&#60;/b&#62; &#38; &#39;two&#39;</li>\
             <li>🎉</li></ol><p>clew-journey:0197a2b4-7c1e-7d8a-9f00-000000000001:1</p>"
        );
    }
}

#[actix_web::test]
async fn a_note_whose_response_was_lost_is_not_repeated() {
    for when in [When::Before, When::After] {
        let account = Account::start();
        let id = account.standin.put("contact", &json!({ "email": "a@b.example" })).unwrap();
        let contact = record("contact", &id);
        account.standin.fail(Fault { path: "/notes".into(), when, ..Fault::default() });
        let first = note(1, &["one"]);
        let lost = account.crm.attach(&contact, &first, false).await;
        assert!(matches!(lost, Err(CallError::Transient { .. })), "{lost:?}");
        // Then many other notes, more than one batch of them.
        for number in 100..220 {
            account.crm.attach(&contact, &note(number, &[]), false).await.unwrap();
        }
        for _ in 0..2 {
            account.other_process().attach(&contact, &first, true).await.unwrap();
        }
        let marked = |note: &Value| {
            note["properties"]["hs_note_body"].as_str().unwrap().contains("000000000001:1</p>")
        };
        assert_eq!(account.records("notes").iter().filter(|note| marked(note)).count(), 1);
    }
}

#[actix_web::test]
async fn a_note_to_a_missing_contact_is_refused() {
    let account = Account::start();
    let refused = account.crm.attach(&record("contact", "999"), &note(1, &[]), false).await;
    assert!(matches!(refused, Err(CallError::Invalid(_))), "{refused:?}");
}
