//! From a conversion to the CRM's fields, through the whole collector: the rows of the test matrix
//! that concern more than a vendor's adapter.

use serde_json::{Value, json};
use standin::{Fault, Limit};
use std::collections::BTreeSet;
use tests::crm::{Scene, Vendor};
use tests::storage::Backend;

tests::both_stores!(
    a_lead_arrives_with_its_journey,
    a_second_conversion_adds_to_the_record,
    a_refused_lead_is_a_dead_letter_and_holds_up_no_other,
    limits_do_not_count_as_attempts,
    an_account_that_refuses_our_credentials_is_paused,
    a_lead_with_only_a_phone,
    colleagues_are_two_records,
);

async fn a_lead_arrives_with_its_journey(backend: Backend) {
    for vendor in Vendor::ALL {
        let scene = Scene::start(vendor, backend);
        let contact = json!({
            "email": "Ada@example.com", "first_name": "Ada", "last_name": "Lovelace", "company": "Engines",
        });
        let lead = scene.lead(contact).await;
        assert_eq!(
            (scene.app.deliver().await, scene.field(&lead, "crm_sync_status").await),
            (0, json!("pending"))
        );
        // No field has been declared there: the delivery does that.
        assert_eq!(scene.hand_off().await, 1, "{vendor:?}");
        let (persons, notes) = vendor.persons_and_notes(&scene.crm);
        assert_eq!((persons.len(), notes.len()), (1, 1), "{persons:?} {notes:?}");
        for (field, expected) in [
            ("first_click_source", json!("google")),
            ("first_click_medium", json!("cpc")),
            ("first_click_channel", json!("paid_search")),
            ("last_click_landing_page", json!("https://www.example.com/pricing")),
            ("channel_path", json!("paid_search")),
            ("lead_id", json!(lead)),
        ] {
            assert_eq!(vendor.field(&persons[0], field), expected, "{vendor:?} {field}");
        }
        let note = notes[0].to_string();
        assert!(
            note.contains("google") && note.contains(&format!("clew-journey:{lead}:1")),
            "{note}"
        );
        for (field, expected) in [
            ("crm_sync_status", json!("sent")),
            ("crm_provider", json!(vendor.name())),
            ("crm_synced_at", json!("2026-11-21T10:00:10Z")),
        ] {
            assert_eq!(scene.field(&lead, field).await, expected, "{vendor:?} {field}");
        }
        let (object, id) = (
            scene.field(&lead, "crm_record_type").await,
            scene.field(&lead, "crm_record_id").await,
        );
        let name =
            format!("crm:{}:{}:{}", vendor.name(), object.as_str().unwrap(), id.as_str().unwrap());
        let found = scene.app.get(&format!("/v1/leads/{name}")).await;
        assert_eq!(found.json["lead"]["id"], json!(lead), "{name}");
        assert_eq!(scene.hand_off().await, 0, "{vendor:?}");
        scene.stop().await;
    }
}

/// The first click stays, the last click changes, each conversion has a note, and there is one
/// record.
async fn a_second_conversion_adds_to_the_record(backend: Backend) {
    for vendor in Vendor::ALL {
        let scene = Scene::start(vendor, backend);
        let person = json!({ "email": "a@example.com", "last_name": "A" });
        let first = scene.lead(person.clone()).await;
        assert_eq!(scene.hand_off().await, 1);
        scene.advance_ms(86_400_000);
        let page = "https://www.example.com/blog?utm_source=newsletter&utm_medium=email";
        assert_eq!(scene.lead_from(page, person).await, first);
        assert_eq!(scene.hand_off().await, 1);
        let (persons, notes) = vendor.persons_and_notes(&scene.crm);
        assert_eq!((persons.len(), notes.len()), (1, 2), "{vendor:?}");
        assert_eq!(vendor.field(&persons[0], "first_click_source"), "google", "{vendor:?}");
        assert_eq!(vendor.field(&persons[0], "last_click_source"), "newsletter", "{vendor:?}");
        let text = format!("{notes:?}");
        for number in 1..=2 {
            assert!(text.contains(&format!("clew-journey:{first}:{number}")), "{text}");
        }
        scene.stop().await;
    }
}

async fn a_refused_lead_is_a_dead_letter_and_holds_up_no_other(backend: Backend) {
    let scene = Scene::start(Vendor::Hubspot, backend);
    let body = json!({
        "status": "error", "category": "VALIDATION_ERROR", "correlationId": "b1b5-c0de",
        "message": "Property values were not valid: [{\"isValid\":false,\"message\":\"rule 7 says no\",\"error\":\"INVALID_OPTION\",\"name\":\"company\"}]",
    });
    scene.crm.fail(Fault {
        path: "batch/upsert".into(),
        status: 400,
        body: Some(body),
        ..Fault::default()
    });
    scene.lead(json!({ "email": "a@example.com" })).await;
    scene.lead(json!({ "email": "b@example.com" })).await;
    assert_eq!(scene.hand_off().await, 2);
    let (persons, _) = scene.vendor.persons_and_notes(&scene.crm);
    assert_eq!(persons.len(), 1);
    let dead = scene.deliveries("dead").await;
    assert_eq!((dead.len(), scene.deliveries("sent").await.len()), (1, 1));
    let error = dead[0]["error"].as_str().unwrap();
    assert!(error.contains("rule 7 says no") && error.contains("b1b5-c0de"), "{error}");
    let replayed = scene
        .app
        .post(&format!("/v1/deliveries/{}/replay", dead[0]["id"].as_str().unwrap()), &Value::Null)
        .await;
    assert_eq!((replayed.status, scene.app.deliver().await), (202, 1));
    let (persons, notes) = scene.vendor.persons_and_notes(&scene.crm);
    assert_eq!((persons.len(), notes.len(), scene.deliveries("sent").await.len()), (2, 2, 2));
    scene.stop().await;
}

