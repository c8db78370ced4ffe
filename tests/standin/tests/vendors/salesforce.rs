//! Salesforce: the responses of each endpoint to valid requests.

use crate::support::{call, call_with, check, form, holds};
use serde_json::{Value, json};
use standin::Standin;

pub(crate) const CLIENT: &str =
    "grant_type=client_credentials&client_id=standin-client&client_secret=standin-secret";
const DATA: &str = "/services/data/v68.0";

/// Starts a session with client credentials.
pub(crate) async fn session(standin: &Standin) -> String {
    let answer = form(standin, "/services/oauth2/token", CLIENT).await;
    assert_eq!((answer.status, answer.json["instance_url"].as_str()), (200, Some(standin.url())));
    answer.json["access_token"].as_str().unwrap().to_owned()
}

/// Declares the custom fields of a lead, and grants permission to see them.
pub(crate) async fn declare(standin: &Standin, token: &str) {
    let set =
        query(standin, token, "SELECT Id FROM PermissionSet WHERE Name='Clew_Integration'").await;
    let parent = set["records"][0]["Id"].as_str().unwrap().to_owned();
    for (name, metadata) in [
        (
            "Clew_Lead_Id__c",
            json!({"type":"Text","length":36,"unique":true,"caseSensitive":false,"externalId":true}),
        ),
        ("Clew_First_Click_Source__c", json!({"type":"Text","length":255})),
        ("Clew_First_Click_At__c", json!({"type":"DateTime"})),
        ("Clew_Visits_Count__c", json!({"type":"Number","precision":18,"scale":0})),
        ("Clew_Journey_Summary__c", json!({"type":"LongTextArea","length":32768,"visibleLines":5})),
        ("Clew_Journey_Url__c", json!({"type":"Url"})),
        ("Clew_Is_Test__c", json!({"type":"Checkbox","defaultValue":"false"})),
    ] {
        let mut metadata = metadata;
        metadata["label"] = json!(name.trim_end_matches("__c").replace('_', " "));
        let field = json!({"FullName":format!("Lead.{name}"),"Metadata":metadata});
        let permission = json!({"ParentId":parent,"SobjectType":"Lead","Field":format!("Lead.{name}"),
            "PermissionsRead":true,"PermissionsEdit":true});
        let soql = format!("GET {DATA}/query?q=SELECT+{name}+FROM+Lead");
        check(
            standin,
            token,
            &[
                (
                    &format!("POST {DATA}/tooling/sobjects/CustomField"),
                    field.clone(),
                    201,
                    json!({"success":true,"errors":[],"warnings":[],"infos":[]}),
                ),
                (
                    &format!("POST {DATA}/tooling/sobjects/CustomField"),
                    field,
                    400,
                    json!([{"errorCode":"DUPLICATE_DEVELOPER_NAME"}]),
                ),
                // Nobody has permission to see it yet.
                (&soql, Value::Null, 400, json!([{"errorCode":"INVALID_FIELD"}])),
                (
                    &format!("POST {DATA}/sobjects/FieldPermissions"),
                    permission,
                    201,
                    json!({"success":true,"errors":[]}),
                ),
                (&soql, Value::Null, 200, json!({"done":true})),
            ],
        )
        .await;
    }
}

/// The response to a valid query.
pub(crate) async fn query(standin: &Standin, token: &str, soql: &str) -> Value {
    let answer = ask(standin, token, soql).await;
    assert_eq!(answer.status, 200, "{soql}: {}", answer.json);
    answer.json
}

pub(crate) async fn ask(standin: &Standin, token: &str, soql: &str) -> crate::support::Answer {
    let escaped: String = soql.bytes().map(|byte| format!("%{byte:02X}")).collect();
    call(standin, token, &format!("GET {DATA}/query?q={escaped}"), &Value::Null).await
}

