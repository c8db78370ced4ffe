//! HubSpot's webhooks: known signatures, and what a receiver gets.

use crate::support::Receiver;
use serde_json::{Value, json};
use standin::{Emit, Standin, signature};

/// The client secret in HubSpot's examples.
const DOCUMENTED: &str = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy";

#[test]
fn signatures_match_the_documented_vectors() {
    let example = ("https://www.example.com/webhook_uri", "{'example_field':'example_value'}");
    let deal = r#"[{"eventId":100,"subscriptionId":12345,"portalId":62515,"appId":54321,"occurredAt":1790000000000,"subscriptionType":"deal.propertyChange","attemptNumber":0,"objectId":777,"propertyName":"dealstage","propertyValue":"closedwon","changeSource":"CRM_UI"}]"#;
    assert_eq!(deal.len(), 251);
    for (secret, (uri, body), timestamp_ms, expected) in [
        // From the tests of HubSpot's API clients for Python and Ruby.
        (DOCUMENTED, example, 1_693_657_560_000, "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="),
        (DOCUMENTED, example, 1_700_000_300_000, "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw="),
        // A webhook as Clew receives it; the collector's tests use the same signature.
        (
            "test-client-secret",
            ("https://track.example.com/v1/crm/hubspot/webhook", deal),
            1_790_000_001_000,
            "NtC5P7OurPhLdF7Gjv0iSBfOoCiNnpDooHpv5uQ66YA=",
        ),
    ] {
        assert_eq!(signature::v3(secret, "POST", uri, body, timestamp_ms), expected);
    }
    // The example on the page "v1 request validation" in HubSpot's documentation.
    let body = r#"[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]"#;
    assert_eq!(
        signature::v1(DOCUMENTED, body),
        "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de"
    );
    let plain = signature::v3("s", "GET", "https://e.com/a?b=c:d&e=%20", "", 1);
    assert_eq!(
        signature::v3("s", "GET", "https://e.com/a?b=c%3Ad&e=%20", "", 1),
        plain,
        "%3A is decoded"
    );
    assert_ne!(signature::v3("s", "GET", "https://e.com/a?b=c:d&e= ", "", 1), plain, "%20 stays");
}

fn emit(id: &str, change: &Value) -> Emit {
    Emit {
        object: "deal".to_owned(),
        id: id.to_owned(),
        change: change.as_object().unwrap().clone(),
        ..Emit::default()
    }
}

#[actix_web::test]
async fn a_won_deal_is_reported_and_retried_until_accepted() {
    let receiver = Receiver::start();
    let url = receiver.url.clone();
    let standin =
        Standin::hubspot().settings(|settings| settings.target_url = Some(url)).start().unwrap();
    let id = standin.put("deal", &json!({"dealstage":"contractsent","amount":"1200"})).unwrap();
    *receiver.answer.lock().unwrap() = (503, String::new());
    let won = emit(&id, &json!({"dealstage":"closedwon","amount":"1300"}));
    let sent = standin.emit(&won).await.unwrap();
    assert_eq!((sent.len(), sent[0].acknowledged, sent[0].status), (1, false, Some(503)));
    assert_eq!(standin.records()["deals"][0]["properties"]["hs_is_closed_won"], "true");
    *receiver.answer.lock().unwrap() = (204, String::new());
    let sent = standin.retry().await.unwrap();
    assert_eq!((sent.len(), sent[0].acknowledged, sent[0].attempt), (1, true, 1));
    assert!(standin.retry().await.unwrap().is_empty());

    let got = receiver.got.lock().unwrap().clone();
    let (headers, body) = &got[1];
    let timestamp_ms: i64 =
        headers["x-hubspot-request-timestamp"].as_str().unwrap().parse().unwrap();
    assert_eq!(timestamp_ms, 1_795_255_200_000);
    let expected = signature::v3("standin-secret", "POST", &receiver.url, body, timestamp_ms);
    assert_eq!(headers["x-hubspot-signature-v3"], expected);
    let events: Value = serde_json::from_str(body).unwrap();
    assert_eq!(events.as_array().unwrap().len(), 2);
    let number: u64 = id.parse().unwrap();
    let stage = events
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["propertyName"] == "dealstage")
        .unwrap();
    assert!(
        crate::support::holds(
            stage,
            &json!({"portalId":62515,"appId":54321,"occurredAt":1_795_255_200_000_i64,
        "subscriptionType":"deal.propertyChange","attemptNumber":1,"objectId":number,"propertyValue":"closedwon","changeSource":"CRM_UI"})
        ),
        "{stage}"
    );
    standin.stop().await;
}

#[actix_web::test]
async fn webhooks_can_be_forged_late_repeated_reordered_or_lost() {
    let receiver = Receiver::start();
    let standin = Standin::hubspot().start().unwrap();
    assert!(standin.emit(&emit("1", &json!({"amount":"1"}))).await.is_err(), "no such deal");
    let id = standin.put("deal", &json!({})).unwrap();
    assert!(
        standin.emit(&emit(&id, &json!({"amount":"1"}))).await.unwrap_err().contains("target_url")
    );
    let url = receiver.url.clone();
    standin.set(|settings| settings.target_url = Some(url));
    let change = json!({"amount":"1","dealstage":"closedlost"});
    let forged = Emit { bad_signature: true, timestamp_offset_ms: -600_000, ..emit(&id, &change) };
    let sent = standin.emit(&forged).await.unwrap();
    let timestamp_ms: i64 = sent[0].headers["x-hubspot-request-timestamp"].parse().unwrap();
    assert_eq!(timestamp_ms, 1_795_255_200_000 - 600_000);
    assert_ne!(
        sent[0].headers["x-hubspot-signature-v3"],
        signature::v3("standin-secret", "POST", &receiver.url, &sent[0].body, timestamp_ms)
    );
    let twice = Emit { duplicates: 2, shuffle: true, generic: true, ..emit(&id, &change) };
    let sent = standin.emit(&twice).await.unwrap();
    assert_eq!(sent.iter().map(|one| one.body == sent[0].body).collect::<Vec<_>>(), [true; 3]);
    let events: Value = serde_json::from_str(&sent[0].body).unwrap();
    assert_eq!(
        (&events[0]["propertyName"], &events[0]["objectTypeId"]),
        (&json!("dealstage"), &json!("0-3"))
    );
    let lost = Emit { lost: true, ..emit(&id, &json!({"amount":"7"})) };
    assert!(standin.emit(&lost).await.unwrap().is_empty());
    assert_eq!(standin.records()["deals"][0]["properties"]["amount"], "7");
    assert_eq!(standin.deliveries().len(), 4);

    let one = standin.put("contact", &json!({"email":"a@b.co"})).unwrap();
    let other = standin.put("contact", &json!({"email":"c@b.co"})).unwrap();
    let merge = Emit {
        object: "contact".to_owned(),
        id: one,
        event: Some("contact.merge".to_owned()),
        merged: Some(other),
        ..Emit::default()
    };
    let sent = standin.emit(&merge).await.unwrap();
    let events: Value = serde_json::from_str(&sent[0].body).unwrap();
    let joined = standin.records()["contacts"][0]["id"].as_str().unwrap().parse::<u64>().unwrap();
    assert_eq!(
        (&events[0]["subscriptionType"], &events[0]["newObjectId"]),
        (&json!("contact.merge"), &json!(joined))
    );
    standin.stop().await;
}
