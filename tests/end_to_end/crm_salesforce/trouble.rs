//! Refusals by Salesforce, tokens, limits and outages.

use super::support::{NOW_MS, Org, TOKEN, anna, assert_holds, lead, note};
use clew_connect::CallError;
use futures_util::future::join_all;
use serde_json::{Value, json};
use shared::fields::catalogue::{CORE, Field, find};
use standin::{Fault, Limit, Standin};

#[actix_web::test]
async fn row_4_fields_that_are_missing_are_declared() {
    let org = Org::bare(json!({}));
    let anna = anna();
    let Err(CallError::UnknownField { names, message }) = org.push(&anna).await else {
        panic!("the fields do not exist");
    };
    // All of them, not only the first that the vendor names.
    assert_eq!(names.len(), anna.values.len(), "{names:?}");
    assert!(message.contains("No such column 'Clew_Lead_Id__c'"), "{message}");
    assert!(org.all("Lead").is_empty());
    org.declare().await;
    assert!(org.push(&anna).await.unwrap().created);

    // A field that the user cannot see, in an organization that will not permit it.
    let mut more = anna.clone();
    more.values.push((find("company").unwrap(), json!("Acme")));
    let Err(CallError::UnknownField { names, .. }) = org.push(&more).await else {
        panic!("the field is not visible");
    };
    assert_eq!(names, ["Clew_Company__c"]);
    org.standin.stop().await;
}

#[actix_web::test]
async fn declaring_again_changes_nothing() {
    let fields: Vec<&'static Field> = CORE.iter().filter_map(|name| find(name)).collect();
    let org = Org::bare(json!({}));
    let first = org.crm.declare(&fields).await.unwrap();
    org.advance_ms(10_000);
    let again = org.crm.declare(&fields).await.unwrap();
    assert_eq!((first.fields.len(), again.fields.len()), (CORE.len(), CORE.len()));
    assert!(first.fields.iter().all(|field| field.made));
    assert!(again.fields.iter().all(|field| !field.made));
    for (name, there, kind) in [
        ("lead_id", "Clew_Lead_Id__c", "Text(36)"),
        ("first_click_source", "Clew_First_Click_Source__c", "Text(255)"),
        ("first_click_at", "Clew_First_Click_At__c", "DateTime"),
        ("visits_count", "Clew_Visits_Count__c", "Number"),
        ("first_click_landing_page", "Clew_First_Click_Landing_Page__c", "LongTextArea(32768)"),
        ("journey_summary", "Clew_Journey_Summary__c", "LongTextArea(32768)"),
    ] {
        for declared in [&first, &again] {
            let field = declared.fields.iter().find(|field| field.name == name).unwrap();
            assert_eq!((&*field.there, &*field.kind), (there, kind));
        }
    }
    assert_eq!(again.advice.len(), 1, "{:?}", again.advice);
    assert!(again.advice[0].contains("Map Lead Fields"));
    let custom = org.standin.records()["customFields"].as_array().unwrap().clone();
    assert_eq!(custom.len(), 2 * CORE.len());
    assert!(custom.iter().all(|field| field["read"] == true && field["edit"] == true));
    org.standin.stop().await;

    // Without a permission set nobody sees the fields; declaring again does not create them again.
    let org = Org::bare(json!({ "permission_set": null }));
    let declared = org.crm.declare(&fields).await.unwrap();
    assert!(declared.advice[0].contains("permission set"), "{:?}", declared.advice);
    org.advance_ms(10_000);
    let made = org.requests("POST", "/tooling/");
    org.crm.declare(&fields).await.unwrap();
    assert_eq!((made, org.requests("POST", "/tooling/")), (2 * CORE.len(), made));
    // Another process finds that they exist.
    let other = Org::with(org.standin, json!({}), json!({}));
    let declared = other.crm.declare(&fields).await.unwrap();
    assert!(declared.fields.iter().all(|field| !field.made));
    other.advance_ms(10_000);
    assert!(other.push(&anna()).await.unwrap().created);
    other.standin.stop().await;
}

