//! Reading back: leads, opportunities, deletions, outbound messages.

use super::support::{HOOK_SECRET, NOW_MS, Org, anna, id};
use clew_connect::CallError;
use clew_connect::crm::adapter::Page;
use clew_connect::crm::record::{
    DealPerson, DealRecord, PersonRecord, RecordRef, RecordState, StageAt,
};
use clew_connect::crm::webhook::{Head, Received, Refused, Webhook};
use serde_json::{Map, Value, json};
use shared::deal::DealStatus;
use shared::lifecycle::Stage;
use standin::{Emit, Fault, Standin};
use std::collections::BTreeSet;

const HOUR_MS: i64 = 3_600_000;

fn reference(object: &str, id: &str) -> RecordRef {
    RecordRef { object: object.into(), id: id.into() }
}

async fn every_page(org: &Org, feed: &str, since_ms: i64) -> Vec<RecordState> {
    let (mut since_ms, mut changes) = (since_ms, Vec::new());
    for _ in 0..100 {
        let page = org.crm.changed(feed, since_ms).await.unwrap();
        changes.extend(page.changes);
        let Some(more_ms) = page.more_from_ms else { return changes };
        assert!(more_ms > since_ms, "the page would be read again forever");
        since_ms = more_ms;
    }
    panic!("the pages do not end");
}

#[actix_web::test]
async fn stages_of_leads() {
    let mapped = json!({ "stages": { "Working - Contacted": "sql", "Nurturing": "recycled" } });
    for (outer, status, expected) in [
        (json!({}), "Open - Not Contacted", Some((Stage::Lead, NOW_MS))),
        (json!({}), "Working - Contacted", Some((Stage::Mql, NOW_MS + HOUR_MS))),
        (json!({}), "Closed - Not Converted", Some((Stage::Lost, NOW_MS + HOUR_MS))),
        (json!({}), "Closed - Converted", None),
        (json!({}), "Nurturing", None),
        (mapped.clone(), "Working - Contacted", Some((Stage::Sql, NOW_MS + HOUR_MS))),
        (mapped, "Nurturing", Some((Stage::Recycled, NOW_MS + HOUR_MS))),
    ] {
        let org = Org::with(Standin::salesforce().start().unwrap(), json!({}), outer);
        org.declare().await;
        let fields = json!({
            "LastName": "Berg", "Company": "Acme", "Email": "anna@example.com", "Status": status,
            "Clew_Lead_Id__c": id(1).to_text(), "CreatedDate": "2026-11-21T10:00:00.000+0000",
        });
        org.advance_ms(HOUR_MS - 10_000);
        let record = org.put("Lead", &fields);
        let stages = expected.map(|(stage, at_ms)| StageAt { stage, at_ms, word: status.into() });
        let expected = RecordState::Person(PersonRecord {
            record: record.clone(),
            formerly: vec![],
            email: Some("anna@example.com".into()),
            lead: Some(id(1)),
            stages: stages.into_iter().collect(),
            changed_at_ms: NOW_MS + HOUR_MS,
        });
        assert_eq!(org.crm.read(&[record]).await.unwrap(), std::slice::from_ref(&expected));
        let page = Page { changes: vec![expected], more_from_ms: None };
        assert_eq!(org.crm.changed("Lead", NOW_MS).await.unwrap(), page);
        let later = org.crm.changed("Lead", NOW_MS + HOUR_MS + 1_000).await.unwrap();
        assert_eq!(later, Page { changes: vec![], more_from_ms: None });
        org.standin.stop().await;
    }
}

