//! HubSpot: the responses of each endpoint to valid requests.

use crate::support::{KEY, call, check, form};
use serde_json::{Value, json};
use standin::Standin;

/// Declares a group and five of the properties that `clew crm setup` declares (docs/hubspot.md),
/// twice: the second time is refused.
pub(crate) async fn declare(standin: &Standin, objects: &str) {
    let group = json!({"name":"clew","label":"Clew","displayOrder":-1});
    let property = |name: &str, value_type: &str, field_type: &str| {
        json!({"name":name,"label":name,"groupName":"clew","type":value_type,"fieldType":field_type,
               "hasUniqueValue":name == "clew_lead_id"})
    };
    let inputs = json!({"inputs":[
        property("clew_first_click_source", "string", "text"),
        property("clew_first_click_at", "datetime", "date"),
        property("clew_visits_count", "number", "number"),
        property("clew_journey_summary", "string", "textarea"),
        property("clew_lead_id", "string", "text"),
    ]});
    let rows = [
        (
            format!("POST {objects}/groups"),
            group.clone(),
            201,
            json!({"name":"clew","label":"Clew","displayOrder":-1,"archived":false}),
        ),
        (
            format!("POST {objects}/groups"),
            group,
            409,
            json!({"status":"error","category":"CONFLICT","message":"A property group…"}),
        ),
        (
            format!("POST {objects}/batch/create"),
            inputs.clone(),
            201,
            json!({"status":"COMPLETE","startedAt":"2026-…","completedAt":"2026-…"}),
        ),
        (
            format!("POST {objects}/batch/create"),
            inputs,
            207,
            json!({"status":"COMPLETE","numErrors":5,"results":[]}),
        ),
    ];
    let rows: Vec<_> = rows
        .iter()
        .map(|(line, body, status, expected)| {
            (line.as_str(), body.clone(), *status, expected.clone())
        })
        .collect();
    check(standin, KEY, &rows).await;
}

fn upsert(email: &str, properties: &Value) -> Value {
    json!({"inputs":[{"idProperty":"email","id":email,"objectWriteTraceId":"0197a2b4-1","properties":properties}]})
}