#[actix_web::test]
async fn a_field_that_was_deleted_is_declared_again() {
    let org = Org::start().await;
    assert!(org.push(&anna()).await.unwrap().created);
    // The organization is reset.
    org.standin.reset();
    org.advance_ms(600_000);
    assert!(matches!(org.push(&anna()).await, Err(CallError::UnknownField { .. })));
    org.declare().await;
    assert!(org.push(&anna()).await.unwrap().created);
    org.standin.stop().await;
}

#[actix_web::test]
async fn every_field_can_be_declared_within_the_limits() {
    let org = Org::bare(json!({}));
    let fields: Vec<&'static Field> = shared::fields::catalogue::catalogue().iter().collect();
    let mut rounds = 0;
    let declared = loop {
        rounds += 1;
        match org.crm.declare(&fields).await {
            Err(CallError::RateLimited { until_ms, .. }) => {
                org.advance_ms((until_ms - org.clock.now_ms()).max(10_000));
            }
            done => break done.unwrap(),
        }
        assert!(rounds < 10, "no progress");
    };
    assert_eq!(declared.fields.len(), fields.len());
    let custom = org.standin.records()["customFields"].as_array().unwrap().len();
    assert_eq!(custom, 2 * fields.len());
    org.standin.stop().await;
}

#[actix_web::test]
async fn row_5_one_token_for_twenty_pushes() {
    let org = Org::start().await;
    let before = org.requests("POST", TOKEN);
    org.standin.expire_tokens(false);
    let leads: Vec<_> = (0..20)
        .map(|number| lead(number, json!({ "email": format!("{number}@example.com") })))
        .collect();
    for pushed in join_all(leads.iter().map(|lead| org.push(lead))).await {
        assert!(pushed.unwrap().created);
    }
    assert_eq!((org.requests("POST", TOKEN) - before, org.all("Lead").len()), (1, 20));
    // Revoked credentials.
    org.standin.expire_tokens(true);
    let Err(CallError::Auth(message)) = org.crm.probe().await else { panic!("they are revoked") };
    assert!(message.contains("invalid_grant") && !message.contains("secret"), "{message}");
    org.standin.stop().await;
}

#[actix_web::test]
async fn ways_to_get_a_token() {
    let key = include_str!("../../../collector/connect/src/token/throwaway-key.pem");
    for (settings, grant) in [
        (json!({}), "client_credentials"),
        (json!({ "refresh_token": "standin-refresh" }), "refresh_token"),
        (
            json!({ "client_secret": null, "private_key": key, "user": "clew@example.com" }),
            "jwt-bearer",
        ),
    ] {
        let org = Org::bare(settings);
        // The second time with the refresh token that replaced the first.
        for _ in 0..3 {
            org.crm.probe().await.unwrap();
            org.standin.expire_tokens(false);
        }
        let log = org.standin.log();
        let tokens: Vec<_> = log.iter().filter(|one| one.path == TOKEN).collect();
        assert_eq!(tokens.len(), 3, "{grant}");
        assert!(tokens.iter().all(|one| one.status == 200), "{grant}");
        assert!(tokens.iter().all(|one| one.body.to_string().contains(grant)), "{grant}");
        org.standin.stop().await;
    }
}

#[actix_web::test]
async fn row_6_limits_are_waited_for() {
    for (policy, wait_ms) in [("TotalRequests", 900_000), ("ConcurrentPerOrgLongTxn", 5_000)] {
        let org = Org::start().await;
        let now_ms = org.clock.now_ms();
        let policy = Some(policy.to_owned());
        org.standin.limit(&Limit { next: 3, policy, ..Limit::default() }).unwrap();
        let anna = anna();
        for attempt in 0..3 {
            let Err(CallError::RateLimited { until_ms, .. }) = org.push(&anna).await else {
                panic!("attempt {attempt} should have been refused");
            };
            assert_eq!(until_ms, now_ms + (attempt + 1) * wait_ms);
            // No call is made before that.
            let calls = org.standin.log().len();
            assert!(matches!(org.crm.probe().await, Err(CallError::RateLimited { .. })));
            assert_eq!(org.standin.log().len(), calls);
            org.advance_ms(wait_ms);
        }
        assert!(org.push(&anna).await.unwrap().created);
        org.standin.stop().await;
    }
}