#[actix_web::test]
async fn row_14_a_converted_lead_is_its_contact() {
    let org = Org::start().await;
    let lead = org.push(&anna()).await.unwrap().record;
    org.advance_ms(HOUR_MS);
    let made = org.standin.act(&json!({ "convert": lead.id })).unwrap();
    let contact = reference("Contact", made["contact"].as_str().unwrap());
    let at_ms = org.clock.now_ms();
    let expected = RecordState::Person(PersonRecord {
        record: contact.clone(),
        formerly: vec![lead.clone()],
        email: Some("anna@example.com".into()),
        lead: Some(id(1)),
        stages: vec![StageAt { stage: Stage::Opportunity, at_ms, word: "IsConverted".into() }],
        changed_at_ms: at_ms,
    });
    assert_eq!(
        org.crm.changed("Lead", at_ms - 1_000).await.unwrap().changes,
        std::slice::from_ref(&expected)
    );
    assert_eq!(org.crm.read(&[lead]).await.unwrap(), [expected]);
    let deals = org.crm.changed("Opportunity", at_ms).await.unwrap().changes;
    let [RecordState::Deal(deal)] = &deals[..] else { panic!("{deals:?}") };
    let email = Some("anna@example.com".to_owned());
    let person = DealPerson { record: contact.clone(), email, is_primary: true };
    assert_eq!((&deal.persons[..], deal.status), (&[person][..], DealStatus::Open));
    let read = org.crm.read(&[contact]).await.unwrap();
    assert!(matches!(&read[..], [RecordState::Person(person)] if person.lead == Some(id(1))));
    org.standin.stop().await;
}

#[actix_web::test]
async fn deals_with_their_persons() {
    let org = Org::start().await;
    let [second, first] = ["ben", "anna"].map(|name| {
        let email = format!("{name}@example.com");
        org.put("Contact", &json!({ "LastName": name, "Email": email }))
    });
    let deal = org.put(
        "Opportunity",
        &json!({
            "Name": "Acme", "StageName": "Prospecting", "CloseDate": "2026-12-24",
            "Amount": 1200.5, "CreatedDate": "2026-11-01T00:00:00.000+0000",
        }),
    );
    for (contact, primary) in [(&second, false), (&first, true)] {
        org.put(
            "OpportunityContactRole",
            &json!({ "OpportunityId": deal.id, "ContactId": contact.id, "IsPrimary": primary }),
        );
    }
    let person = |record: &RecordRef, name: &str, is_primary| DealPerson {
        record: record.clone(),
        email: Some(format!("{name}@example.com")),
        is_primary,
    };
    let open = DealRecord {
        id: deal.id.clone(),
        status: DealStatus::Open,
        word: "Prospecting".into(),
        stage: None,
        amount: Some("1200.5".into()),
        currency: None,
        created_at_ms: 1_793_491_200_000,
        closed_at_ms: None,
        changed_at_ms: org.clock.now_ms(),
        persons: vec![person(&first, "anna", true), person(&second, "ben", false)],
        lead: None,
    };
    let read = org.crm.read(std::slice::from_ref(&deal)).await.unwrap();
    assert_eq!(read, [RecordState::Deal(open.clone())]);
    // An organization without currencies and without our field, which is requested only once.
    let refused = org.standin.log().iter().filter(|one| one.status == 400).count();
    org.crm.read(std::slice::from_ref(&deal)).await.unwrap();
    assert_eq!(org.standin.log().iter().filter(|one| one.status == 400).count(), refused);

    let midnight_ms = 1_795_219_200_000;
    for (stage, day, status, closed_at_ms) in [
        // Closed on that day: the exact time. Dated back: that day.
        ("Closed Won", "2026-11-21", DealStatus::Won, NOW_MS + HOUR_MS + 10_000),
        ("Closed Won", "2026-10-01", DealStatus::Won, 1_790_812_800_000),
        ("Closed Lost", "2026-11-21", DealStatus::Lost, NOW_MS + 3 * HOUR_MS + 10_000),
    ] {
        org.advance_ms(HOUR_MS);
        let change = json!({ "StageName": stage, "CloseDate": day });
        emit(&org, &deal, change).await;
        let [RecordState::Deal(closed)] =
            &org.crm.read(std::slice::from_ref(&deal)).await.unwrap()[..]
        else {
            panic!("expected one deal");
        };
        let expected = DealRecord {
            status,
            word: stage.into(),
            closed_at_ms: Some(closed_at_ms),
            changed_at_ms: org.clock.now_ms(),
            ..open.clone()
        };
        assert_eq!((closed, midnight_ms < NOW_MS), (&expected, true));
    }
    org.standin.stop().await;

    let standin = Standin::salesforce().settings(|settings| settings.multi_currency = true);
    let outer = json!({ "deal_stages": { "Qualification": "sql" } });
    let org = Org::with(standin.start().unwrap(), json!({}), outer);
    let deal = org.put(
        "Opportunity",
        &json!({
            "Name": "Acme", "StageName": "Qualification", "CloseDate": "2026-12-24",
            "CurrencyIsoCode": "CHF",
        }),
    );
    let [RecordState::Deal(deal)] = &org.crm.read(&[deal]).await.unwrap()[..] else { panic!() };
    assert_eq!((deal.currency.as_deref(), deal.stage), (Some("CHF"), Some(Stage::Sql)));
    assert_eq!((&deal.amount, &deal.persons[..]), (&None, &[][..]));
    org.standin.stop().await;
}

