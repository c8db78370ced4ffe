//! HubSpot: what it refuses, with the status and form of each refusal.

use crate::hubspot::declare;
use crate::support::{KEY, call, call_with, check, form};
use serde_json::{Value, json};
use standin::{Limit, Standin};

#[actix_web::test]
async fn values_that_do_not_fit_are_refused() {
    let standin = Standin::hubspot().start().unwrap();
    declare(&standin, "/crm/properties/2026-09/contacts").await;
    let invalid = |code: &str, name: &str| (name.to_owned(), code.to_owned());
    for (value, (name, code)) in [
        (json!("x"), invalid("PROPERTY_DOESNT_EXIST", "clew_foo")),
        (json!("1"), invalid("READ_ONLY_VALUE", "hs_object_id")),
        (json!("DIRECT_TRAFFIC"), invalid("READ_ONLY_VALUE", "hs_analytics_source")),
        (json!("no e-mail"), invalid("INVALID_EMAIL", "email")),
        (json!("three"), invalid("INVALID_INTEGER", "clew_visits_count")),
        (json!("yesterday"), invalid("INVALID_DATE", "clew_first_click_at")),
        (json!("nobody"), invalid("INVALID_OPTION", "lifecyclestage")),
        (json!("x".repeat(65_537)), invalid("VALUE_TOO_LONG", "clew_journey_summary")),
    ] {
        let line = "POST /crm/objects/2026-09/contacts";
        let answer = call(&standin, KEY, line, &json!({"properties":{name.as_str():value}})).await;
        assert_eq!((answer.status, &answer.json["category"]), (400, &json!("VALIDATION_ERROR")));
        let message = answer.json["message"].as_str().unwrap();
        let parts: Value = serde_json::from_str(message.split_once(": ").unwrap().1).unwrap();
        assert_eq!((&parts[0]["error"], &parts[0]["name"]), (&json!(code), &json!(name)));
        assert!(answer.json["correlationId"].as_str().unwrap().len() == 36);
    }
    standin.stop().await;
}

