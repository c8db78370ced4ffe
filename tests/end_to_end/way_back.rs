//! What happens to leads in their CRM comes back: by webhook, in any order and any number of times,
//! or by the poll if the webhook was lost.

use clew_connect::crm::record::RecordRef;
use serde_json::{Value, json};
use standin::Emit;
use tests::crm::{Scene, Vendor};
use tests::storage::Backend;

tests::both_stores!(
    a_deal_is_credited_changed_and_taken_back,
    webhooks_repeated_and_out_of_order_change_nothing_twice,
    forged_and_old_webhooks_are_refused,
    a_lost_webhook_is_found_by_the_poll,
    a_merged_record_is_followed,
    stages_come_back,
    an_unmatched_deal_is_stored,
    an_unavailable_record_is_read_later,
    a_deleted_contact_deletes_no_deal,
    a_late_search_reopens_no_deal,
    a_long_list_resumes_after_a_limit,
    a_missing_right_to_read_stops_no_delivery,
    an_unreadable_record_holds_up_no_other,
);

const NEVER: &str = "poll_minutes = 0";

/// Creates and delivers a lead. Returns its id and that of its record.
async fn handed_off(scene: &Scene) -> (String, String) {
    let lead = scene.lead(json!({ "email": "a@example.com", "last_name": "A" })).await;
    assert_eq!(scene.hand_off().await, 1);
    let record = scene.field(&lead, "crm_record_id").await;
    (lead, record.as_str().unwrap().to_owned())
}

/// The only deal of a lead, as the journey shows it.
async fn deal(scene: &Scene, lead: &str) -> Value {
    let journey = scene.app.get(&format!("/v1/leads/{lead}/journey")).await;
    let deals = journey.json["deals"].as_array().unwrap();
    assert_eq!(deals.len(), 1, "{}", journey.text);
    deals[0].clone()
}

/// A deal's status, revenue, events, and shares by the first and the last click.
fn summary(deal: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let events = deal["ledger"].as_array().unwrap().iter().map(|entry| text(&entry["kind"]));
    let revenue = deal["revenue"].as_array().unwrap().iter().map(|sum| text(&sum["amount"]));
    let shares = deal["credit"].as_array().unwrap().iter().take(2).map(|credit| {
        let touches = credit["touches"].as_array().unwrap();
        let touches =
            touches.iter().map(|touch| format!("#{} {}", touch["n"], text(&touch["amount"])));
        format!("{} {}", text(&credit["model"]), touches.collect::<Vec<_>>().join(", "))
    });
    format!(
        "{}: {} [{}] {}",
        text(&deal["status"]),
        revenue.collect::<Vec<_>>().join(" "),
        events.collect::<Vec<_>>().join(" "),
        shares.collect::<Vec<_>>().join("; ")
    )
}

async fn a_deal_is_credited_changed_and_taken_back(backend: Backend) {
    for vendor in Vendor::ALL {
        let scene = Scene::start_with(vendor, backend, NEVER);
        let (lead, record) = handed_off(&scene).await;
        let id = scene.deal(&record, "1200").await;
        for (change, stage, expected) in [
            (("open", None), "opportunity", "open:  [opened] "),
            (
                ("won", None),
                "customer",
                "won: 1200.00 [opened won] first #1 1200.00; last #1 1200.00",
            ),
            (
                ("", Some("1500.50")),
                "customer",
                "won: 1500.50 [opened won amount_changed] first #1 1500.50; last #1 1500.50",
            ),
            (
                ("open", None),
                "opportunity",
                "open: 0.00 [opened won amount_changed reopened] first #1 0.00; last #1 0.00",
            ),
            (
                ("lost", None),
                "lost",
                "lost: 0.00 [opened won amount_changed reopened lost] first #1 0.00; last #1 0.00",
            ),
            (
                ("won", Some("900")),
                "customer",
                "won: 900.00 [opened won amount_changed reopened lost won] first #1 900.00; last #1 900.00",
            ),
        ] {
            scene.advance_ms(3_600_000);
            let sent = scene.change_deal(&id, scene.change(change.0, change.1), |_| {}).await;
            assert!(sent.iter().all(|sent| sent.acknowledged), "{sent:?}");
            assert!(scene.app.follow().await > 0, "{change:?}");
            assert_eq!(summary(&deal(&scene, &lead).await), expected, "{vendor:?} {change:?}");
            assert_eq!(scene.field(&lead, "lead_stage").await, stage, "{change:?}");
            assert_eq!(scene.app.follow().await, 0, "{change:?}");
        }
        assert_eq!(scene.field(&lead, "crm_deal_id").await, json!(id));
        assert_eq!(scene.field(&lead, "revenue").await, "900.00");
        scene.stop().await;
    }
}

