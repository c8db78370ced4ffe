//! Rows 13 and 14: HubSpot's records are read, and changes are found without a webhook.

use super::*;
use clew_connect::crm::note::{Note, NoteMarker};
use clew_connect::crm::record::{DealRecord, PersonRecord, RecordState};
use shared::deal::DealStatus;
use shared::lifecycle::Stage;
use standin::Emit;
use std::collections::BTreeSet;

/// Reads all changes of a feed since a time, page by page.
async fn walk(account: &Account, feed: &str, since_ms: i64) -> Vec<RecordState> {
    let (mut all, mut from_ms) = (Vec::new(), since_ms);
    for _ in 0..50 {
        let page = account.crm.changed(feed, from_ms).await.unwrap();
        all.extend(page.changes);
        match page.more_from_ms {
            Some(next_ms) => {
                assert!(next_ms > from_ms, "a page points to itself");
                from_ms = next_ms;
            }
            None => return all,
        }
    }
    panic!("the pages do not end");
}

fn person(change: &RecordState) -> &PersonRecord {
    match change {
        RecordState::Person(person) => person,
        other => panic!("{other:?} is not a person"),
    }
}

fn deal(change: &RecordState) -> &DealRecord {
    match change {
        RecordState::Deal(deal) => deal,
        other => panic!("{other:?} is not a deal"),
    }
}

fn change(object: &str, id: &str, change: &Value) -> Emit {
    let change = change.as_object().unwrap().clone();
    Emit { object: object.into(), id: id.into(), change, lost: true, ..Emit::default() }
}

/// Row 13.
#[actix_web::test]
async fn a_deal_whose_webhook_was_lost_is_found() {
    for api in ["2026-09", "v3"] {
        let account = Account::with(json!({ "token": "pat-standin", "api": api }), |config| {
            config.deal_stages = [("contractsent".to_owned(), Stage::Sql)].into();
        });
        let account = account.declared().await;
        let pushed = Person::new(1, Some("lead@example.com")).push(&account.crm).await.unwrap();
        let open = json!({ "dealstage": "contractsent", "amount": "1200", "pipeline": "default",
            "deal_currency_code": "EUR", "closedate": "2026-12-24T00:00:00.000Z" });
        let id = account.standin.put("deal", &open).unwrap();
        account.standin.act(&json!({ "associate": [id, pushed.record.id] })).unwrap();
        let found = walk(&account, "deal", NOW_MS).await;
        assert_eq!(found.len(), 1);
        let found = deal(&found[0]);
        assert_eq!((found.status, found.stage), (DealStatus::Open, Some(Stage::Sql)));
        assert_eq!((found.closed_at_ms, found.created_at_ms), (None, NOW_MS));
        account.advance_ms(60_000);
        let won = change(
            "deal",
            &id,
            &json!({ "dealstage": "closedwon", "amount": "1300.50",
            "closedate": "2026-11-21T10:00:30.000Z" }),
        );
        account.standin.emit(&won).await.unwrap();
        let found = walk(&account, "deal", NOW_MS + 1).await;
        assert_eq!(found.len(), 1);
        let found = deal(&found[0]);
        assert_eq!((found.status, found.word.as_str()), (DealStatus::Won, "closedwon"));
        assert_eq!(found.amount.as_deref(), Some("1300.50"));
        assert_eq!(found.currency.as_deref(), Some("EUR"));
        assert_eq!(found.closed_at_ms, Some(NOW_MS + 30_000));
        assert_eq!(found.changed_at_ms, NOW_MS + 60_000);
        assert_eq!(found.persons.len(), 1);
        assert_eq!(found.persons[0].record, pushed.record);
        assert_eq!(found.persons[0].email.as_deref(), Some("lead@example.com"));
        // Read by id it is the same, and a later poll finds nothing.
        let read = account.crm.read(&[record("deal", &id)]).await.unwrap();
        assert_eq!(read, [RecordState::Deal(found.clone())]);
        assert_eq!(walk(&account, "deal", NOW_MS + 60_001).await, []);
        // Every call used the API that the settings choose.
        let begins: &[&str] = match api {
            "v3" => &["/crm/v3/", "/crm/v4/associations/"],
            _ => {
                &["/crm/objects/2026-09/", "/crm/properties/2026-09/", "/crm/associations/2026-09/"]
            }
        };
        for logged in account.standin.log() {
            assert!(begins.iter().any(|begin| logged.path.starts_with(begin)), "{}", logged.path);
        }
    }
}