#[actix_web::test]
async fn low_limits_stop_new_work_and_let_begun_work_end() {
    for (daily, remaining, rest_ms) in [(1_000, 99, 5_000), (1_000, 1, 900_000)] {
        let org = Org::start().await;
        org.standin.set(|settings| settings.daily = daily);
        let limit = Limit { remaining: Some(remaining), ..Limit::default() };
        org.standin.limit(&limit).unwrap();
        let throttle = &org.crm.caller().throttle;
        assert!(throttle.free(org.clock.now_ms()) > 0);
        org.crm.probe().await.unwrap();
        let now_ms = org.clock.now_ms();
        assert_eq!(throttle.free(now_ms + rest_ms - 1), 0);
        assert!(throttle.free(now_ms + rest_ms) > 0);
        if remaining > 10 {
            assert!(org.push(&anna()).await.unwrap().created);
        }
        org.standin.stop().await;
    }
}

#[actix_web::test]
async fn row_7_bad_gateways_and_silence() {
    let org = Org::start().await;
    let anna = anna();
    let path = "/Lead/Clew_Lead_Id__c".to_owned();
    org.standin.fail(Fault { path: path.clone(), times: 2, ..Fault::default() });
    org.standin.fail(Fault { path, status: 200, delay_ms: 1_000, ..Fault::default() });
    for _ in 0..3 {
        assert!(matches!(org.push(&anna).await, Err(CallError::Transient { .. })));
    }
    let pushed = org.push(&anna).await.unwrap();
    assert_eq!(org.all("Lead").len(), 1);
    org.standin.fail(Fault { path: "/Task".into(), status: 503, ..Fault::default() });
    let note = note(&anna, 1);
    let failed = org.crm.attach(&pushed.record, &note, false).await;
    assert!(matches!(failed, Err(CallError::Transient { .. })));
    org.crm.attach(&pushed.record, &note, true).await.unwrap();
    assert_eq!(org.all("Task").len(), 1);
    org.standin.stop().await;
}