async fn webhooks_repeated_and_out_of_order_change_nothing_twice(backend: Backend) {
    for vendor in Vendor::ALL {
        let scene = Scene::start_with(vendor, backend, NEVER);
        let (lead, record) = handed_off(&scene).await;
        let id = scene.deal(&record, "1200").await;
        let change = scene.change("won", Some("1300"));
        let sent = scene.change_deal(&id, change, |emit| {
            emit.duplicates = 3;
            emit.shuffle = true;
        });
        let sent = sent.await;
        assert!(sent.iter().all(|sent| sent.acknowledged), "{sent:?}");
        let calls = scene.crm.log().len();
        assert_eq!(scene.app.follow().await, 1, "one record, however often it is named");
        let calls = scene.crm.log().split_off(calls);
        assert!(calls.len() <= 3, "{calls:?}");
        let expected = "won: 1300.00 [opened won] first #1 1300.00; last #1 1300.00";
        assert_eq!(summary(&deal(&scene, &lead).await), expected);
        // It is reported once more, later.
        let again = scene.change_deal(&id, scene.change("won", None), |_| {}).await;
        assert!(again.iter().all(|sent| sent.acknowledged), "{again:?}");
        scene.app.follow().await;
        assert_eq!(summary(&deal(&scene, &lead).await), expected);
        scene.stop().await;
    }
}

async fn forged_and_old_webhooks_are_refused(backend: Backend) {
    let scene = Scene::start_with(Vendor::Hubspot, backend, NEVER);
    let (lead, record) = handed_off(&scene).await;
    let id = scene.deal(&record, "1200").await;
    let forged: fn(&mut Emit) = |emit| emit.bad_signature = true;
    let old: fn(&mut Emit) = |emit| emit.timestamp_offset_ms = -301_000;
    let early: fn(&mut Emit) = |emit| emit.timestamp_offset_ms = 301_000;
    for configure in [forged, old, early] {
        let sent = scene.change_deal(&id, scene.change("won", None), configure).await;
        assert!(sent.iter().all(|sent| sent.status == Some(401)), "{sent:?}");
        assert_eq!(scene.app.follow().await, 0);
        scene.change_deal(&id, scene.change("open", None), |emit| emit.lost = true).await;
    }
    let journey = scene.app.get(&format!("/v1/leads/{lead}/journey")).await;
    assert_eq!(journey.json["deals"], json!([]));
    assert_eq!(scene.app.metric("clew_api_answers_total{answer=\"not_signed\"}").await, 3);
    // At the limits of what is accepted: five minutes, both ways.
    for offset_ms in [-300_000, 300_000] {
        let sent = scene.change_deal(&id, scene.change("won", None), |emit| {
            emit.timestamp_offset_ms = offset_ms
        });
        assert!(sent.await.iter().all(|sent| sent.acknowledged), "{offset_ms}");
    }
    assert_eq!(scene.app.follow().await, 1);
    // No signature, and no such connection.
    let bare = scene.app.post("/hooks/hubspot", &json!([])).await;
    assert_eq!((bare.status, &bare.json["type"]), (401, &json!("/problems/not_signed")));
    assert_eq!(scene.app.post("/hooks/nobody", &json!([])).await.status, 404);
    scene.stop().await;
}

