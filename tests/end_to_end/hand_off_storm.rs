//! A CRM where three requests in ten fail, in every way they can: each lead is there once, and none
//! is lost.

use futures_util::StreamExt;
use futures_util::stream::iter;
use serde_json::{Value, json};
use standin::{Fault, When};
use std::collections::BTreeSet;
use tests::crm::{Scene, Vendor};
use tests::storage::Backend;

const LEADS: usize = 2_000;
/// The longest that it may take.
const LONGEST_MS: i64 = 7 * 86_400_000;

#[actix_web::test]
async fn each_lead_is_there_once_for_hubspot() {
    storm(Vendor::Hubspot).await;
}

#[actix_web::test]
async fn each_lead_is_there_once_for_salesforce() {
    storm(Vendor::Salesforce).await;
}

/// The percentages of requests that fail in each way; about thirty in all, because one fault may
/// hide another.
fn faults(vendor: Vendor) -> Vec<Fault> {
    let error = |status: u16, percent: u8, body: Value| Fault {
        status,
        percent,
        times: u32::MAX,
        body: Some(body),
        ..Fault::default()
    };
    let (limit, invalid, session) = match vendor {
        Vendor::Hubspot => (
            error(
                429,
                5,
                json!({ "status": "error", "policyName": "SECONDLY", "errorType": "RATE_LIMIT", "message": "You have reached your secondly limit." }),
            ),
            error(
                400,
                5,
                json!({ "status": "error", "category": "VALIDATION_ERROR", "correlationId": "c", "message": "a rule says no" }),
            ),
            error(
                401,
                5,
                json!({ "status": "error", "category": "INVALID_AUTHENTICATION", "message": "Authentication credentials not found." }),
            ),
        ),
        Vendor::Salesforce => (
            error(
                403,
                5,
                json!([{ "errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "ConcurrentPerOrgLongTxn Limit exceeded." }]),
            ),
            error(
                400,
                5,
                json!([{ "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "a rule says no" }]),
            ),
            error(
                401,
                5,
                json!([{ "errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid" }]),
            ),
        ),
    };
    let unavailable = |status: u16, percent: u8| error(status, percent, json!("away"));
    vec![
        limit,
        invalid,
        session,
        unavailable(500, 5),
        unavailable(503, 5),
        unavailable(408, 4),
        // The work is done, and the response is lost.
        Fault { when: When::After, ..unavailable(502, 5) },
        Fault {
            when: When::After,
            body: Some(json!("{ broken")),
            status: 200,
            ..unavailable(200, 4)
        },
    ]
}

async fn storm(vendor: Vendor) {
    // The default schedule takes days; the number of attempts is the same.
    let scene = Scene::start_adjusted(vendor, Backend::Sled, "poll_minutes = 0", |config| {
        config.delivery.retry_seconds = vec![5, 30, 60, 120, 300, 300, 300, 300, 300];
        // Attempts under way when a limit is hit start over: with fewer of them the storm ends
        // sooner.
        config.delivery.concurrency = 8;
    });
    // HubSpot's refresh tokens do not rotate. Nobody can recover a token that works once and whose
    // response was lost.
    scene.crm.set(|settings| settings.rotate_refresh_tokens = false);
    let make = async |number| {
        let contact =
            json!({ "email": format!("{number}@example.com"), "last_name": format!("L{number}") });
        let made = scene.app.post_lead(&json!({ "contact": contact })).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json["lead"]["id"].as_str().unwrap().to_owned()
    };
    let leads: BTreeSet<String> = iter(0..LEADS).map(make).buffer_unordered(16).collect().await;
    assert_eq!(leads.len(), LEADS);
    // An operator declares the fields before leads come.
    let settings = scene.app.app.settings.get();
    let connection =
        settings.connection(&scene.app.app.connections, vendor.name()).unwrap().unwrap();
    connection.crm.fields().unwrap().declare(&connection.fields).await.unwrap();
    faults(vendor).into_iter().for_each(|fault| scene.crm.fail(fault));
    scene.advance_ms(10_000);
    let begun_ms = scene.clock.now_ms();
    let mut attempts = 0;
    loop {
        let made = scene.app.deliver().await;
        attempts += made;
        if made > 0 {
            scene.advance_ms(2_000);
            continue;
        }
        if scene.waits().await {
            assert!(scene.clock.now_ms() < begun_ms + LONGEST_MS, "some deliveries still wait");
            scene.advance_ms(60_000);
            continue;
        }
        // Dead letters are replayed by hand, as an operator would.
        let dead = scene.deliveries("dead").await;
        if dead.is_empty() {
            break;
        }
        for dead in dead {
            let path = format!("/v1/deliveries/{}/replay", dead["id"].as_str().unwrap());
            assert_eq!(scene.app.post(&path, &Value::Null).await.status, 202);
        }
    }
    let (persons, notes) = vendor.persons_and_notes(&scene.crm);
    assert_eq!((persons.len(), notes.len()), (LEADS, LEADS));
    let there: BTreeSet<String> = persons
        .iter()
        .map(|person| vendor.field(person, "lead_id").as_str().unwrap().to_owned())
        .collect();
    assert_eq!(there, leads);
    let marker = |note: &Value| {
        let text = note.to_string();
        let (_, rest) = text.split_once("clew-journey:").unwrap();
        rest.split(':').next().unwrap().to_owned()
    };
    assert_eq!(notes.iter().map(marker).collect::<BTreeSet<_>>(), leads);
    let failed =
        scene.crm.log().iter().filter(|call| call.status >= 400 && call.status != 404).count();
    let share = failed as f64 / scene.crm.log().len() as f64;
    assert!(share > 0.15, "only {share} of the requests failed");
    #[expect(clippy::print_stdout, reason = "the storm's strength is worth reading")]
    let () = println!(
        "{LEADS} leads in {attempts} attempts and {} s; {:.0} % of {} requests failed",
        (scene.clock.now_ms() - begun_ms) / 1000,
        share * 100.0,
        scene.crm.log().len()
    );
    scene.stop().await;
}