/// After three refusals for too many calls, each wait is as the CRM says, none counts as an
/// attempt, and the record is there once.
async fn limits_do_not_count_as_attempts(backend: Backend) {
    let (vendor, waits_ms) = (Vendor::Hubspot, 10_000);
    let scene = Scene::start(vendor, backend);
    scene.lead(json!({ "email": "a@example.com" })).await;
    scene.advance_ms(10_000);
    for _ in 0..3 {
        scene.crm.limit(&Limit { next: 1, ..Limit::default() }).unwrap();
        assert_eq!(scene.app.deliver().await, 1);
        let waiting = scene.deliveries("retry").await;
        assert_eq!((waiting.len(), &waiting[0]["attempts"]), (1, &json!(0)), "{waiting:?}");
        scene.advance_ms(waits_ms - 1);
        assert_eq!(scene.app.deliver().await, 0, "nothing is due yet");
        scene.advance_ms(1);
    }
    assert_eq!(scene.app.deliver().await, 1);
    let sent = scene.deliveries("sent").await;
    assert_eq!((sent.len(), &sent[0]["attempts"]), (1, &json!(1)), "{sent:?}");
    let (persons, notes) = vendor.persons_and_notes(&scene.crm);
    assert_eq!((persons.len(), notes.len()), (1, 1));
    scene.stop().await;
}

/// Nothing is attempted while the CRM refuses our credentials, nothing is lost, and it goes on by
/// itself.
async fn an_account_that_refuses_our_credentials_is_paused(backend: Backend) {
    let scene = Scene::start(Vendor::Hubspot, backend);
    scene.crm.set(|settings| settings.client_secret = "another".into());
    let mut leads = BTreeSet::new();
    for number in 0..5 {
        leads.insert(scene.lead(json!({ "email": format!("{number}@example.com") })).await);
    }
    assert!(scene.hand_off().await <= 5);
    let calls = scene.crm.log().len();
    for _ in 0..4 {
        scene.advance_ms(60_000);
        assert_eq!(scene.app.deliver().await, 0);
    }
    assert_eq!(scene.crm.log().len(), calls, "no calls while it is paused");
    for waiting in scene.deliveries("retry").await {
        assert_eq!(waiting["attempts"], 0, "{waiting}");
        assert!(waiting["error"].as_str().unwrap().contains("not allowed"), "{waiting}");
    }
    scene.crm.set(|settings| settings.client_secret = "standin-secret".into());
    scene.advance_ms(61_000);
    assert_eq!(scene.app.deliver().await, 5);
    let (persons, notes) = scene.vendor.persons_and_notes(&scene.crm);
    assert_eq!((persons.len(), notes.len(), scene.deliveries("sent").await.len()), (5, 5, 5));
    scene.stop().await;
}

/// Two people behind one switchboard are two leads, and two records in the CRM.
async fn colleagues_are_two_records(backend: Backend) {
    for vendor in Vendor::ALL {
        let scene = Scene::start(vendor, backend);
        let mut leads = BTreeSet::new();
        for email in ["tanaka@acme.example", "suzuki@acme.example"] {
            leads.insert(scene.lead(json!({ "email": email, "phone": "+81355550100" })).await);
        }
        assert_eq!((leads.len(), scene.hand_off().await), (2, 2), "{vendor:?}");
        let (persons, notes) = vendor.persons_and_notes(&scene.crm);
        assert_eq!((persons.len(), notes.len()), (2, 2), "{vendor:?}: {persons:?}");
        let text = format!("{persons:?}");
        assert!(text.contains("tanaka@acme") && text.contains("suzuki@acme"), "{text}");
        scene.stop().await;
    }
}

/// Somebody who refused tracking and left a phone number is still a lead, with one record.
async fn a_lead_with_only_a_phone(backend: Backend) {
    for vendor in Vendor::ALL {
        let scene = Scene::start(vendor, backend);
        for _ in 0..2 {
            let contact = json!({ "phone": "+33 6 12 34 56 78", "last_name": "A" });
            let made = scene.app.post_lead(&json!({ "contact": contact })).await;
            assert_eq!(made.status, 201, "{}", made.text);
            assert_eq!(scene.hand_off().await, 1, "{vendor:?}");
            scene.advance_ms(60_000);
        }
        let (persons, notes) = vendor.persons_and_notes(&scene.crm);
        assert_eq!((persons.len(), notes.len()), (1, 2), "{vendor:?}: {persons:?}");
        assert!(persons[0].to_string().contains("+33612345678"), "{persons:?}");
        assert_eq!(vendor.field(&persons[0], "first_click_source"), Value::Null);
        scene.stop().await;
    }
}