#[actix_web::test]
async fn row_8_and_9_refusals_and_false_successes() {
    let part = |status: u16, body: Value| {
        let part = |place: usize| {
            let reference = format!("part{place}");
            json!({ "body": body, "httpStatusCode": status, "referenceId": reference })
        };
        let parts = [3, 2, 1, 0].map(part);
        json!({ "compositeResponse": parts })
    };
    let busy = json!([{ "errorCode": "UNABLE_TO_LOCK_ROW", "message": "busy" }]);
    let transient =
        |message: &str| CallError::Transient { until_ms: None, message: message.into() };
    let upsert = "/Lead/Clew_Lead_Id__c";
    for (path, status, body, expected) in [
        (
            upsert,
            400,
            json!([{ "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "No.", "fields": ["Phone"] }]),
            CallError::Invalid(
                "Salesforce 400 FIELD_CUSTOM_VALIDATION_EXCEPTION: No. (Phone)".into(),
            ),
        ),
        ("/composite", 200, part(400, busy), transient("Salesforce 400 UNABLE_TO_LOCK_ROW: busy")),
        (
            "/composite",
            200,
            part(200, json!({})),
            transient("Salesforce's response has no list of records"),
        ),
        (
            "/composite",
            200,
            json!({ "compositeResponse": [] }),
            transient("Salesforce's response has no result for each part"),
        ),
        (
            "/composite",
            200,
            json!("<html>"),
            transient("Salesforce's response has no result for each part"),
        ),
        (
            upsert,
            201,
            json!({ "created": true }),
            transient("Salesforce's response has no id of the lead"),
        ),
        (
            upsert,
            200,
            json!({ "success": false, "errors": [{ "statusCode": "INVALID_EMAIL_ADDRESS", "message": "x" }] }),
            CallError::Invalid("Salesforce 200 INVALID_EMAIL_ADDRESS: x".into()),
        ),
        (
            upsert,
            400,
            json!([{ "errorCode": "INVALID_FIELD", "message": "No such column 'Title' on sobject of type Lead" }]),
            CallError::Invalid(
                "Salesforce 400 INVALID_FIELD: No such column 'Title' on sobject of type Lead; \
                 the integration's user cannot see that field"
                    .into(),
            ),
        ),
    ] {
        let org = Org::start().await;
        let path = path.to_owned();
        org.standin.fail(Fault { path, status, body: Some(body.clone()), ..Fault::default() });
        let failed = org.push(&anna()).await;
        assert_eq!(failed, Err(expected), "{body}");
        // Other leads go on.
        assert!(org.push(&lead(3, json!({ "email": "three@example.com" }))).await.unwrap().created);
        org.standin.stop().await;
    }
}

#[actix_web::test]
async fn refusals_that_a_second_call_solves() {
    let closed_list = json!([{
        "errorCode": "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "message": "bad value",
        "fields": ["LeadSource"],
    }]);
    let duplicate = |id: &str| {
        let record = json!({ "attributes": { "type": "Contact" }, "Id": id });
        json!([{
            "errorCode": "DUPLICATES_DETECTED", "message": "Use one of these records?",
            "duplicateResult": { "matchResults": [{ "matchRecords": [{ "record": record }] }] },
        }])
    };
    let org = Org::start().await;
    let path = "/Lead/Clew_Lead_Id__c".to_owned();
    let fault =
        |status, body| Fault { path: path.clone(), status, body: Some(body), ..Fault::default() };
    org.standin.fail(fault(400, closed_list));
    let pushed = org.push(&anna()).await.unwrap();
    assert_holds(&org.one(&pushed.record), &json!({ "LeadSource": null, "LastName": "Berg" }));

    let contact = org.put("Contact", &json!({ "LastName": "Other", "Email": "ben@work.example" }));
    org.standin.fail(fault(400, duplicate(&contact.id)));
    let ben = lead(2, json!({ "email": "ben@example.com" }));
    assert_eq!(org.push(&ben).await.unwrap().record, contact);

    let third = org.put("Lead", &json!({ "LastName": "Third", "Company": "x" }));
    let address = format!("/services/data/v68.0/sobjects/Lead/{}", third.id);
    org.standin.fail(fault(300, json!([address])));
    let cleo = lead(3, json!({ "email": "cleo@example.com" }));
    assert_eq!(org.push(&cleo).await.unwrap().record, third);

    // A response without a body, as before version 46: the record is looked for again, and created.
    org.standin.fail(fault(204, json!("")));
    assert!(org.push(&lead(4, json!({ "email": "d@example.com" }))).await.unwrap().created);
    // A duplicate rule that only warns is bypassed.
    let header = "sforce-duplicate-rule-header";
    let log = org.standin.log();
    let patches = log.iter().filter(|one| one.method == "PATCH");
    assert!(patches.clone().count() > 0);
    assert!(
        patches.clone().all(|one| one.headers.get(header).is_some_and(|it| it == "allowSave=true"))
    );
    org.standin.stop().await;
}

#[actix_web::test]
async fn an_unreachable_organization() {
    let standin = Standin::salesforce().start().unwrap();
    let org = Org::with(standin, json!({ "login_url": "http://127.0.0.1:1" }), json!({}));
    let Err(CallError::Transient { message, .. }) = org.crm.probe().await else {
        panic!("nothing listens there");
    };
    assert!(!message.contains("127.0.0.1:1") && NOW_MS == org.clock.now_ms(), "{message}");
    org.standin.stop().await;
}