#[actix_web::test]
async fn a_lead_is_written() {
    let standin = Standin::salesforce().start().unwrap();
    let token = session(&standin).await;
    declare(&standin, &token).await;
    let line = format!("PATCH {DATA}/sobjects/Lead/Clew_Lead_Id__c/0197a2b4-7c1e");
    let lead = json!({"LastName":"Last","FirstName":"First","Company":"Acme","Email":"lead@example.com","LeadSource":"Web",
        "Clew_First_Click_Source__c":"google","Clew_First_Click_At__c":"2026-11-02T08:01:11Z","Clew_Visits_Count__c":3});
    let made = call(&standin, &token, &line, &lead).await;
    assert_eq!((made.status, &made.json["created"]), (201, &json!(true)), "{}", made.json);
    let id = made.json["id"].as_str().unwrap().to_owned();
    assert_eq!((id.len(), &id[..3]), (18, "00Q"));
    assert!(made.header("sforce-limit-info").starts_with("api-usage="));
    let again = call(&standin, &token, &line, &json!({"Clew_Visits_Count__c":4})).await;
    assert_eq!(
        (again.status, &again.json["created"], &again.json["id"]),
        (200, &json!(false), &json!(id))
    );
    let soql = "SELECT Id,Email,IsConverted,ConvertedContactId,Clew_Lead_Id__c,Clew_First_Click_At__c,Clew_Visits_Count__c FROM Lead WHERE Email='LEAD@example.com' ORDER BY CreatedDate DESC LIMIT 5";
    let found = query(&standin, &token, soql).await;
    assert!(
        holds(
            &found,
            &json!({"totalSize":1,"done":true,"records":[{"Id":id,"IsConverted":false,"ConvertedContactId":null,
        "attributes":{"type":"Lead","url":format!("{DATA}/sobjects/Lead/{id}")},"Clew_Lead_Id__c":"0197a2b4-7c1e",
        "Clew_First_Click_At__c":"2026-11-02T08:01:11.000+0000","Clew_Visits_Count__c":4}]})
        ),
        "{found}"
    );
    let described =
        call(&standin, &token, &format!("GET {DATA}/sobjects/Lead/describe"), &Value::Null).await;
    let fields = described.json["fields"].as_array().unwrap();
    let external = fields.iter().find(|field| field["name"] == "Clew_Lead_Id__c").unwrap();
    assert!(holds(
        external,
        &json!({"type":"string","length":36,"unique":true,"externalId":true,"createable":true,"updateable":true})
    ));
    check(&standin, &token, &[
        (&format!("GET {DATA}/sobjects/Lead/{id}?fields=Name,Status"), Value::Null, 200, json!({"Name":"First Last","Status":"Open - Not Contacted"})),
        (&format!("GET {DATA}/sobjects/Lead/{}", &id[..15]), Value::Null, 200, json!({"Id":id,"Company":"Acme"})),
        (&format!("GET {DATA}/sobjects/Lead/Clew_Lead_Id__c/0197a2b4-7c1e"), Value::Null, 200, json!({"Id":id})),
        (&format!("PATCH {DATA}/sobjects/Lead/{id}"), json!({"Status":"Working - Contacted"}), 204, Value::Null),
        (&format!("GET {DATA}/limits"), Value::Null, 200, json!({"DailyApiRequests":{"Max":15000}})),
        (&format!("DELETE {DATA}/sobjects/Lead/{id}"), Value::Null, 204, Value::Null),
        (&format!("DELETE {DATA}/sobjects/Lead/{id}"), Value::Null, 404, json!([{"errorCode":"ENTITY_IS_DELETED"}])),
        (&format!("GET {DATA}/sobjects/Lead/deleted?start=2026-11-21T00:00:00Z&end=2026-11-22T00:00:00Z"), Value::Null, 200,
            json!({"deletedRecords":[{"id":id,"deletedDate":"2026-11-21T10:00:00.000+0000"}]})),
    ]).await;
    standin.stop().await;
}

fn composite(all_or_none: bool, company: &str, priority: &str) -> Value {
    json!({"allOrNone":all_or_none,"compositeRequest":[
        {"method":"PATCH","url":format!("{DATA}/sobjects/Lead/Clew_Lead_Id__c/L-{company}"),"referenceId":"lead",
         "body":{"LastName":"Last","Company":company}},
        {"method":"POST","url":format!("{DATA}/sobjects/Task"),"referenceId":"journey",
         "body":{"WhoId":"@{lead.id}","Subject":"Attribution journey #1 (0197a2b4)","Status":"Completed","Priority":priority,
                 "ActivityDate":"2026-11-21","Description":"1. \nclew-journey:0197a2b4:1"}}]})
}

