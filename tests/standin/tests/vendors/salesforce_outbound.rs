//! Salesforce's outbound messages: the envelope, and repeats until the response acknowledges it.

use crate::support::Receiver;
use serde_json::json;
use standin::{Emit, Standin};

#[actix_web::test]
async fn a_won_opportunity_is_reported_until_acknowledged() {
    let receiver = Receiver::start();
    let url = receiver.url.clone();
    let standin =
        Standin::salesforce().settings(|settings| settings.target_url = Some(url)).start().unwrap();
    let fields =
        json!({"Name":"<Deal>","StageName":"Prospecting","Amount":1200,"CloseDate":"2026-11-21"});
    let id = standin.put("Opportunity", &fields).unwrap();
    let change = json!({"StageName":"Closed Won"}).as_object().unwrap().clone();
    let emit = Emit { object: "Opportunity".to_owned(), id: id.clone(), change, ..Emit::default() };
    let sent = standin.emit(&emit).await.unwrap();
    assert_eq!((sent[0].status, sent[0].acknowledged), (Some(200), false), "200 is not enough");
    *receiver.answer.lock().unwrap() = (200, "<soapenv:Envelope><notificationsResponse><Ack>false</Ack></notificationsResponse></soapenv:Envelope>".to_owned());
    assert!(!standin.retry().await.unwrap()[0].acknowledged);
    *receiver.answer.lock().unwrap() = (200, "<s:Envelope><n:notificationsResponse><n:Ack>true</n:Ack></n:notificationsResponse></s:Envelope>".to_owned());
    assert!(standin.retry().await.unwrap()[0].acknowledged);
    assert!(standin.retry().await.unwrap().is_empty());
    let got = receiver.got.lock().unwrap().clone();
    assert_eq!((got.len(), got[0].1 == got[2].1), (3, true), "the same notification each time");
    let (headers, body) = &got[0];
    assert_eq!(
        (&headers["content-type"], &headers["soapaction"]),
        (&json!("text/xml; charset=utf-8"), &json!("\"\""))
    );
    for part in [
        "<OrganizationId>00DB00000000000EAC</OrganizationId>".to_owned(),
        "<notifications xmlns=\"http://soap.sforce.com/2005/09/outbound\">".to_owned(),
        "<sObject xsi:type=\"sf:Opportunity\" xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\">"
            .to_owned(),
        format!("<sf:Id>{id}</sf:Id>"),
        "<sf:Amount>1200.0</sf:Amount>".to_owned(),
        "<sf:StageName>Closed Won</sf:StageName>".to_owned(),
        "<sf:IsWon>true</sf:IsWon>".to_owned(),
    ] {
        assert!(body.contains(&part), "{part} in {body}");
    }
    let forged = Emit { bad_signature: true, duplicates: 1, ..emit };
    let sent = standin.emit(&forged).await.unwrap();
    assert_eq!(sent.len(), 2);
    assert!(!sent[0].body.contains("00DB00000000000EAC"), "from another organization");
    standin.stop().await;
}
