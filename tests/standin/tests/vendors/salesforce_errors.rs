//! Salesforce: what it refuses, with the status and form of each refusal.

use crate::salesforce::{CLIENT, ask, declare, session};
use crate::support::{call, call_with, check, form};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use standin::{Limit, Standin};

const DATA: &str = "/services/data/v68.0";
const TOKEN: &str = "/services/oauth2/token";

#[actix_web::test]
async fn wrong_requests_are_refused() {
    let standin = Standin::salesforce().start().unwrap();
    let token = session(&standin).await;
    declare(&standin, &token).await;
    let lead = |change: Value| {
        let mut lead = json!({"LastName":"L","Company":"C"});
        lead.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        lead
    };
    let code = |code: &str| json!([{"errorCode":code}]);
    let post = format!("POST {DATA}/sobjects/Lead");
    let upsert = format!("PATCH {DATA}/sobjects/Lead/Clew_Lead_Id__c/1");
    let field = format!("POST {DATA}/tooling/sobjects/CustomField");
    let custom = |name: &str, metadata: Value| json!({"FullName":name,"Metadata":metadata});
    let text = || json!({"label":"X","type":"Text","length":255});
    check(&standin, &token, &[
        (&upsert, json!({"Company":"C"}), 400, json!([{"message":"Required fields are missing: [LastName]","errorCode":"REQUIRED_FIELD_MISSING","fields":["LastName"]}])),
        (&post, json!({}), 400, json!([{"errorCode":"REQUIRED_FIELD_MISSING","fields":["LastName","Company"]}])),
        (&post, lead(json!({"LastName":null})), 400, code("REQUIRED_FIELD_MISSING")),
        (&upsert, lead(json!({"Clew_X__c":"x"})), 400, json!([{"message":"No such column 'Clew_X__c' on sobject of type Lead","errorCode":"INVALID_FIELD","fields":[]}])),
        (&upsert, lead(json!({"Clew_Lead_Id__c":"1"})), 400, code("INVALID_FIELD")),
        (&upsert, lead(json!({"Id":"1"})), 400, code("INVALID_FIELD")),
        (&post, lead(json!({"IsConverted":true})), 400, code("INVALID_FIELD_FOR_INSERT_UPDATE")),
        (&post, lead(json!({"FirstName":"x".repeat(41)})), 400, json!([{"errorCode":"STRING_TOO_LONG","fields":["FirstName"]}])),
        (&post, lead(json!({"Clew_Journey_Url__c":"x".repeat(256)})), 400, code("STRING_TOO_LONG")),
        (&post, lead(json!({"Email":"no e-mail"})), 400, json!([{"errorCode":"INVALID_EMAIL_ADDRESS","fields":["Email"]}])),
        (&post, lead(json!({"Status":"Lukewarm"})), 400, code("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")),
        (&post, lead(json!({"LeadSource":"Podcast"})), 201, json!({"success":true})),
        (&post, lead(json!({"Clew_Visits_Count__c":"3"})), 400, code("JSON_PARSER_ERROR")),
        (&post, lead(json!({"Clew_Visits_Count__c":1e18})), 400, code("NUMBER_OUTSIDE_VALID_RANGE")),
        (&post, lead(json!({"Clew_First_Click_At__c":"yesterday"})), 400, code("JSON_PARSER_ERROR")),
        (&post, lead(json!({"Clew_Is_Test__c":"true"})), 400, code("JSON_PARSER_ERROR")),
        (&post, lead(json!({"FirstName":3})), 400, code("JSON_PARSER_ERROR")),
        (&post, json!([]), 400, code("JSON_PARSER_ERROR")),
        (&format!("PATCH {DATA}/sobjects/Lead/Email/a@b.co"), lead(json!({})), 404, code("NOT_FOUND")),
        (&format!("PATCH {DATA}/sobjects/Lead/00QB00000000000AAA"), json!({}), 404, code("NOT_FOUND")),
        (&format!("PUT {DATA}/sobjects/Lead"), json!({}), 405, code("METHOD_NOT_ALLOWED")),
        (&format!("GET {DATA}/composite"), Value::Null, 405, code("METHOD_NOT_ALLOWED")),
        (&format!("POST {DATA}/sobjects/Unicorn"), json!({}), 404, code("NOT_FOUND")),
        ("GET /services/data/v12.0/limits", Value::Null, 404, json!([{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}])),
        (&format!("POST {DATA}/sobjects/Task"), json!({"WhoId":"00QB00000000000AAA"}), 400, code("MALFORMED_ID")),
        (&format!("POST {DATA}/sobjects/CampaignMember"), json!({"CampaignId":null}), 400, code("REQUIRED_FIELD_MISSING")),
        (&field, custom("Lead.First Click__c", text()), 400, code("FIELD_INTEGRITY_EXCEPTION")),
        (&field, custom(&format!("Lead.{}__c", "x".repeat(41)), text()), 400, code("FIELD_INTEGRITY_EXCEPTION")),
        (&field, custom("Unicorn.X__c", text()), 400, code("FIELD_INTEGRITY_EXCEPTION")),
        (&field, custom("Lead.X__c", json!({"label":"X","type":"Text","length":256})), 400, code("FIELD_INTEGRITY_EXCEPTION")),
        (&field, custom("Lead.X__c", json!({"type":"Text","length":25})), 400, code("FIELD_INTEGRITY_EXCEPTION")),
        (&field, custom("Lead.X__c", json!({"label":"X","type":"Checkbox"})), 400, code("FIELD_INTEGRITY_EXCEPTION")),
        (&field, json!({"FullName":"Lead.X__c","Label":"X"}), 400, code("INVALID_FIELD")),
    ]).await;
    let plain =
        call_with(&standin, &token, &post, &json!({}), &[("content-type", "text/plain")]).await;
    assert_eq!(plain.status, 415);
    standin.stop().await;
}

