//! Which webhooks are accepted, and what is extracted from them.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::{Digest, Sha256};

const NOW_MS: i64 = 1_795_255_200_000;
const URL: &str = "https://track.example.com/hooks/sales";
const SECRET: &str = "hush";

fn subscriber() -> Subscriber {
    Subscriber {
        url: URL.into(),
        secret: Some(Secret::new(SECRET)),
        allow_legacy: false,
        app_id: Some(54_321),
        own_properties: "clew_".into(),
    }
}

fn v3(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    for part in [b"POST", URL.as_bytes(), body, NOW_MS.to_string().as_bytes()] {
        mac.update(part);
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

fn v1(body: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest([SECRET.as_bytes(), body].concat()))
}

fn receive(
    subscriber: &Subscriber,
    headers: &[(&str, String)],
    body: &[u8],
) -> Result<Received, Refused> {
    let header = |name: &str| {
        headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    };
    let head = Head { secret_path: "", header: &header, now_ms: NOW_MS };
    // A webhook refused before its body is read is also refused with it, for the same reason.
    let received = subscriber.receive(&Webhook { head, body });
    if let Err(refused) = subscriber.admit(&head) {
        assert_eq!(received, Err(refused));
    }
    received
}

/// Which webhooks are refused before their bodies are read.
#[test]
fn refused_by_the_head_alone() {
    let now = ("x-hubspot-request-timestamp", NOW_MS.to_string());
    let old = ("x-hubspot-request-timestamp", (NOW_MS - 300_001).to_string());
    let v3_of = |text: &str| ("x-hubspot-signature-v3", text.to_owned());
    let forged = STANDARD.encode([0; 32]);
    for (headers, expected) in [
        (vec![], false),
        (vec![now.clone()], false),
        (vec![v3_of(&forged)], false),
        (vec![v3_of(&forged), old], false),
        (vec![v3_of("***"), now.clone()], false),
        (vec![v3_of(&STANDARD.encode([0; 31])), now.clone()], false),
        // Only the body can show that it is forged.
        (vec![v3_of(&forged), now], true),
    ] {
        let header = |name: &str| {
            headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        };
        let head = Head { secret_path: "", header: &header, now_ms: NOW_MS };
        assert_eq!(subscriber().admit(&head).is_ok(), expected, "{headers:?}");
    }
}

/// The records named by a correctly signed body, or the text of its refusal.
fn check(body: &[u8], expected: Result<&[(&str, &str)], &str>) {
    let headers =
        [("x-hubspot-signature-v3", v3(body)), ("x-hubspot-request-timestamp", NOW_MS.to_string())];
    let text = String::from_utf8_lossy(&body[..body.len().min(200)]);
    match (receive(&subscriber(), &headers, body), expected) {
        (Ok(received), Ok(expected)) => {
            let found: Vec<_> = received
                .records
                .iter()
                .map(|record| (record.object.as_str(), record.id.as_str()))
                .collect();
            assert_eq!(found, expected, "{text}");
        }
        (Err(Refused::Malformed(found)), Err(part)) => assert!(found.contains(part), "{found}"),
        (found, _) => panic!("{found:?} of {text}"),
    }
}

fn check_event(event: &Value, expected: &[(&str, &str)]) {
    check(json!([event]).to_string().as_bytes(), Ok(expected));
}

#[test]
fn records_that_are_named() {
    let deal = &[("deal", "777")][..];
    let person = &[("contact", "151")][..];
    let event = |kind: &str| json!({ "subscriptionType": kind, "objectId": 777 });
    check_event(&event("deal.propertyChange"), deal);
    check_event(&event("deal.creation"), deal);
    check_event(&event("deal.deletion"), deal);
    check_event(
        &json!({
            "subscriptionType": "object.propertyChange", "objectTypeId": "0-3", "objectId": 777,
            "isSensitive": false,
        }),
        deal,
    );
    check_event(
        &json!({ "subscriptionType": "object.creation", "objectTypeId": "0-1", "objectId": "151" }),
        person,
    );
    check_event(&json!({ "subscriptionType": "contact.privacyDeletion", "objectId": 151 }), person);
    // A merge names the resulting record, in the newer format and in the older one.
    check_event(
        &json!({ "subscriptionType": "contact.merge", "objectId": 151, "primaryObjectId": 151,
            "mergedObjectIds": [152], "newObjectId": 153, "numberOfPropertiesMoved": 4 }),
        &[("contact", "153")],
    );
    check_event(
        &json!({ "subscriptionType": "contact.merge", "objectId": 150, "primaryObjectId": 151 }),
        person,
    );
    // Events that do not matter.
    for kind in
        ["company.creation", "object.propertyChange", "contact.somethingNew", "nonsense", ""]
    {
        check_event(&event(kind), &[]);
    }
    check_event(
        &json!({ "objectTypeId": "0-2", "subscriptionType": "object.creation", "objectId": 1 }),
        &[],
    );
    // Repeats and order do not matter.
    check(
        json!([event("deal.creation"), event("deal.propertyChange"), event("deal.creation")])
            .to_string()
            .as_bytes(),
        Ok(deal),
    );
    check(b"[]", Ok(&[]));
}

#[test]
fn what_we_wrote_is_no_news() {
    let event = |source: &str, id: Value, property: &str| {
        json!({ "subscriptionType": "contact.propertyChange", "objectId": 151, "changeSource": source,
            "sourceId": id, "propertyName": property })
    };
    let person = &[("contact", "151")][..];
    for (source, id, property, expected) in [
        ("INTEGRATION", json!("54321"), "clew_lead_id", &[][..]),
        ("INTEGRATION", json!(54321), "clew_lead_id", &[]),
        ("INTEGRATION", json!("appId:54321"), "clew_lead_id", &[]),
        ("INTEGRATION", json!("54321"), "lifecyclestage", person),
        ("INTEGRATION", json!("99"), "clew_lead_id", person),
        ("INTEGRATION", Value::Null, "clew_lead_id", person),
        ("CRM_UI", json!("54321"), "clew_lead_id", person),
    ] {
        check_event(&event(source, id, property), expected);
    }
}

#[test]
fn hostile_bodies() {
    let deep = "[".repeat(100_000);
    let long = format!("[{}]", vec!["{}"; 400_000].join(","));
    for (body, part) in [
        (&b""[..], "not a list"),
        (b"{}", "not a list"),
        (b"null", "not a list"),
        (b"\xff\xfe", "not a list"),
        (b"[1]", "not a list"),
        (b"[{\"subscriptionType\":7}]", "not a list"),
        // The position, not the value.
        (
            b"[{\"isSensitive\":1}, \"a@b.example\"]",
            "events: expected an object at line 1 column 33",
        ),
        (deep.as_bytes(), "not a list"),
        (long.as_bytes(), "longer"),
        (br#"[{"subscriptionType":"deal.creation"}]"#, "names no object"),
        (br#"[{"subscriptionType":"deal.creation","objectId":{"a":1}}]"#, "names no object"),
        (br#"[{"subscriptionType":"deal.creation","objectId":"../../x"}]"#, "not a number"),
        (br#"[{"subscriptionType":"deal.creation","objectId":-1.5}]"#, "not a number"),
    ] {
        check(body, Err(part));
    }
}

#[test]
fn signatures() {
    let body = b"[]";
    let at = |offset_ms: i64| ("x-hubspot-request-timestamp", (NOW_MS + offset_ms).to_string());
    let new = || ("x-hubspot-signature-v3", v3(body));
    let old = || ("x-hubspot-signature", v1(body));
    let version = || ("x-hubspot-signature-version", "v1".to_owned());
    let legacy = || Subscriber { allow_legacy: true, ..subscriber() };
    let bare = Subscriber { secret: None, ..subscriber() };
    for (subscriber, headers, expected) in [
        (subscriber(), vec![new(), at(0)], None),
        (subscriber(), vec![], Some("no signature")),
        (subscriber(), vec![new()], Some("timestamp")),
        (subscriber(), vec![new(), at(-600_000)], Some("another time")),
        (subscriber(), vec![new(), at(1)], Some("wrong")),
        (subscriber(), vec![old(), version()], Some("not allowed")),
        (legacy(), vec![old(), version()], None),
        (legacy(), vec![old()], Some("unknown version")),
        // If there is a newer signature, it counts.
        (legacy(), vec![old(), version(), new(), at(1)], Some("wrong")),
        (bare, vec![new(), at(0)], Some("no client_secret")),
    ] {
        let found = receive(&subscriber, &headers, body);
        match (found, expected) {
            (Ok(received), None) => assert_eq!(received.answer.1, "{}"),
            (Err(Refused::Signature(found)), Some(part)) => {
                assert!(found.contains(part), "{found}");
            }
            (found, _) => panic!("{found:?}, expected {expected:?}"),
        }
    }
    // The signature is checked before the body.
    let refused = receive(&subscriber(), &[], b"nonsense");
    assert!(matches!(refused, Err(Refused::Signature(_))));
}