#[actix_web::test]
async fn wrong_requests_are_refused() {
    let standin =
        Standin::hubspot().settings(|settings| settings.searches_per_second = 100).start().unwrap();
    declare(
        &standin,
        "/crm/properties/v3/contacts".replace("properties/v3", "v3/properties").as_str(),
    )
    .await;
    standin.put("contact", &json!({"email":"lead@example.com","clew_lead_id":"L1"})).unwrap();
    let input = |email: &str, properties: Value| json!({"idProperty":"email","id":email,"properties":properties});
    let many: Vec<Value> =
        (0..101).map(|n| input(&format!("{n}@example.com"), json!({}))).collect();
    let contacts = "POST /crm/objects/2026-09/contacts";
    let upsert = "POST /crm/objects/2026-09/contacts/batch/upsert";
    let search = "POST /crm/objects/2026-09/contacts/search";
    let declare_one = "POST /crm/properties/2026-09/contacts";
    let property = |change: Value| {
        let mut property = json!({"name":"clew_x","label":"X","groupName":"clew","type":"string","fieldType":"text"});
        property.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        property
    };
    let invalid = || json!({"status":"error","category":"VALIDATION_ERROR"});
    let said =
        |message: &str| json!({"status":"error","category":"VALIDATION_ERROR","message":message});
    let filter = |operator: &str| json!({"filterGroups":[{"filters":[{"propertyName":"email","operator":operator,"value":"x"}]}]});
    check(&standin, KEY, &[
        (contacts, json!({"properties":{"email":"LEAD@example.com"}}), 409,
            json!({"category":"CONFLICT","message":"Contact already exists. Existing ID: 1…"})),
        (contacts, json!({"properties":{"clew_lead_id":"L1"}}), 409, json!({"category":"CONFLICT"})),
        (contacts, json!({"properties":{"clew_visits_count":3}}), 400, said("Invalid input JSON: the value of clew_visits_count…")),
        (contacts, json!({"properties":{"firstname":null}}), 400, said("Invalid input JSON: the value of firstname…")),
        (contacts, json!({"fields":{}}), 400, said("Invalid input JSON: unknown field fields")),
        (contacts, json!([]), 400, invalid()),
        (upsert, json!({"inputs":many}), 400, said("Batch size 101…")),
        (upsert, json!({"inputs":[]}), 400, invalid()),
        (upsert, json!({}), 400, invalid()),
        (upsert, json!({"inputs":[input("a@b.co", json!({})), input("A@b.co", json!({}))]}), 400, said("Duplicate IDs…")),
        (upsert, json!({"inputs":[{"idProperty":"firstname","id":"x","properties":{}}]}), 400, said("firstname cannot be used…")),
        // An unknown property refuses the whole batch, a bad value only its input.
        (upsert, json!({"inputs":[input("a@b.co", json!({})), input("c@b.co", json!({"clew_foo":"1"}))]}), 400,
            said("Property values were not valid: […")),
        (upsert, json!({"inputs":[input("a@b.co", json!({})), {"idProperty":"email","id":"c@b.co","objectWriteTraceId":"t",
            "properties":{"clew_visits_count":"x"}}]}), 207, json!({"status":"COMPLETE","numErrors":1,
            "results":[{"new":true}],"errors":[{"category":"VALIDATION_ERROR","id":"c@b.co","context":{"objectWriteTraceId":["t"]}}]})),
        ("GET /crm/objects/2026-09/contacts/99999", Value::Null, 404, json!({"category":"OBJECT_NOT_FOUND"})),
        ("GET /crm/objects/2026-09/contacts/1?properties=hs_lifecyclestage_lead_date", Value::Null, 400, invalid()),
        ("PATCH /crm/objects/2026-09/contacts/99999", json!({"properties":{}}), 404, json!({"category":"OBJECT_NOT_FOUND"})),
        ("PUT /crm/objects/2026-09/contacts/1", json!({}), 405, json!({"category":"METHOD_NOT_ALLOWED"})),
        ("GET /crm/objects/2026-09/contacts/search", Value::Null, 405, json!({"category":"METHOD_NOT_ALLOWED"})),
        ("GET /crm/objects/2026-09/unicorns", Value::Null, 400, said("Unable to infer object type from: unicorns")),
        ("GET /crm/objects/2019-01/contacts", Value::Null, 404, json!({"status":"error"})),
        ("GET /nothing", Value::Null, 404, json!({"status":"error"})),
        (search, json!({"limit":201}), 400, invalid()),
        (search, json!({"limit":100,"after":"9950"}), 400, said("A search goes no further than 10,000 results")),
        (search, filter("LIKE"), 400, invalid()),
        (search, json!({"filterGroups":[{"filters":[{"propertyName":"clew_foo","operator":"EQ","value":"x"}]}]}), 400, invalid()),
        (search, json!({"sorts":["clew_foo"]}), 400, invalid()),
        (declare_one, property(json!({})), 201, json!({"name":"clew_x","type":"string"})),
        (declare_one, property(json!({})), 409, json!({"category":"OBJECT_ALREADY_EXISTS"})),
        (declare_one, property(json!({"name":"Clew X"})), 400, invalid()),
        (declare_one, property(json!({"name":"clew_y","type":"text"})), 400, invalid()),
        (declare_one, property(json!({"name":"clew_y","fieldType":"textbox"})), 400, invalid()),
        (declare_one, property(json!({"name":"clew_y","type":"number"})), 400, invalid()),
        (declare_one, property(json!({"name":"clew_y","groupName":"none"})), 400, invalid()),
        (declare_one, property(json!({"name":"clew_y","type":"enumeration","fieldType":"select"})), 400, invalid()),
        ("POST /crm/objects/2026-09/notes", json!({"properties":{"hs_note_body":"x"}}), 400, said("hs_timestamp…")),
        ("DELETE /crm/objects/2026-09/contacts/99999", Value::Null, 204, Value::Null),
    ]).await;
    let plain =
        call_with(&standin, KEY, contacts, &json!({}), &[("content-type", "text/plain")]).await;
    assert_eq!(plain.status, 415);
    standin.stop().await;
}