async fn a_lost_webhook_is_found_by_the_poll(backend: Backend) {
    for vendor in Vendor::ALL {
        let scene = Scene::start(vendor, backend);
        let (lead, record) = handed_off(&scene).await;
        scene.app.follow().await;
        let id = scene.deal(&record, "1200").await;
        scene.advance_ms(60_000);
        let sent = scene.change_deal(&id, scene.change("won", None), |emit| emit.lost = true).await;
        assert!(sent.is_empty(), "{sent:?}");
        assert_eq!(scene.app.follow().await, 0, "no poll is due yet");
        scene.advance_ms(300_000);
        assert!(scene.app.follow().await > 0);
        let expected = "won: 1200.00 [opened won] first #1 1200.00; last #1 1200.00";
        assert_eq!(summary(&deal(&scene, &lead).await), expected, "{vendor:?}");
        // The webhook arrives after all, and the next poll sees the same change once more.
        scene.change_deal(&id, scene.change("won", None), |_| {}).await;
        scene.advance_ms(300_000);
        scene.app.follow().await;
        assert_eq!(summary(&deal(&scene, &lead).await), expected, "{vendor:?}");
        scene.stop().await;
    }
}

/// The lead's contact is merged into another, whose deals become the lead's.
async fn a_merged_record_is_followed(backend: Backend) {
    let scene = Scene::start_with(Vendor::Hubspot, backend, NEVER);
    let (lead, record) = handed_off(&scene).await;
    let other = scene.crm.put("contact", &json!({ "email": "a.b@example.com" })).unwrap();
    let merge = Emit {
        object: "contact".into(),
        id: other.clone(),
        event: Some("contact.merge".into()),
        merged: Some(record.clone()),
        ..Emit::default()
    };
    assert!(scene.crm.emit(&merge).await.unwrap().iter().all(|sent| sent.acknowledged));
    scene.app.follow().await;
    let now = scene.field(&lead, "crm_record_id").await;
    assert_ne!(now, json!(record));
    let id = scene.deal(now.as_str().unwrap(), "70").await;
    scene.change_deal(&id, scene.change("won", None), |_| {}).await;
    scene.app.follow().await;
    assert!(summary(&deal(&scene, &lead).await).starts_with("won: 70.00"));
    // The next conversion is delivered to the remaining record.
    scene.lead(json!({ "email": "a@example.com", "last_name": "A" })).await;
    assert_eq!(scene.hand_off().await, 1);
    assert_eq!(scene.field(&lead, "crm_record_id").await, now);
    scene.stop().await;
}

async fn stages_come_back(backend: Backend) {
    let scene = Scene::start_with(Vendor::Hubspot, backend, NEVER);
    let (lead, record) = handed_off(&scene).await;
    for (stage, expected) in
        [("marketingqualifiedlead", "mql"), ("salesqualifiedlead", "sql"), ("customer", "customer")]
    {
        scene.advance_ms(86_400_000);
        let emit = Emit {
            object: "contact".into(),
            id: record.clone(),
            change: json!({ "lifecyclestage": stage }).as_object().unwrap().clone(),
            ..Emit::default()
        };
        scene.crm.emit(&emit).await.unwrap();
        scene.app.follow().await;
        assert_eq!(scene.field(&lead, "lead_stage").await, expected);
    }
    assert_eq!(scene.field(&lead, "mql_at").await, "2026-11-22T10:00:10Z");
    let journey = scene.app.get(&format!("/v1/leads/{lead}/journey")).await.json;
    let stages: Vec<_> = journey["stages"].as_array().unwrap().iter().collect();
    let by = stages.iter().map(|stage| format!("{} {}", stage["to"], stage["by"]));
    let expected = [
        r#""lead" "rule""#,
        r#""mql" "crm:hubspot""#,
        r#""sql" "crm:hubspot""#,
        r#""opportunity" "crm:hubspot""#,
        r#""customer" "crm:hubspot""#,
    ];
    assert_eq!(by.collect::<Vec<_>>(), expected);
    scene.stop().await;
}