#[actix_web::test]
async fn a_lead_is_written_by_both_apis() {
    for (objects, properties, associations) in [
        ("/crm/objects/2026-09", "/crm/properties/2026-09", "/crm/associations/2026-09"),
        ("/crm/v3/objects", "/crm/v3/properties", "/crm/v4/associations"),
    ] {
        let standin = Standin::hubspot().start().unwrap();
        declare(&standin, &format!("{properties}/contacts")).await;
        let contact = |path: &str| format!("POST {objects}/contacts{path}");
        let fields = json!({"email":"Lead@example.com","firstname":"First","lifecyclestage":"lead",
            "clew_first_click_source":"google","clew_first_click_at":"1793606471000","clew_visits_count":"3"});
        let made =
            call(&standin, KEY, &contact("/batch/upsert"), &upsert("lead@example.com", &fields))
                .await;
        assert_eq!(made.status, 200, "{}", made.json);
        let first = &made.json["results"][0];
        assert_eq!(
            (&first["new"], &first["objectWriteTraceId"]),
            (&json!(true), &json!("0197a2b4-1"))
        );
        assert_eq!(first["properties"]["email"], "lead@example.com");
        assert_eq!(first["properties"]["clew_first_click_at"], "2026-11-02T08:01:11.000Z");
        let id = first["id"].as_str().unwrap().to_owned();
        let again = call(
            &standin,
            KEY,
            &contact("/batch/upsert"),
            &upsert("lead@example.com", &json!({"clew_visits_count":"4"})),
        )
        .await;
        assert_eq!(
            (&again.json["results"][0]["new"], &again.json["results"][0]["id"]),
            (&json!(false), &json!(id))
        );

        let search = json!({"filterGroups":[{"filters":[{"propertyName":"email","operator":"EQ","value":"lead@example.com"}]}],
            "properties":["email","clew_visits_count","clew_lead_id"],"limit":1});
        let note = |contact: &str, type_id: u32| {
            json!({"properties":{"hs_timestamp":"2026-11-21T10:15:00Z",
            "hs_note_body":"<b>Journey</b><p>clew-journey:0197:1</p>"},
            "associations":[{"to":{"id":contact},"types":[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":type_id}]}]})
        };
        check(&standin, KEY, &[
            (&contact("/search"), search, 200, json!({"total":1,"results":[{"id":id,"archived":false,
                "properties":{"email":"lead@example.com","clew_visits_count":"4","clew_lead_id":null}}]})),
            (&format!("GET {objects}/contacts/lead@example.com?idProperty=email&properties=firstname"), Value::Null, 200,
                json!({"id":id,"properties":{"firstname":"First","hs_object_id":id}})),
            (&format!("PATCH {objects}/contacts/{id}"), json!({"properties":{"lifecyclestage":"customer"}}), 200,
                json!({"id":id,"properties":{"lifecyclestage":"customer","hs_v2_date_entered_customer":"2026-11-21T10:00:00.000Z"}})),
            // The stage does not go back.
            (&format!("PATCH {objects}/contacts/{id}"), json!({"properties":{"lifecyclestage":"lead"}}), 200,
                json!({"properties":{"lifecyclestage":"customer"}})),
            (&format!("POST {objects}/notes"), note(&id, 202), 201, json!({"properties":{"hs_timestamp":"2026-11-21T10:15:00.000Z"}})),
            (&format!("POST {objects}/notes"), note(&id, 214), 400, json!({"category":"VALIDATION_ERROR","message":"One or more associations…"})),
            (&format!("POST {objects}/notes"), note("9", 202), 400, json!({"message":"The association's object…"})),
            (&contact("/batch/read"), json!({"properties":["email"],"inputs":[{"id":id},{"id":"9"}]}), 207,
                json!({"results":[{"id":id}],"numErrors":1,"errors":[{"category":"OBJECT_NOT_FOUND","context":{"ids":["9"]}}]})),
        ]).await;

        // How an adapter finds a note after a lost response: the contact's notes, then their
        // bodies.
        let line = format!("POST {associations}/contacts/notes/batch/read");
        let linked = call(&standin, KEY, &line, &json!({"inputs":[{"id":id}]})).await;
        let found = &linked.json["results"][0]["to"][0]["toObjectId"];
        assert_eq!(found.is_string(), objects.contains("2026"), "a string only in the dated API");
        let note_id = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
        check(&standin, KEY, &[(&format!("POST {objects}/notes/batch/read"),
            json!({"properties":["hs_note_body"],"inputs":[{"id":note_id}]}), 200,
            json!({"results":[{"properties":{"hs_note_body":"<b>Journey</b><p>clew-journey:0197:1</p>"}}]}))]).await;
        standin.stop().await;
    }
}

#[actix_web::test]
async fn deals_are_read() {
    let standin = Standin::hubspot().start().unwrap();
    let contact = standin.put("contact", &json!({"email":"lead@example.com"})).unwrap();
    let mut deals = Vec::new();
    for (name, amount) in [("one", "1200"), ("two", "900"), ("three", "10000")] {
        let deal =
            json!({"dealname":name,"amount":amount,"dealstage":"closedwon","pipeline":"default"});
        deals.push(standin.put("deal", &deal).unwrap());
        standin.advance_ms(1000);
    }
    standin.act(&json!({"associate":[deals[0], contact]})).unwrap();
    let search = |after: &str, operator: &str, value: &str| {
        json!({
        "filterGroups":[{"filters":[{"propertyName":"hs_lastmodifieddate","operator":operator,"value":value}]}],
        "sorts":["hs_lastmodifieddate"],"properties":["amount","hs_is_closed_won"],"limit":2,"after":after})
    };
    let by_amount = |direction: &str| json!({"sorts":[{"propertyName":"amount","direction":direction}],"limit":1});
    let line = "POST /crm/objects/2026-09/deals/search";
    check(&standin, KEY, &[
        ("GET /crm/pipelines/2026-09/deals", Value::Null, 200, json!({"results":[{"id":"default"}]})),
        (line, search("0", "GTE", "1795255200000"), 200, json!({"total":3,"paging":{"next":{"after":"2"}},
            "results":[{"id":deals[0],"properties":{"amount":"1200","hs_is_closed_won":"true"}},{"id":deals[1]}]})),
        (line, search("2", "GTE", "1795255200000"), 200, json!({"total":3,"paging":null,"results":[{"id":deals[2]}]})),
        (line, search("0", "GT", "2026-11-21T10:00:01Z"), 200, json!({"total":1,"results":[{"id":deals[2]}]})),
    ]).await;
    standin.advance_ms(1000);
    check(&standin, KEY, &[
        (line, by_amount("DESCENDING"), 200, json!({"results":[{"id":deals[2]}]})),
        (line, by_amount("ASCENDING"), 200, json!({"results":[{"id":deals[1]}]})),
        ("POST /crm/associations/2026-09/deals/contacts/batch/read", json!({"inputs":[{"id":deals[0]},{"id":deals[1]}]}), 200,
            json!({"status":"COMPLETE","results":[{"from":{"id":deals[0]},"to":[{"toObjectId":contact,
                "associationTypes":[{"category":"HUBSPOT_DEFINED","typeId":3,"label":null}]}]}]})),
    ]).await;
    standin.stop().await;
}

#[actix_web::test]
async fn filters_combine_with_and_in_groups_and_or_between_them() {
    let standin = Standin::hubspot()
        .settings(|settings| settings.searches_per_second = 1000)
        .start()
        .unwrap();
    for (email, stage) in
        [("a@example.com", "lead"), ("b@example.com", "customer"), ("c@example.org", "")]
    {
        standin.put("contact", &json!({"email":email,"lifecyclestage":stage})).unwrap();
    }
    let filter = |name: &str, operator: &str, value: Value| {
        let mut filter = json!({"propertyName":name,"operator":operator});
        let member = if value.is_array() { "values" } else { "value" };
        filter[member] = value;
        if operator == "BETWEEN" {
            filter["highValue"] = json!("2026-11-22T00:00:00Z");
        }
        if operator.contains("HAS") {
            filter.as_object_mut().unwrap().remove("value");
        }
        filter
    };
    for (groups, total) in [
        (json!([[filter("email", "EQ", json!("A@example.com"))]]), 1),
        (json!([[filter("email", "NEQ", json!("a@example.com"))]]), 2),
        (json!([[filter("email", "IN", json!(["a@example.com", "b@example.com"]))]]), 2),
        (json!([[filter("email", "NOT_IN", json!(["a@example.com"]))]]), 2),
        (json!([[filter("lifecyclestage", "HAS_PROPERTY", json!(""))]]), 2),
        (json!([[filter("lifecyclestage", "NOT_HAS_PROPERTY", json!(""))]]), 1),
        (json!([[filter("email", "CONTAINS_TOKEN", json!("*example.com"))]]), 2),
        (json!([[filter("email", "NOT_CONTAINS_TOKEN", json!("example.com"))]]), 1),
        (json!([[filter("createdate", "BETWEEN", json!("2026-11-21T00:00:00Z"))]]), 3),
        (json!([[filter("createdate", "LT", json!("2026-11-21T00:00:00Z"))]]), 0),
        (
            json!([[
                filter("email", "EQ", json!("a@example.com")),
                filter("lifecyclestage", "EQ", json!("customer"))
            ]]),
            0,
        ),
        (
            json!([
                [filter("email", "EQ", json!("a@example.com"))],
                [filter("lifecyclestage", "EQ", json!("customer"))]
            ]),
            2,
        ),
    ] {
        let groups: Vec<Value> =
            groups.as_array().unwrap().iter().map(|filters| json!({"filters":filters})).collect();
        let answer = call(
            &standin,
            KEY,
            "POST /crm/objects/2026-09/contacts/search",
            &json!({"filterGroups":groups}),
        )
        .await;
        assert_eq!(answer.json["total"], total, "{groups:?} {}", answer.json);
    }
    standin.stop().await;
}

#[actix_web::test]
async fn refresh_tokens_rotate_and_access_tokens_expire() {
    let standin = Standin::hubspot().start().unwrap();
    let refresh = |token: &str| {
        format!(
            "grant_type=refresh_token&client_id=standin-client&client_secret=standin-secret&refresh_token={token}"
        )
    };
    let first = form(&standin, "/oauth/2026-03/token", &refresh("standin-refresh")).await;
    assert_eq!(
        (first.status, &first.json["expires_in"], &first.json["token_type"]),
        (200, &json!(1800), &json!("bearer"))
    );
    let token = first.json["access_token"].as_str().unwrap().to_owned();
    let contacts = "GET /crm/objects/2026-09/contacts";
    let answer = call(&standin, &token, contacts, &Value::Null).await;
    assert_eq!(
        (answer.status, answer.header("x-hubspot-ratelimit-daily")),
        (200, ""),
        "OAuth tokens get no daily headers"
    );
    let used = form(&standin, "/oauth/v1/token", &refresh("standin-refresh")).await;
    assert_eq!((used.status, &used.json["status"]), (400, &json!("BAD_REFRESH_TOKEN")));
    standin.advance_ms(1_799_999);
    assert_eq!(call(&standin, &token, contacts, &Value::Null).await.status, 200);
    standin.advance_ms(1);
    let late = call(&standin, &token, contacts, &Value::Null).await;
    assert_eq!((late.status, &late.json["category"]), (401, &json!("INVALID_AUTHENTICATION")));
    let rotated = first.json["refresh_token"].as_str().unwrap();
    let second = form(&standin, "/oauth/v3/token", &refresh(rotated)).await;
    let token = second.json["access_token"].as_str().unwrap().to_owned();
    standin.expire_tokens(false);
    assert_eq!(call(&standin, &token, contacts, &Value::Null).await.status, 401);
    assert_eq!(
        call(&standin, KEY, contacts, &Value::Null).await.status,
        200,
        "service keys do not expire"
    );
    standin.expire_tokens(true);
    assert_eq!(call(&standin, KEY, contacts, &Value::Null).await.status, 401);
    standin.stop().await;
}

#[actix_web::test]
async fn merging_two_contacts_makes_a_new_one() {
    let standin = Standin::hubspot().start().unwrap();
    let one =
        standin.put("contact", &json!({"email":"one@example.com","firstname":"One"})).unwrap();
    let other =
        standin.put("contact", &json!({"email":"two@example.com","lastname":"Two"})).unwrap();
    let merge = "POST /crm/objects/2026-09/contacts/merge";
    let body = json!({"primaryObjectId":one,"objectIdToMerge":other});
    let merged = call(&standin, KEY, merge, &body).await;
    assert_eq!(merged.status, 200, "{}", merged.json);
    let id = merged.json["id"].as_str().unwrap();
    assert!(id != one && id != other);
    check(&standin, KEY, &[
        (&format!("GET /crm/v3/objects/contacts/{one}"), Value::Null, 404, json!({"category":"OBJECT_NOT_FOUND"})),
        ("GET /crm/v3/objects/contacts/two@example.com?idProperty=email&properties=email,lastname", Value::Null, 200,
            json!({"id":id,"properties":{"email":"one@example.com","lastname":"Two"}})),
        // The secondary e-mail finds it, but an upsert by it is refused.
        ("POST /crm/v3/objects/contacts/batch/upsert", upsert("two@example.com", &json!({"firstname":"X"})), 400,
            json!({"message":"two@example.com is a secondary email…"})),
        (merge, body.clone(), 404, json!({"category":"OBJECT_NOT_FOUND"})),
    ]).await;
    standin.stop().await;
}
