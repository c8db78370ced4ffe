//! Deliveries with trouble beyond one lead: missing rights, slow calls, leases that run out.

use serde_json::json;
use standin::{Fault, When};
use tests::crm::{Scene, Vendor};
use tests::load::until;
use tests::storage::Backend;

tests::both_stores!(
    leads_are_delivered_without_rights_to_declare_fields,
    a_missing_required_field_pauses,
    a_hand_off_that_takes_long_holds_up_no_other_lead,
    a_lease_that_runs_out_ends_its_hand_off,
);

/// However many deliveries are under way when the first fields are left out.
async fn leads_are_delivered_without_rights_to_declare_fields(backend: Backend) {
    let contacts = ["crm.objects.contacts.read", "crm.objects.contacts.write"];
    for more in [&[][..], &["crm.schemas.contacts.read"]] {
        let scene = Scene::start(Vendor::Hubspot, backend);
        let scopes = contacts.iter().chain(more).map(|scope| (*scope).to_owned()).collect();
        scene.crm.set(|settings| settings.scopes = Some(scopes));
        for number in 0..8 {
            scene.lead(json!({ "email": format!("{number}@example.com") })).await;
        }
        assert_eq!(scene.hand_off().await, 8);
        let (persons, notes) = scene.vendor.persons_and_notes(&scene.crm);
        let waiting = (scene.deliveries("retry").await, scene.deliveries("dead").await);
        assert_eq!((persons.len(), notes.len()), (8, 8), "{waiting:?}");
        assert_eq!(scene.deliveries("sent").await.len(), 8, "{waiting:?}");
        scene.stop().await;
    }
}

/// If a required field is missing, every lead would be refused: they wait until it is fixed, and
/// none is lost.
async fn a_missing_required_field_pauses(backend: Backend) {
    let scene = Scene::start(Vendor::Hubspot, backend);
    let body = json!({
        "status": "error", "category": "VALIDATION_ERROR",
        "message": "Property values were not valid: [{\"isValid\":false,\"message\":\"Property \\\"key\\\" does not exist\",\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"key\"}]",
    });
    let (path, times) = ("batch/upsert".into(), 2);
    scene.crm.fail(Fault { path, times, status: 400, body: Some(body), ..Fault::default() });
    scene.lead(json!({ "email": "a@example.com" })).await;
    assert_eq!(scene.hand_off().await, 1);
    let waiting = scene.deliveries("retry").await;
    assert_eq!((waiting.len(), &waiting[0]["attempts"]), (1, &json!(0)), "{waiting:?}");
    assert!(waiting[0]["error"].as_str().unwrap().contains("unknown fields key"), "{waiting:?}");
    scene.lead(json!({ "email": "b@example.com" })).await;
    assert_eq!(scene.hand_off().await, 0, "no attempts while it is paused");
    scene.advance_ms(300_000);
    assert_eq!(scene.app.deliver().await, 2);
    assert_eq!(scene.deliveries("sent").await.len(), 2);
    scene.stop().await;
}

/// What falls due while another lead's delivery waits for a response starts beside it.
async fn a_hand_off_that_takes_long_holds_up_no_other_lead(backend: Backend) {
    let scene = Scene::start(Vendor::Hubspot, backend);
    scene.lead(json!({ "email": "slow@example.com" })).await;
    scene.advance_ms(9_000);
    scene.lead(json!({ "email": "quick@example.com" })).await;
    scene.advance_ms(1_000);
    let path = "contacts/slow".into();
    scene.crm.fail(Fault { path, delay_ms: 3_000, ..Fault::default() });
    let others = async {
        until("one is begun", async || scene.deliveries("sending").await.len() == 1).await;
        scene.advance_ms(9_000);
        until("the other is sent", async || scene.deliveries("sent").await.len() == 1).await;
        assert_eq!(scene.deliveries("sending").await.len(), 1, "they waited for the slow one");
    };
    let (attempts, ()) = tokio::join!(scene.app.deliver(), others);
    assert_eq!(attempts, 2);
    scene.stop().await;
}

/// A collector that stalled during a delivery makes no second note after another one made it.
async fn a_lease_that_runs_out_ends_its_hand_off(backend: Backend) {
    let scene = Scene::start(Vendor::Hubspot, backend);
    scene.lead(json!({ "email": "a@example.com" })).await;
    scene.advance_ms(10_000);
    // The response to the last call before the note.
    scene.crm.fail(Fault {
        path: "contacts/1".into(),
        status: 200,
        body: Some(json!({})),
        delay_ms: 2_000,
        when: When::After,
        ..Fault::default()
    });
    let other = async {
        until("the record is made", async || {
            !scene.vendor.persons_and_notes(&scene.crm).0.is_empty()
        })
        .await;
        scene.advance_ms(600_000);
        assert_eq!(scene.app.deliver().await, 1);
        assert_eq!(scene.deliveries("sent").await.len(), 1);
    };
    tokio::join!(scene.app.deliver(), other);
    let (persons, notes) = scene.vendor.persons_and_notes(&scene.crm);
    assert_eq!((persons.len(), notes.len()), (1, 1));
    assert_eq!(scene.deliveries("sent").await.len(), 1);
    scene.stop().await;
}