#[actix_web::test]
async fn missing_rights_are_refused() {
    let standin = Standin::hubspot().start().unwrap();
    let contacts = "GET /crm/objects/2026-09/contacts";
    for token in ["", "pat-other", "Bearer"] {
        let answer = call(&standin, token, contacts, &Value::Null).await;
        assert_eq!(
            (answer.status, &answer.json["category"]),
            (401, &json!("INVALID_AUTHENTICATION"))
        );
        assert!(
            answer.json["message"]
                .as_str()
                .unwrap()
                .starts_with("Authentication credentials not found.")
        );
    }
    let bare = crate::support::bare(&standin, reqwest::Method::GET, "/crm/v3/objects/deals").await;
    assert_eq!(bare.status, 401);
    standin.set(|settings| settings.scopes = Some(vec!["crm.objects.contacts.read".to_owned()]));
    check(
        &standin,
        KEY,
        &[
            (contacts, Value::Null, 200, json!({"results":[]})),
            (
                "GET /crm/objects/2026-09/deals",
                Value::Null,
                403,
                json!({"category":"MISSING_SCOPES"}),
            ),
            (
                "POST /crm/objects/2026-09/contacts",
                json!({"properties":{}}),
                403,
                json!({"category":"MISSING_SCOPES"}),
            ),
            (
                "POST /crm/properties/2026-09/contacts/groups",
                json!({}),
                403,
                json!({"category":"MISSING_SCOPES"}),
            ),
        ],
    )
    .await;
    for (body, status) in [
        (
            "grant_type=refresh_token&client_id=x&client_secret=y&refresh_token=standin-refresh",
            "BAD_CLIENT_SECRET",
        ),
        (
            "grant_type=refresh_token&client_id=standin-client&client_secret=standin-secret&refresh_token=x",
            "BAD_REFRESH_TOKEN",
        ),
        (
            "grant_type=authorization_code&client_id=standin-client&client_secret=standin-secret&code=x&redirect_uri=y",
            "BAD_AUTH_CODE",
        ),
        (
            "grant_type=magic&client_id=standin-client&client_secret=standin-secret",
            "BAD_GRANT_TYPE",
        ),
    ] {
        let answer = form(&standin, "/oauth/2026-03/token", body).await;
        assert_eq!((answer.status, &answer.json["status"]), (400, &json!(status)));
    }
    let json_body = call(&standin, "", "POST /oauth/2026-03/token", &json!({})).await;
    assert_eq!(json_body.status, 415);
    standin.stop().await;
}

#[actix_web::test]
async fn limits_are_enforced() {
    let standin = Standin::hubspot().start().unwrap();
    let contacts = "GET /crm/objects/2026-09/contacts";
    for left in (0..100).rev() {
        let answer = call(&standin, KEY, contacts, &Value::Null).await;
        assert_eq!(
            (answer.status, answer.header("x-hubspot-ratelimit-remaining")),
            (200, left.to_string().as_str())
        );
    }
    let refused = call(&standin, KEY, contacts, &Value::Null).await;
    assert_eq!(
        (refused.status, &refused.json["policyName"], &refused.json["errorType"]),
        (429, &json!("TEN_SECONDLY_ROLLING"), &json!("RATE_LIMIT"))
    );
    assert_eq!(refused.header("x-hubspot-ratelimit-interval-milliseconds"), "10000");
    assert_eq!(refused.header("x-hubspot-ratelimit-max"), "100");
    assert_eq!(refused.header("x-hubspot-ratelimit-daily-remaining"), "249900");
    standin.advance_ms(10_000);
    assert_eq!(call(&standin, KEY, contacts, &Value::Null).await.status, 200);

    let search = "POST /crm/objects/2026-09/contacts/search";
    for _ in 0..4 {
        let answer = call(&standin, KEY, search, &json!({})).await;
        assert_eq!(
            (answer.status, answer.header("x-hubspot-ratelimit-max")),
            (200, ""),
            "searches have no rate limit headers"
        );
    }
    let refused = call(&standin, KEY, search, &json!({})).await;
    assert_eq!(
        (refused.status, &refused.json["policyName"], &refused.json["message"]),
        (429, &json!("SECONDLY"), &json!("You have reached your secondly limit."))
    );
    standin.advance_ms(1000);
    assert_eq!(call(&standin, KEY, search, &json!({})).await.status, 200);

    standin
        .limit(&Limit { next: 2, policy: Some("DAILY".to_owned()), ..Limit::default() })
        .unwrap();
    for expected in [429, 429, 200] {
        assert_eq!(call(&standin, KEY, contacts, &Value::Null).await.status, expected);
    }
    standin
        .limit(&Limit { remaining: Some(1), policy: Some("DAILY".to_owned()), ..Limit::default() })
        .unwrap();
    for (by_ms, expected) in [(0, 200), (0, 429), (3_600_000, 429), (13 * 3_600_000, 200)] {
        standin.advance_ms(by_ms);
        assert_eq!(call(&standin, KEY, contacts, &Value::Null).await.status, expected);
    }
    standin.stop().await;
}