#[actix_web::test]
async fn lead_and_journey_in_one_request() {
    let standin = Standin::salesforce().start().unwrap();
    let token = session(&standin).await;
    declare(&standin, &token).await;
    let line = format!("POST {DATA}/composite");
    check(&standin, &token, &[
        (&line, composite(true, "Acme", "Normal"), 200, json!({"compositeResponse":[
            {"httpStatusCode":201,"referenceId":"lead","body":{"success":true,"created":true}},
            {"httpStatusCode":201,"referenceId":"journey","body":{"success":true,"errors":[]}}]})),
        // The reference also works on an update.
        (&line, composite(true, "Acme", "Normal"), 200, json!({"compositeResponse":[{"httpStatusCode":200},{"httpStatusCode":201}]})),
        // A part that fails rolls back the others, or not.
        (&line, composite(true, "Beta", "Urgent"), 200, json!({"compositeResponse":[
            {"httpStatusCode":400,"body":[{"errorCode":"PROCESSING_HALTED","message":"The transaction was rolled back…"}]},
            {"httpStatusCode":400,"body":[{"errorCode":"INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"}]}]})),
        (&line, composite(false, "Gamma", "Urgent"), 200, json!({"compositeResponse":[{"httpStatusCode":201},{"httpStatusCode":400}]})),
        (&line, json!({"compositeRequest":vec![json!({"method":"GET","url":"/x","referenceId":"a"}); 26]}), 400, json!([{"errorCode":"LIMIT_EXCEEDED"}])),
        (&line, json!({"compositeRequest":[{"method":"GET","url":"/x","referenceId":"a"},{"method":"GET","url":"/x","referenceId":"a"}]}), 400,
            json!([{"errorCode":"JSON_PARSER_ERROR"}])),
    ]).await;
    let leads = query(&standin, &token, "SELECT Company FROM Lead ORDER BY Company").await;
    assert_eq!(
        leads["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|lead| &lead["Company"])
            .collect::<Vec<_>>(),
        ["Acme", "Gamma"]
    );
    let lead = query(&standin, &token, "SELECT Id FROM Lead WHERE Company='Acme'").await;
    let who = lead["records"][0]["Id"].as_str().unwrap();
    let soql = format!(
        "SELECT Id FROM Task WHERE WhoId='{who}' AND Subject='Attribution journey #1 (0197a2b4)'"
    );
    assert_eq!(query(&standin, &token, &soql).await["totalSize"], 2);

    let record = |id: &str, name: Value| json!({"attributes":{"type":"Lead"},"Clew_Lead_Id__c":id,"LastName":name,"Company":"Bulk"});
    let bulk = format!("PATCH {DATA}/composite/sobjects/Lead/Clew_Lead_Id__c");
    check(&standin, &token, &[
        (&bulk, json!({"allOrNone":false,"records":[record("B1", json!("One")), record("B2", Value::Null)]}), 200,
            json!([{"success":true,"created":true},{"success":false,"errors":[{"statusCode":"REQUIRED_FIELD_MISSING","fields":["LastName"]}]}])),
        (&bulk, json!({"allOrNone":true,"records":[record("B3", json!("Three")), record("B4", Value::Null)]}), 200,
            json!([{"success":false,"errors":[{"statusCode":"ALL_OR_NONE_OPERATION_ROLLED_BACK"}]},{"success":false}])),
        (&bulk, json!({"records":vec![record("B", json!("x")); 201]}), 400, json!([{"errorCode":"INVALID_INPUT"}])),
    ]).await;
    assert_eq!(
        query(&standin, &token, "SELECT Id FROM Lead WHERE Company='Bulk'").await["totalSize"],
        1
    );
    standin.stop().await;
}

#[actix_web::test]
async fn changes_are_polled_page_by_page() {
    let standin =
        Standin::salesforce().settings(|settings| settings.page_size = 2).start().unwrap();
    let token = session(&standin).await;
    let lead = standin
        .put("Lead", &json!({"LastName":"O'Hara","Company":"A\\B","Email":"lead@example.com"}))
        .unwrap();
    let made = standin.act(&json!({"convert":lead})).unwrap();
    assert!(standin.act(&json!({"convert":lead})).is_err(), "once");
    for (name, stage, amount) in [("One", "Closed Won", 1200), ("Two", "Closed Lost", 900)] {
        standin.advance_ms(1000);
        standin
            .put(
                "Opportunity",
                &json!({"Name":name,"StageName":stage,"Amount":amount,"CloseDate":"2026-11-21"}),
            )
            .unwrap();
    }
    let soql = "SELECT Id,Name,StageName,Amount,CloseDate,IsClosed,IsWon,SystemModstamp,(SELECT ContactId,Contact.Email,IsPrimary FROM OpportunityContactRoles) FROM Opportunity WHERE SystemModstamp >= 2026-11-21T00:00:00Z ORDER BY SystemModstamp ASC, Id ASC";
    let page = query(&standin, &token, soql).await;
    assert!(
        holds(
            &page,
            &json!({"totalSize":3,"done":false,"records":[
        {"Id":made["opportunity"],"IsClosed":false,"OpportunityContactRoles":{"totalSize":1,"done":true,
            "records":[{"ContactId":made["contact"],"IsPrimary":true,"Contact":{"Email":"lead@example.com","attributes":{"type":"Contact"}}}]}},
        {"Name":"One","IsWon":true,"Amount":1200,"OpportunityContactRoles":null,"SystemModstamp":"2026-11-21T10:00:01.000+0000"}]})
        ),
        "{page}"
    );
    let next = page["nextRecordsUrl"].as_str().unwrap().to_owned();
    check(&standin, &token, &[
        (&format!("GET {next}"), Value::Null, 200, json!({"totalSize":3,"done":true,"records":[{"Name":"Two","IsClosed":true,"IsWon":false}]})),
        (&format!("GET {next}"), Value::Null, 400, json!([{"errorCode":"INVALID_QUERY_LOCATOR"}])),
        (&format!("PATCH {DATA}/sobjects/Lead/{lead}"), json!({"Title":"x"}), 400, json!([{"errorCode":"CANNOT_UPDATE_CONVERTED_LEAD"}])),
    ]).await;
    for (condition, size) in [
        (r"LastName='O\'Hara'", 1),
        (r"Company='A\\B'", 1),
        ("IsConverted=TRUE AND ConvertedOpportunityId != NULL", 1),
        ("IsConverted=FALSE", 0),
        ("Email LIKE 'lead@%'", 1),
        ("Email IN ('x@y.z','lead@example.com')", 1),
        ("SystemModstamp > 2026-11-21T10:00:00+00:00", 0),
    ] {
        let soql = format!("SELECT Id FROM Lead WHERE {condition}");
        assert_eq!(query(&standin, &token, &soql).await["totalSize"], size, "{condition}");
    }
    let history = "SELECT OpportunityId,StageName,Amount,CreatedDate FROM OpportunityHistory WHERE CreatedDate >= 2026-11-21T00:00:00Z LIMIT 1";
    assert_eq!(query(&standin, &token, history).await["totalSize"], 1);
    standin.stop().await;
}

#[actix_web::test]
async fn duplicates_and_ambiguous_external_ids() {
    let standin = Standin::salesforce().start().unwrap();
    let token = session(&standin).await;
    declare(&standin, &token).await;
    let lead = |email: &str| json!({"LastName":"L","Company":"C","Email":email});
    let line = format!("PATCH {DATA}/sobjects/Lead/Clew_Lead_Id__c");
    check(&standin, &token, &[
        (&format!("{line}/1"), lead("a@b.co"), 201, json!({"created":true})),
        (&format!("{line}/2"), lead("A@b.co"), 400, json!([{"errorCode":"DUPLICATES_DETECTED","message":"Use one of these records?","fields":[]}])),
        (&format!("{line}/3?updateOnly=true"), lead("n@b.co"), 404, json!([{"errorCode":"NOT_FOUND"}])),
        (&format!("POST {DATA}/sobjects/Lead"), json!({"LastName":"L","Company":"C","Clew_Lead_Id__c":"1"}), 400, json!([{"errorCode":"DUPLICATE_VALUE"}])),
    ]).await;
    let allowed = [("sforce-duplicate-rule-header", "allowSave=true")];
    assert_eq!(
        call_with(&standin, &token, &format!("{line}/2"), &lead("a@b.co"), &allowed).await.status,
        201
    );
    standin.put("Lead", &json!({"Clew_Lead_Id__c":"2"})).unwrap();
    let several = call(&standin, &token, &format!("{line}/2"), &lead("c@b.co")).await;
    assert_eq!((several.status, several.json.as_array().unwrap().len()), (300, 2));
    assert!(
        several.json[0].as_str().unwrap().starts_with("/services/data/v68.0/sobjects/Lead/00Q")
    );
    standin.stop().await;
}