/// If a deal does not say whether it is closed, its pipeline does.
#[actix_web::test]
async fn a_pipeline_says_whether_a_deal_is_closed() {
    let account = Account::start();
    for (fields, expected) in [
        (json!({ "pipeline": "default", "dealstage": "closedwon" }), DealStatus::Won),
        (json!({ "pipeline": "default", "dealstage": "closedlost" }), DealStatus::Lost),
        (json!({ "pipeline": "default", "dealstage": "contractsent" }), DealStatus::Open),
        (json!({ "dealname": "bare" }), DealStatus::Open),
    ] {
        let id = account.standin.put("deal", &fields).unwrap();
        let forget =
            change("deal", &id, &json!({ "hs_is_closed": null, "hs_is_closed_won": null }));
        account.standin.emit(&forget).await.unwrap();
        let read = account.crm.read(&[record("deal", &id)]).await.unwrap();
        assert_eq!(deal(&read[0]).status, expected, "{fields}");
    }
}

#[actix_web::test]
async fn a_contact_is_read_with_its_stages() {
    let account = Account::with(json!({ "token": "pat-standin" }), |config| {
        config.stages = [("evangelist".to_owned(), Stage::Advocate)].into();
    });
    let account = account.declared().await;
    let lead = Person::new(1, Some("lead@example.com"));
    let id = lead.push(&account.crm).await.unwrap().record.id;
    for stage in ["salesqualifiedlead", "customer", "evangelist"] {
        account.advance_ms(1_000);
        let entered = change("contact", &id, &json!({ "lifecyclestage": stage }));
        account.standin.emit(&entered).await.unwrap();
    }
    let found = walk(&account, "contact", NOW_MS).await;
    let found = person(&found[0]);
    assert_eq!(found.email.as_deref(), Some("lead@example.com"));
    assert_eq!((found.lead, found.changed_at_ms), (Some(lead.lead), NOW_MS + 3_000));
    let stages: Vec<_> = found
        .stages
        .iter()
        .map(|entered| (entered.stage, entered.at_ms - NOW_MS, entered.word.as_str()))
        .collect();
    let expected = [
        (Stage::Lead, 0, "lead"),
        (Stage::Sql, 1_000, "salesqualifiedlead"),
        (Stage::Customer, 2_000, "customer"),
        (Stage::Advocate, 3_000, "evangelist"),
    ];
    assert_eq!(stages, expected);
}

/// Row 14: a merged contact names the contacts that it was; a deleted contact is gone.
#[actix_web::test]
async fn merged_contacts_are_followed() {
    let account = Account::start();
    let put = |email: &str| account.standin.put("contact", &json!({ "email": email })).unwrap();
    let (one, other, ended) = (put("a@b.example"), put("c@d.example"), put("e@f.example"));
    for (id, event, merged) in
        [(&one, "contact.merge", Some(other.clone())), (&ended, "contact.privacyDeletion", None)]
    {
        let event = Some(event.to_owned());
        let emit = Emit {
            object: "contact".into(),
            id: id.clone(),
            event,
            merged,
            lost: true,
            ..Emit::default()
        };
        account.standin.emit(&emit).await.unwrap();
    }
    let new = account.records("contacts")[0]["id"].as_str().unwrap().to_owned();
    let formerly = [record("contact", &one), record("contact", &other)];
    let requested: Vec<_> =
        [&new, &other, &ended, &new].into_iter().map(|id| record("contact", id)).collect();
    let mut read = account.crm.read(&requested).await.unwrap();
    assert_eq!(read.remove(1), RecordState::PersonGone(record("contact", &ended)));
    assert_eq!(read.len(), 1, "{read:?}");
    assert_eq!(person(&read[0]).record, record("contact", &new));
    assert_eq!(person(&read[0]).formerly, formerly);
    assert_eq!(person(&walk(&account, "contact", NOW_MS).await[0]).formerly, formerly);
    let alone = account.crm.read(&[record("contact", &other), record("deal", "9")]).await.unwrap();
    assert_eq!(
        alone,
        [RecordState::PersonGone(record("contact", &other)), RecordState::DealGone("9".into())]
    );
}

/// Every change is read in the order of time, however many share the same time.
#[actix_web::test]
async fn no_page_is_lost_or_repeated() {
    // The number of contacts per time, and the number of times.
    for (at_once, times) in [(1, 250), (250, 2), (100, 3), (99, 3), (101, 1)] {
        let account = Account::start();
        let mut expected = BTreeSet::new();
        for _ in 0..times {
            for _ in 0..at_once {
                expected.insert(account.standin.put("contact", &json!({})).unwrap());
            }
            account.advance_ms(1);
        }
        let found = walk(&account, "contact", NOW_MS).await;
        let changed: Vec<i64> = found.iter().map(|change| person(change).changed_at_ms).collect();
        assert!(changed.is_sorted(), "{at_once} {times}");
        let ids: BTreeSet<String> =
            found.iter().map(|change| person(change).record.id.clone()).collect();
        assert_eq!(ids, expected, "{at_once} {times}");
    }
}

