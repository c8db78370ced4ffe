//! The control API over HTTP, as anyone can use it with curl.

use crate::support::{KEY, Receiver, call, check};
use serde_json::{Value, json};
use standin::{Fault, Standin, When};

#[actix_web::test]
async fn every_control_works_over_http() {
    let receiver = Receiver::start();
    let standin = Standin::hubspot().start().unwrap();
    let first = standin.put("deal", &json!({"amount":"1"})).unwrap();
    let list = "GET /crm/objects/2026-09/contacts";
    check(&standin, KEY, &[
        ("POST /__test/settings", json!({"target_url":receiver.url,"burst":7}), 200, json!({"burst":7})),
        ("POST /__test/settings", json!({"bursts":7}), 400, json!({"error":"unknown field `bursts`…"})),
        ("POST /__test/records", json!({"object":"contact","fields":{"email":"a@b.co"}}), 200, json!({"id":"152"})),
        ("POST /__test/records", json!({"object":"unicorn","fields":{}}), 400, json!({"error":"no object type unicorn"})),
        ("POST /__test/act", json!({"associate":[first,"152"]}), 200, json!({})),
        ("GET /__test/records", Value::Null, 200, json!({"contacts":[{"id":"152","associated":[first]}],"notes":[]})),
        ("POST /__test/clock", json!({"advance_ms":5}), 200, json!({"now_ms":1_795_255_200_005_i64})),
        ("POST /__test/fail", json!({"match":"/contacts","status":502,"times":2,"body":{"a":1}}), 200, json!({})),
        (list, Value::Null, 502, json!({"a":1})),
        ("GET /crm/pipelines/2026-09/deals", Value::Null, 200, json!({})),
        (list, Value::Null, 502, json!({"a":1})),
        (list, Value::Null, 200, json!({"results":[{"id":"152"}]})),
        ("POST /__test/fail", json!({"staus":502}), 400, json!({"error":"unknown field `staus`…"})),
        ("POST /__test/limit", json!({"next":1,"policyName":"SECONDLY"}), 200, json!({})),
        (list, Value::Null, 429, json!({"policyName":"SECONDLY"})),
        ("POST /__test/limit", json!({"policy":"WEEKLY"}), 400, json!({"error":"no policy WEEKLY…"})),
        ("POST /__test/emit", json!({"object":"deal","id":first,"change":{"dealstage":"closedwon"},"duplicates":1}), 200,
            json!([{"status":200,"acknowledged":true},{"status":200,"acknowledged":true}])),
        ("POST /__test/retry", Value::Null, 200, json!([])),
        ("POST /__test/expire_tokens", json!({"all":true}), 200, json!({})),
        (list, Value::Null, 401, json!({"status":"error"})),
        ("GET /__test/nothing", Value::Null, 400, json!({"error":"no such control…"})),
    ]).await;
    let log = call(&standin, KEY, "GET /__test/log", &Value::Null).await.json;
    let statuses: Vec<_> =
        log.as_array().unwrap().iter().map(|one| one["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [502, 200, 502, 200, 429, 401], "controls are not logged");
    assert_eq!(
        (&log[0]["method"], &log[0]["path"]),
        (&json!("GET"), &json!("/crm/objects/2026-09/contacts"))
    );
    let deliveries = call(&standin, KEY, "GET /__test/deliveries", &Value::Null).await.json;
    assert_eq!(deliveries.as_array().unwrap().len(), 2);
    check(
        &standin,
        KEY,
        &[
            ("POST /__test/reset", Value::Null, 200, json!({})),
            ("GET /__test/log", Value::Null, 200, json!([])),
            ("GET /__test/records", Value::Null, 200, json!({"contacts":[],"deals":[]})),
            (list, Value::Null, 200, json!({"results":[]})),
        ],
    )
    .await;
    standin.stop().await;
}

#[actix_web::test]
async fn faults_hit_before_or_after_the_work_or_at_random() {
    let standin = Standin::hubspot().settings(|settings| settings.burst = 1000).start().unwrap();
    let create = |email: String| json!({"properties":{"email":email}});
    let line = "POST /crm/objects/2026-09/contacts";
    let count = || standin.records()["contacts"].as_array().unwrap().len();
    standin.fail(Fault { status: 500, ..Fault::default() });
    assert_eq!(call(&standin, KEY, line, &create("a@b.co".to_owned())).await.status, 500);
    assert_eq!(count(), 0);
    standin.fail(Fault { status: 504, when: When::After, ..Fault::default() });
    assert_eq!(call(&standin, KEY, line, &create("a@b.co".to_owned())).await.status, 504);
    assert_eq!(count(), 1, "carried out, and the response lost");
    standin.fail(Fault { status: 503, percent: 30, times: 1000, ..Fault::default() });
    let mut refused = 0;
    for number in 0..200 {
        let answer = call(&standin, KEY, line, &create(format!("{number}@b.co"))).await;
        refused += usize::from(answer.status == 503);
    }
    assert!((40..=80).contains(&refused), "{refused} of 200 at 30 percent");
    assert_eq!(count(), 201 - refused);
    standin.stop().await;
}

#[actix_web::test]
async fn the_seed_determines_the_ids() {
    let mut ids = Vec::new();
    for seed in [1, 1, 2] {
        let standin = Standin::salesforce().seed(seed).start().unwrap();
        ids.push(standin.put("Lead", &json!({"LastName":"L"})).unwrap());
        standin.stop().await;
    }
    assert_eq!((ids[0] == ids[1], ids[0] == ids[2]), (true, false));
}
