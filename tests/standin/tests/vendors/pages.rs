//! The pages for people.

use crate::support::{KEY, call, check, page, place};
use clap::ValueEnum;
use serde_json::{Value, json};
use standin::{Standin, Vendor};

/// Asserts what the page contains, and what it does not.
async fn shows(standin: &Standin, expected: &[&str], never: &[&str]) {
    let text = page(standin, "/").await;
    for part in expected {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    for part in never {
        assert!(!text.contains(part), "{part} is in\n{text}");
    }
}

#[actix_web::test]
async fn every_vendor_has_its_title() {
    for vendor in Vendor::value_variants() {
        let standin = Standin::of(*vendor).start().unwrap();
        let heading = format!("<h1>{} <small>a stand-in", vendor.title());
        shows(&standin, &[&heading], &[]).await;
        standin.stop().await;
    }
}

#[actix_web::test]
async fn a_contact_with_its_note_and_deal() {
    let standin = Standin::hubspot().start().unwrap();
    shows(&standin, &["No records yet", "http-equiv=\"refresh\""], &["<article"]).await;
    let refused = call(&standin, KEY, "GET /__test/newest/contacts", &Value::Null).await;
    assert_eq!((refused.status, &refused.json["error"]), (400, &json!("there are no contacts")));

    let evil = "<script>alert(1)</script>";
    let put = |object: &str, fields: Value| standin.put(object, &fields).unwrap();
    let contact = put(
        "contact",
        json!({"email":"ada@example.com","firstname":"Ada","lastname":evil,"clew_gclid":"abc"}),
    );
    let note = put("note", json!({"hs_note_body":"<b class=\"x\">Journey</b>"}));
    let deal = put(
        "deal",
        json!({"dealname":"Ten","dealstage":"closedwon","amount":"1200","deal_currency_code":"EUR"}),
    );
    put("deal", json!({"dealname":"Of no one"}));
    for other in [&note, &deal] {
        standin.act(&json!({"associate":[contact, other]})).unwrap();
    }
    shows(
        &standin,
        &[
            "What Clew wrote",
            "<th>clew_gclid</th><td>abc</td>",
            "<th>email</th><td>ada@example.com</td>",
            "<td>closedwon</td><td>1200 EUR</td>",
            "srcdoc=\"&#60;b class=&#34;x&#34;&#62;Journey",
            "Deals without a person",
        ],
        &["No records yet", "<script>", "<b class"],
    )
    .await;
    let place = place(&standin, &format!("/contacts/1/record/0-1/{contact}")).await;
    assert_eq!(place, format!("/#{contact}"));
    assert!(standin.log().is_empty(), "pages are not logged as requests");
    standin.stop().await;
}

#[actix_web::test]
async fn a_lead_that_is_converted() {
    let standin = Standin::salesforce().start().unwrap();
    let lead = json!({"LastName":"Lovelace","FirstName":"Ada","Company":"<i>Engines</i>"});
    let lead = standin.put("Lead", &lead).unwrap();
    let task = json!({"WhoId":lead,"Subject":"Journey","Description":"1. <i>ad</i>"});
    standin.put("Task", &task).unwrap();
    standin.act(&json!({"convert":lead,"opportunity":true})).unwrap();
    shows(
        &standin,
        &[
            "Ada Lovelace <small>Lead ",
            "Ada Lovelace <small>Contact ",
            "&#60;i&#62;ad",
            "<td>Prospecting</td>",
        ],
        &["<i>", "Deals without a person"],
    )
    .await;
    let place = place(&standin, &format!("/{lead}")).await;
    assert_eq!(place, format!("/#{lead}"));
    check(
        &standin,
        KEY,
        &[(
            "GET /__test/newest/Unicorn",
            Value::Null,
            400,
            json!({"error":"there are no Unicorn"}),
        )],
    )
    .await;
    standin.stop().await;
}