/// A thousand changes in one millisecond, and four searches per second.
#[actix_web::test]
async fn a_long_poll_resumes_after_a_limit() {
    let account = Account::start();
    account.standin.set(|settings| settings.searches_per_second = 4);
    for _ in 0..1_000 {
        account.standin.put("contact", &json!({})).unwrap();
    }
    let mut waits = 0;
    let page = loop {
        match account.crm.changed("contact", NOW_MS).await {
            Ok(page) => break page,
            Err(CallError::RateLimited { until_ms, .. }) => {
                account.advance_ms(until_ms - account.clock.now_ms());
            }
            Err(other) => panic!("{other}"),
        }
        waits += 1;
        assert!(waits < 10);
    };
    let ids: BTreeSet<_> = page.changes.iter().map(|change| &person(change).record.id).collect();
    assert_eq!((ids.len(), page.more_from_ms), (1_000, Some(NOW_MS + 1)));
}

#[actix_web::test]
async fn many_are_read_in_batches() {
    let account = Account::start();
    let put = |number: u32| {
        let id = account.standin.put("contact", &json!({ "email": format!("{number}@b.example") }));
        record("contact", &id.unwrap())
    };
    let all: Vec<RecordRef> = (0..230).map(put).collect();
    assert_eq!(account.crm.read(&all).await.unwrap().len(), 230);
    assert_eq!(account.calls("contacts/batch/read").len(), 3);
    assert_eq!(account.crm.read(&[]).await.unwrap(), []);
    let strange = account.crm.read(&[record("company", "1")]).await;
    assert!(matches!(strange, Err(CallError::Invalid(_))), "{strange:?}");
}

/// Bodies have every member that HubSpot's published API descriptions require.
#[actix_web::test]
async fn bodies_have_every_required_member() {
    let account = Account::start().declared().await;
    let pushed = Person::new(1, Some("lead@example.com")).push(&account.crm).await.unwrap();
    let id = account.standin.put("deal", &json!({ "dealstage": "closedwon" })).unwrap();
    account.standin.act(&json!({ "associate": [id, pushed.record.id] })).unwrap();
    let note = Note {
        title: "t".into(),
        lines: vec![],
        marker: NoteMarker { lead: Person::new(1, None).lead, number: 1 },
        at_ms: 0,
    };
    account.crm.attach(&pushed.record, &note, false).await.unwrap();
    account.crm.attach(&pushed.record, &note, true).await.unwrap();
    walk(&account, "deal", 0).await;
    account.crm.read(&[record("deal", &id)]).await.unwrap();
    let mut seen = BTreeSet::new();
    for logged in account.standin.log().iter().filter(|logged| logged.method == "POST") {
        let body: Value = serde_json::from_str(&logged.body).unwrap();
        let names: BTreeSet<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
        let (kind, expected): (&str, &[&str]) = match &logged.path {
            path if path.ends_with("/search") => {
                ("search", &["after", "filterGroups", "limit", "properties", "sorts"])
            }
            path if path.contains("/associations/") => ("associated", &["inputs"]),
            path if path.ends_with("/batch/read") => {
                ("read", &["inputs", "properties", "propertiesWithHistory"])
            }
            path if path.ends_with("/notes") => ("note", &["associations", "properties"]),
            path if path.ends_with("/groups") => ("group", &["displayOrder", "label", "name"]),
            _ => ("batch", &["inputs"]),
        };
        assert_eq!(names, expected.iter().copied().collect(), "{}", logged.path);
        seen.insert(kind);
    }
    assert_eq!(seen.len(), 6);
}

/// Queries and bodies request each property only once.
#[actix_web::test]
async fn no_property_is_requested_twice() {
    let account = Account::start().declared().await;
    let pushed = Person::new(1, Some("lead@example.com")).push(&account.crm).await.unwrap();
    Person::new(2, None).push(&account.crm).await.unwrap();
    let deal = account.standin.put("deal", &json!({ "amount": "1" })).unwrap();
    account.standin.act(&json!({ "associate": [deal, pushed.record.id] })).unwrap();
    account.crm.read(&[pushed.record, record("deal", &deal)]).await.unwrap();
    walk(&account, "contact", NOW_MS).await;
    walk(&account, "deal", NOW_MS).await;
    let mut lists = 0;
    for logged in account.standin.log() {
        let url: url::Url = format!("http://standin{}", logged.path).parse().unwrap();
        let query = url.query_pairs().find(|(name, _)| name == "properties");
        let mut requested: Vec<String> =
            query.iter().flat_map(|(_, names)| names.split(',')).map(str::to_owned).collect();
        let body: Value = serde_json::from_str(&logged.body).unwrap_or_default();
        let names = body["properties"].as_array().into_iter().flatten();
        requested.extend(names.map(|name| name.as_str().unwrap().to_owned()));
        let once: BTreeSet<&String> = requested.iter().collect();
        assert_eq!(once.len(), requested.len(), "{} {}: {requested:?}", logged.method, logged.path);
        lists += usize::from(!requested.is_empty());
    }
    assert!(lists >= 6, "only {lists} requests named properties");
}