async fn an_unmatched_deal_is_stored(backend: Backend) {
    let scene = Scene::start_with(Vendor::Hubspot, backend, NEVER);
    let stranger = scene.crm.put("contact", &json!({ "email": "stranger@example.com" })).unwrap();
    let id = scene.deal(&stranger, "5000").await;
    scene.change_deal(&id, scene.change("won", None), |emit| emit.duplicates = 1).await;
    scene.app.follow().await;
    let unmatched = scene.app.get("/v1/unmatched").await.json["unmatched"].clone();
    assert_eq!(unmatched.as_array().unwrap().len(), 1, "{unmatched}");
    assert_eq!(
        (&unmatched[0]["kind"], &unmatched[0]["amount"]),
        (&json!("won"), &json!("5000.00"))
    );
    let names = unmatched[0]["names"].to_string();
    assert!(names.contains("email:stranger@example.com") && names.contains(&id), "{names}");
    scene.stop().await;
}

/// A webhook is answered at once. If the CRM is down when the record is to be read, the record
/// waits.
async fn an_unavailable_record_is_read_later(backend: Backend) {
    let scene = Scene::start_with(Vendor::Hubspot, backend, NEVER);
    let (lead, record) = handed_off(&scene).await;
    let id = scene.deal(&record, "1200").await;
    scene.change_deal(&id, scene.change("won", None), |_| {}).await;
    scene.crm.fail(standin::Fault { status: 503, times: 2, ..standin::Fault::default() });
    for _ in 0..2 {
        assert_eq!(scene.app.follow().await, 0, "nothing could be read");
        assert_eq!(scene.app.follow().await, 0, "it is not called for a while");
        scene.advance_ms(120_000);
    }
    // A restart loses nothing.
    let Scene { crm, app, clock, .. } = scene;
    let url = app.url.clone();
    let storage = app.stop().await;
    let settings = Vendor::Hubspot.settings(crm.url(), NEVER);
    let app = tests::app::TestApp::start_with(storage, &settings, clock.clone());
    assert_ne!(app.url, url);
    let scene = Scene { vendor: Vendor::Hubspot, crm, app, clock };
    assert_eq!(scene.app.follow().await, 1);
    assert!(summary(&deal(&scene, &lead).await).starts_with("won: 1200.00"));
    scene.stop().await;
}

/// Contacts and deals are numbered separately: a contact can have the number of a deal.
async fn a_deleted_contact_deletes_no_deal(backend: Backend) {
    let scene = Scene::start_with(Vendor::Hubspot, backend, NEVER);
    let (lead, record) = handed_off(&scene).await;
    let id = scene.deal(&record, "1200").await;
    scene.change_deal(&id, scene.change("won", None), |_| {}).await;
    assert_eq!(scene.app.follow().await, 1);
    let gone = Emit {
        object: "contact".into(),
        id: id.clone(),
        event: Some("contact.propertyChange".into()),
        ..Emit::default()
    };
    assert!(scene.crm.emit(&gone).await.unwrap().iter().all(|sent| sent.acknowledged));
    assert_eq!(scene.app.follow().await, 1);
    let expected = "won: 1200.00 [opened won] first #1 1200.00; last #1 1200.00";
    assert_eq!(summary(&deal(&scene, &lead).await), expected);
    scene.stop().await;
}