/// Changes a record without reporting it.
async fn emit(org: &Org, record: &RecordRef, change: Value) -> Vec<String> {
    let Value::Object(change) = change else { panic!("{change}") };
    let RecordRef { object, id } = record.clone();
    let emit = Emit { object, id, change, lost: true, ..Emit::default() };
    let made = org.standin.emit(&emit).await.unwrap();
    made.into_iter().map(|delivery| delivery.body).collect()
}

#[actix_web::test]
async fn row_13_an_unreported_change_is_found_page_by_page() {
    for at_once in [1, 7, 40] {
        let standin = Standin::salesforce().settings(|settings| settings.page_size = 5);
        let org = Org::with(standin.start().unwrap(), json!({}), json!({}));
        let mut expected = Vec::new();
        for number in 0..40 {
            if number % at_once == 0 {
                org.advance_ms(1_000);
            }
            let fields = json!({ "LastName": number.to_string(), "Company": "Acme" });
            expected.push(org.put("Lead", &fields));
        }
        // More changes in one second than fit on a page must not be read again and again.
        let changes = every_page(&org, "Lead", NOW_MS).await;
        let persons: Vec<_> = changes
            .iter()
            .map(|change| match change {
                RecordState::Person(person) => (person.changed_at_ms, person.record.clone()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(persons.is_sorted_by_key(|(at_ms, _)| *at_ms));
        let found: BTreeSet<_> = persons.into_iter().map(|(_, record)| record).collect();
        assert_eq!(found, expected.into_iter().collect::<BTreeSet<_>>());
        org.standin.stop().await;
    }
}

#[actix_web::test]
async fn deletions_are_found() {
    let org = Org::start().await;
    let records = ["Lead", "Opportunity"].map(|object| {
        org.put(
            object,
            &json!({
                "LastName": "Berg", "Company": "Acme", "Name": "Acme",
                "StageName": "Prospecting", "CloseDate": "2026-12-24",
            }),
        )
    });
    org.advance_ms(HOUR_MS);
    let token = org.crm.caller();
    let start_ms = org.clock.now_ms();
    for record in &records {
        let path = format!("/services/data/v68.0/sobjects/{}/{}", record.object, record.id);
        let request = clew_connect::call::Request {
            method: reqwest::Method::DELETE,
            ..clew_connect::call::Request::get(&path)
        };
        assert_eq!(token.call(&request).await.unwrap().status, 204);
        let gone = [match record.object.as_str() {
            "Opportunity" => RecordState::DealGone(record.id.clone()),
            _ => RecordState::PersonGone(record.clone()),
        }];
        let page = org.crm.changed(&record.object, start_ms).await.unwrap();
        assert_eq!(page, Page { changes: gone.to_vec(), more_from_ms: None });
        assert_eq!(org.crm.read(std::slice::from_ref(record)).await.unwrap(), gone);
        // Longer ago than Salesforce reports deletions.
        let later = org.crm.changed(&record.object, start_ms - 400 * 24 * HOUR_MS).await.unwrap();
        assert_eq!(later.changes, gone);
    }
    org.standin.stop().await;
}

#[actix_web::test]
async fn polls_that_fail_say_so() {
    let org = Org::start().await;
    org.standin.fail(Fault { path: "/query".into(), ..Fault::default() });
    assert!(matches!(org.crm.changed("Lead", NOW_MS).await, Err(CallError::Transient { .. })));
    for rows in [json!([{}]), json!([{ "Id": "00Q" }]), json!("x")] {
        let body = Some(json!({ "done": true, "records": rows }));
        org.standin.fail(Fault { path: "/query".into(), status: 200, body, ..Fault::default() });
        let failed = org.crm.changed("Opportunity", NOW_MS).await;
        assert!(matches!(failed, Err(CallError::Transient { .. })), "{failed:?}");
    }
    let unknown = org.crm.read(&[reference("Unicorn", "1")]).await;
    assert!(matches!(unknown, Err(CallError::Invalid(_))), "{unknown:?}");
    assert_eq!(org.crm.read(&[]).await.unwrap(), []);
    org.standin.stop().await;
}

fn receive(org: &Org, secret_path: &str, body: &[u8]) -> Result<Received, Refused> {
    let head = Head { secret_path, header: &|_| None, now_ms: NOW_MS };
    org.crm.receive(&Webhook { head, body })
}

#[actix_web::test]
async fn row_10_outbound_messages() {
    let org = Org::start().await;
    let deal = org.put(
        "Opportunity",
        &json!({ "Name": "A & <B>", "StageName": "Prospecting", "CloseDate": "2026-12-24" }),
    );
    // Nothing listens there; the stand-in records what it would have sent.
    org.standin.set(|settings| settings.target_url = Some("http://127.0.0.1:1/".into()));
    let message = async |record: &RecordRef, bad_signature| {
        let RecordRef { object, id } = record.clone();
        let change = Map::new();
        let emit = Emit { object, id, change, bad_signature, ..Emit::default() };
        org.standin.emit(&emit).await.unwrap().remove(0).body
    };
    let good = message(&deal, false).await;
    let received = receive(&org, HOOK_SECRET, good.as_bytes()).unwrap();
    assert_eq!(received.records, [deal]);
    assert_eq!(received.answer.0, "text/xml; charset=utf-8");
    assert!(received.answer.1.contains("<Ack>true</Ack>"));

    let foreign = message(&received.records[0], true).await;
    let task = org.put("Task", &json!({ "Subject": "x" }));
    let ignored = message(&task, false).await;
    assert_eq!(receive(&org, HOOK_SECRET, ignored.as_bytes()).unwrap().records, []);
    for (secret_path, body) in [
        ("", &*good),
        ("wrong", &good),
        (&HOOK_SECRET[..31], &good),
        (&HOOK_SECRET.to_uppercase(), &good),
        ("", "no message at all"),
        (HOOK_SECRET, &foreign),
    ] {
        let refused = receive(&org, secret_path, body.as_bytes());
        assert!(matches!(refused, Err(Refused::Signature(_))), "{refused:?}");
        // The secret is checked before the body is read.
        let head = Head { secret_path, header: &|_| None, now_ms: NOW_MS };
        assert_eq!(org.crm.admit(&head).is_ok(), secret_path == HOOK_SECRET, "{secret_path}");
    }
    let without = Org::with(org.standin, json!({ "hook_secret": null }), json!({}));
    assert!(matches!(receive(&without, "", good.as_bytes()), Err(Refused::Signature(_))));
    without.standin.stop().await;
}