#[actix_web::test]
async fn wrong_queries_are_refused() {
    let standin = Standin::salesforce().start().unwrap();
    let token = session(&standin).await;
    for (soql, code) in [
        ("SELECT FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Id", "MALFORMED_QUERY"),
        ("SELECT * FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email='O'Hara'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email='x", "MALFORMED_QUERY"),
        (r"SELECT Id FROM Lead WHERE Email='\x'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email=x", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email='a' OR Email='b'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead LIMIT many", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead; DELETE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Unicorn", "INVALID_TYPE"),
        ("SELECT Id,(SELECT Id FROM Unicorns) FROM Lead", "INVALID_TYPE"),
        ("SELECT Id,(SELECT Clew_X__c FROM Tasks) FROM Lead", "INVALID_FIELD"),
        ("SELECT Clew_X__c FROM Lead", "INVALID_FIELD"),
        ("SELECT CurrencyIsoCode FROM Opportunity", "INVALID_FIELD"),
        ("SELECT Id FROM Task WHERE Description='x'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE SystemModstamp >= '2026-11-21T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE SystemModstamp >= 2026-11-21", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE IsConverted='true'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead ORDER BY Clew_X__c", "INVALID_FIELD"),
    ] {
        let answer = ask(&standin, &token, soql).await;
        let found = answer.json[0]["errorCode"].as_str().unwrap_or_default();
        assert_eq!((found, answer.status), (code, 400), "{soql}");
    }
    standin.set(|settings| settings.multi_currency = true);
    assert_eq!(ask(&standin, &token, "SELECT CurrencyIsoCode FROM Opportunity").await.status, 200);
    standin.stop().await;
}

fn assertion(change: &Value) -> String {
    let mut claims = json!({"iss":"standin-client","sub":"clew@example.com","aud":"https://login.salesforce.com","exp":1_795_255_380});
    claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let part = |text: String| URL_SAFE_NO_PAD.encode(text);
    let (head, claims) = (part(json!({"alg":"RS256"}).to_string()), part(claims.to_string()));
    let signature = URL_SAFE_NO_PAD.encode([7; 256]);
    format!(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={head}.{claims}.{signature}"
    )
}

#[actix_web::test]
async fn grants_and_sessions_are_checked() {
    let standin = Standin::salesforce().start().unwrap();
    let client = "client_id=standin-client&client_secret=standin-secret";
    for (body, status, code) in [
        (CLIENT.to_owned(), 200, Value::Null),
        (
            format!("grant_type=refresh_token&{client}&refresh_token=standin-refresh"),
            200,
            Value::Null,
        ),
        (
            format!("grant_type=refresh_token&{client}&refresh_token=standin-refresh"),
            400,
            json!("invalid_grant"),
        ),
        (
            format!("grant_type=authorization_code&{client}&code=standin-code&redirect_uri=x"),
            200,
            Value::Null,
        ),
        (
            format!("grant_type=authorization_code&{client}&code=standin-code&redirect_uri=x"),
            400,
            json!("invalid_grant"),
        ),
        (format!("grant_type=password&{client}"), 400, json!("unsupported_grant_type")),
        (
            "grant_type=client_credentials&client_id=x&client_secret=y".to_owned(),
            400,
            json!("invalid_client"),
        ),
        (assertion(&json!({})), 200, Value::Null),
        (assertion(&json!({"iss":"x"})), 400, json!("invalid_grant")),
        (assertion(&json!({"sub":"x"})), 400, json!("invalid_grant")),
        (assertion(&json!({"aud":"x"})), 400, json!("invalid_grant")),
        (assertion(&json!({"exp":1_795_255_200})), 400, json!("invalid_grant")),
        (assertion(&json!({"exp":1_795_255_381})), 400, json!("invalid_grant")),
    ] {
        let answer = form(&standin, TOKEN, &body).await;
        assert_eq!((answer.status, &answer.json["error"]), (status, &code), "{body}");
    }
    let limits = format!("GET {DATA}/limits");
    let token = session(&standin).await;
    assert_eq!(call(&standin, &token, &limits, &Value::Null).await.status, 200);
    standin.expire_tokens(false);
    let ended = call(&standin, &token, &limits, &Value::Null).await;
    assert_eq!(
        (ended.status, ended.json),
        (401, json!([{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]))
    );
    let token = session(&standin).await;
    assert_eq!(call(&standin, &token, &limits, &Value::Null).await.status, 200);
    standin.expire_tokens(true);
    assert_eq!(form(&standin, TOKEN, CLIENT).await.json["error"], "invalid_grant");
    standin.stop().await;
}

#[actix_web::test]
async fn limits_are_enforced() {
    let standin = Standin::salesforce().settings(|settings| settings.daily = 2).start().unwrap();
    let token = session(&standin).await;
    let limits = format!("GET {DATA}/limits");
    for (expected, usage) in
        [(200, "api-usage=1/2"), (200, "api-usage=2/2"), (403, "api-usage=2/2")]
    {
        let answer = call(&standin, &token, &limits, &Value::Null).await;
        assert_eq!((answer.status, answer.header("sforce-limit-info")), (expected, usage));
        if expected == 403 {
            assert_eq!(
                answer.json,
                json!([{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}])
            );
        }
    }
    standin.advance_ms(86_400_000);
    standin
        .limit(&Limit {
            next: 1,
            policy: Some("ConcurrentPerOrgLongTxn".to_owned()),
            ..Limit::default()
        })
        .unwrap();
    let busy = call(&standin, &token, &limits, &Value::Null).await;
    assert_eq!(
        (busy.status, &busy.json[0]["message"]),
        (403, &json!("ConcurrentPerOrgLongTxn Limit exceeded."))
    );
    assert_eq!(call(&standin, &token, &limits, &Value::Null).await.status, 200);
    standin.stop().await;
}
