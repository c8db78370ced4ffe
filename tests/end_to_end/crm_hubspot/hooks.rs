//! Row 10: webhooks as the stand-in signs them: valid, forged, old, repeated and out of order.

use super::*;
use clew_connect::crm::webhook::{Head, Received, Refused, Webhook};
use standin::{Delivery, Emit};

/// An account with a webhook subscription.
fn subscribed() -> Account {
    let account = Account::with_oauth();
    account.standin.set(|settings| settings.target_url = Some(format!("{PUBLIC_URL}/hooks/sales")));
    account
}

fn receive(account: &Account, delivery: &Delivery) -> Result<Received, Refused> {
    let header = |name: &str| delivery.headers.get(name).cloned();
    let head = Head { secret_path: "", header: &header, now_ms: account.clock.now_ms() };
    account.crm.receive(&Webhook { head, body: delivery.body.as_bytes() })
}

#[actix_web::test]
async fn webhooks_name_what_changed() {
    let account = subscribed();
    let deal = account.standin.put("deal", &json!({ "dealstage": "contractsent" })).unwrap();
    let won = json!({ "dealstage": "closedwon", "amount": "1200" }).as_object().unwrap().clone();
    let emit = Emit { object: "deal".into(), id: deal.clone(), change: won, ..Emit::default() };
    let named = [record("deal", &deal)];
    for (emit, expected) in [
        (emit.clone(), Ok(1)),
        (Emit { generic: true, ..emit.clone() }, Ok(1)),
        // Sent twice, newest first: the record is read in its current state, once or twice.
        (Emit { duplicates: 1, shuffle: true, ..emit.clone() }, Ok(2)),
        (Emit { bad_signature: true, ..emit.clone() }, Err("wrong")),
        (Emit { timestamp_offset_ms: -300_001, ..emit.clone() }, Err("another time")),
        (Emit { timestamp_offset_ms: 300_001, ..emit.clone() }, Err("another time")),
        (Emit { timestamp_offset_ms: -299_000, ..emit.clone() }, Ok(1)),
    ] {
        let deliveries = account.standin.emit(&emit).await.unwrap();
        for delivery in &deliveries {
            match (receive(&account, delivery), expected) {
                (Ok(received), Ok(count)) => {
                    assert_eq!((&received.records[..], deliveries.len()), (&named[..], count));
                }
                (Err(Refused::Signature(found)), Err(part)) => {
                    assert!(found.contains(part), "{found}");
                }
                (found, _) => panic!("{found:?} of {emit:?}"),
            }
        }
    }
    // The same webhook, sent later, is too old.
    let delivery = account.standin.emit(&emit).await.unwrap().remove(0);
    account.advance_ms(300_001);
    assert!(matches!(receive(&account, &delivery), Err(Refused::Signature(_))));
}

#[actix_web::test]
async fn a_merge_is_followed_and_our_own_changes_are_ignored() {
    let account = subscribed().declared().await;
    let lead = Person::new(1, Some("lead@example.com"));
    let first = lead.push(&account.crm).await.unwrap().record;
    let other = account.standin.put("contact", &json!({ "email": "a@b.example" })).unwrap();
    let echo = json!({ "clew_visits_count": "4" }).as_object().unwrap().clone();
    let deliveries = account
        .standin
        .emit(&Emit {
            object: "contact".into(),
            id: first.id.clone(),
            change: echo,
            change_source: Some("INTEGRATION".into()),
            source_id: Some("54321".into()),
            ..Emit::default()
        })
        .await
        .unwrap();
    assert_eq!(receive(&account, &deliveries[0]).unwrap().records, []);
    let merge = Emit {
        object: "contact".into(),
        id: other.clone(),
        event: Some("contact.merge".into()),
        merged: Some(first.id.clone()),
        ..Emit::default()
    };
    let deliveries = account.standin.emit(&merge).await.unwrap();
    let records = receive(&account, &deliveries[0]).unwrap().records;
    let read = account.crm.read(&records).await.unwrap();
    let [clew_connect::crm::record::RecordState::Person(person)] = &read[..] else {
        panic!("{read:?}")
    };
    assert_eq!(person.formerly, [record("contact", &other), first]);
    assert_eq!(person.lead, Some(lead.lead));
}

#[actix_web::test]
async fn the_webhook_url_can_be_configured() {
    let account = Account::with(
        json!({ "token": "pat-standin", "client_secret": "standin-secret",
            "webhook_url": "http://127.0.0.1:1/by/a%20proxy?x=%3A" }),
        |_| (),
    );
    account.standin.set(|settings| {
        settings.target_url = Some("http://127.0.0.1:1/by/a%20proxy?x=%3A".into());
    });
    let id = account.standin.put("contact", &json!({})).unwrap();
    let event = Some("contact.creation".into());
    let emit = Emit { object: "contact".into(), id: id.clone(), event, ..Emit::default() };
    let deliveries = account.standin.emit(&emit).await.unwrap();
    assert_eq!(receive(&account, &deliveries[0]).unwrap().records, [record("contact", &id)]);
}