/// HubSpot's searches lag its records by seconds.
async fn a_late_search_reopens_no_deal(backend: Backend) {
    let scene = Scene::start(Vendor::Hubspot, backend);
    let (lead, record) = handed_off(&scene).await;
    scene.app.follow().await;
    let id = scene.deal(&record, "1200").await;
    scene.advance_ms(300_000);
    scene.change_deal(&id, scene.change("won", None), |_| {}).await;
    let late = json!({ "total": 1, "results": [{
        "id": id,
        "properties": {
            "dealstage": "contractsent", "pipeline": "default", "amount": "1200",
            "hs_is_closed": "false", "hs_is_closed_won": "false",
            "createdate": "2026-11-21T10:00:10Z", "hs_lastmodifieddate": "2026-11-21T10:00:10Z",
        },
        "createdAt": "2026-11-21T10:00:10Z", "updatedAt": "2026-11-21T10:00:10Z", "archived": false,
    }] });
    let fault = standin::Fault { path: "deals/search".into(), ..standin::Fault::default() };
    scene.crm.fail(standin::Fault { status: 200, body: Some(late), ..fault });
    assert!(scene.app.follow().await > 1);
    let expected = "won: 1200.00 [opened won] first #1 1200.00; last #1 1200.00";
    assert_eq!(summary(&deal(&scene, &lead).await), expected);
    scene.stop().await;
}

/// More contacts than there are searches before the next limit; the list is resumed again and
/// again.
async fn a_long_list_resumes_after_a_limit(backend: Backend) {
    let scene = Scene::start(Vendor::Hubspot, backend);
    let (lead, record) = handed_off(&scene).await;
    for _ in 0..1_250 {
        scene.crm.put("contact", &json!({})).unwrap();
        scene.crm.advance_ms(1);
    }
    let id = scene.deal(&record, "1200").await;
    scene.change_deal(&id, scene.change("won", None), |emit| emit.lost = true).await;
    scene.crm.set(|settings| settings.searches_per_second = 2);
    let mut looks = 0;
    while scene.app.get(&format!("/v1/leads/{lead}/journey")).await.json["deals"] == json!([]) {
        scene.app.follow().await;
        scene.advance_ms(1_000);
        looks += 1;
        assert!(looks < 20, "the list never ends");
    }
    assert!(summary(&deal(&scene, &lead).await).starts_with("won: 1200.00"));
    scene.stop().await;
}

/// A key that cannot read deals.
async fn a_missing_right_to_read_stops_no_delivery(backend: Backend) {
    let scene = Scene::start(Vendor::Hubspot, backend);
    let body = json!({ "status": "error", "category": "MISSING_SCOPES", "message": "no deals" });
    let fault = standin::Fault { path: "deals/search".into(), ..standin::Fault::default() };
    scene.crm.fail(standin::Fault { status: 403, times: 100, body: Some(body), ..fault });
    scene.app.follow().await;
    let (lead, _) = handed_off(&scene).await;
    assert_eq!(scene.field(&lead, "crm_sync_status").await, "sent");
    scene.stop().await;
}

async fn an_unreadable_record_holds_up_no_other(backend: Backend) {
    let scene = Scene::start_with(Vendor::Hubspot, backend, NEVER);
    let (lead, record) = handed_off(&scene).await;
    let id = scene.deal(&record, "1200").await;
    let unreadable = RecordRef { object: "company".into(), id: "1".into() };
    scene.app.app.inbox.put("hubspot", &[unreadable]).await.unwrap();
    scene.change_deal(&id, scene.change("won", None), |_| {}).await;
    scene.app.follow().await;
    assert!(summary(&deal(&scene, &lead).await).starts_with("won: 1200.00"));
    let (waits, _) = scene.app.app.inbox.page("hubspot", None, 10).await.unwrap();
    assert_eq!(waits.len(), 1);
    let entry = &waits[0].entry;
    let error = entry.error.as_deref().unwrap();
    assert!(
        entry.failures == 1 && error.contains("records of the kind `company` are not read"),
        "{error}"
    );
    scene.stop().await;
}
