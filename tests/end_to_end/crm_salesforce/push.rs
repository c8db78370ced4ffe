//! Finding and writing a person, and the journey's task.

use super::support::{NOW_MS, Org, anna, assert_holds, id, lead, note};
use clew_connect::crm::record::RecordRef;
use serde_json::{Value, json};
use shared::fields::catalogue::find;

#[actix_web::test]
async fn row_1_a_new_lead_in_an_empty_organization() {
    let key = id(1).to_text();
    for (contact, expected) in [
        (
            json!({
                "email": "anna@example.com", "first_name": "Anna", "last_name": "Berg",
                "company": "Acme", "job_title": "Buyer", "phone": "+33123456789",
            }),
            json!({
                "Email": "anna@example.com", "FirstName": "Anna", "LastName": "Berg",
                "Company": "Acme", "Title": "Buyer", "Phone": "+33123456789",
                "LeadSource": "Paid search", "Clew_Lead_Id__c": key,
                "Clew_First_Click_Source__c": "google",
                "Clew_First_Click_At__c": "2026-11-02T08:01:11.000+0000",
                "Clew_Last_Click_Source__c": "(direct)", "Clew_Visits_Count__c": 3,
                "Clew_Channel_Path__c": "paid_search > direct",
                "Clew_Journey_Summary__c": "1. google / cpc\n2. (direct)",
            }),
        ),
        (
            json!({ "phone": "+33123456789" }),
            json!({
                "Email": null, "LastName": "+33123456789", "Company": "[not provided]",
                "Phone": "+33123456789", "Clew_Lead_Id__c": key,
            }),
        ),
        (
            json!({ "email": "anna@example.com" }),
            json!({ "LastName": "anna", "FirstName": null, "Company": "[not provided]" }),
        ),
        (
            json!({ "email": "anna@example.com", "full_name": "Anna Maria Berg" }),
            json!({ "LastName": "Berg", "FirstName": "Anna Maria" }),
        ),
        (
            json!({ "email": "anna@example.com", "first_name": "Anna" }),
            json!({ "LastName": "anna", "FirstName": "Anna" }),
        ),
        // Values longer than the field are cut. An e-mail is left out: a cut one would be another
        // person's.
        (
            json!({
                "email": format!("{}@{}.example", "x".repeat(60), "y".repeat(30)), "last_name": "ß".repeat(90),
                "first_name": "x".repeat(90), "job_title": "x".repeat(200),
            }),
            json!({
                "Email": null, "LastName": format!("{}…", "ß".repeat(79)),
                "FirstName": format!("{}…", "x".repeat(39)),
                "Title": format!("{}…", "x".repeat(127)),
            }),
        ),
    ] {
        let org = Org::start().await;
        let lead = lead(1, contact);
        let pushed = org.push(&lead).await.unwrap();
        assert_eq!((pushed.created, &*pushed.record.object), (true, "Lead"));
        assert_eq!(pushed.url, Some(format!("{}/{}", org.standin.url(), pushed.record.id)));
        assert_holds(&org.one(&pushed.record), &expected);
        org.crm.attach(&pushed.record, &note(&lead, 1), false).await.unwrap();
        let [task] = &org.all("Task")[..] else { panic!("expected one task") };
        let short: String = key.chars().take(8).collect();
        assert_holds(
            task,
            &json!({
                "WhoId": pushed.record.id, "Subject": format!("Attribution journey #1 ({short})"),
                "Status": "Completed", "Priority": "Normal", "ActivityDate": "2026-11-21",
                "Description": format!("1. google / cpc\n2. (direct)\nclew-journey:{key}:1"),
            }),
        );
        assert_eq!(org.all("Lead").len(), 1);
        // Three calls: find, create, attach the note.
        assert_eq!((org.requests("POST", "/composite"), org.requests("PATCH", "/Lead/")), (4, 1));
        org.standin.stop().await;
    }
}

#[actix_web::test]
async fn row_2_a_repeat_makes_no_second_record() {
    use standin::{Fault, When};
    for lost in ["", "/composite", "/Lead/Clew_Lead_Id__c", "/Task"] {
        let org = Org::start().await;
        let fault = Fault { path: lost.to_owned(), when: When::After, ..Fault::default() };
        if !lost.is_empty() {
            org.standin.fail(fault);
        }
        let anna = anna();
        for attempt in 1..=3 {
            let Ok(pushed) = org.push(&anna).await else { continue };
            let _ = org.crm.attach(&pushed.record, &note(&anna, 1), attempt > 1).await;
        }
        assert_eq!((org.all("Lead").len(), org.all("Task").len()), (1, 1), "{lost}");
        // The next conversion gets its own task.
        let record = org.push(&anna).await.unwrap().record;
        org.crm.attach(&record, &note(&anna, 2), true).await.unwrap();
        assert_eq!((org.all("Lead").len(), org.all("Task").len()), (1, 2), "{lost}");
        org.standin.stop().await;
    }
}

#[actix_web::test]
async fn row_2_two_processes_at_once() {
    let org = Org::start().await;
    let (one, two) = (anna(), anna());
    let (one, two) = futures_util::future::join(org.push(&one), org.push(&two)).await;
    assert_eq!(one.unwrap().record, two.unwrap().record);
    assert_eq!(org.all("Lead").len(), 1);
    org.standin.stop().await;
}

#[actix_web::test]
async fn row_2_equal_values_are_not_written() {
    let org = Org::start().await;
    let mut anna = anna();
    anna.known = Some(org.push(&anna).await.unwrap().record);
    let before = org.requests("PATCH", "");
    assert!(!org.push(&anna).await.unwrap().created);
    assert_eq!(org.requests("PATCH", ""), before);
    org.standin.stop().await;
}

#[actix_web::test]
async fn row_3_an_existing_record() {
    let other = id(9).to_text();
    let there = |change: Value| {
        let mut there = json!({
            "LastName": "Bergmann", "Email": "Anna@Example.com", "Title": "",
            "Clew_First_Click_Source__c": "bing", "Clew_Last_Click_Source__c": "bing",
        });
        there.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        there
    };
    let own = id(1).to_text();
    let usual = json!({
        "LastName": "Bergmann", "Email": "Anna@Example.com", "Title": "Buyer",
        "FirstName": "Anna", "Phone": "+33123456789", "LeadSource": "Paid search",
        "Clew_First_Click_Source__c": "bing", "Clew_Last_Click_Source__c": "(direct)",
        "Clew_First_Click_At__c": "2026-11-02T08:01:11.000+0000", "Clew_Lead_Id__c": own,
    });
    for (object, there, overwrite_first, expected) in [
        ("Lead", there(json!({ "Company": "Acme AG" })), false, usual.clone()),
        ("Contact", there(json!({})), false, usual),
        (
            "Lead",
            there(
                json!({ "Company": "[not provided]", "LeadSource": "Web", "Clew_Lead_Id__c": other }),
            ),
            false,
            json!({ "Company": "Acme", "LeadSource": "Web", "Clew_Lead_Id__c": other }),
        ),
        (
            "Lead",
            json!({ "LastName": "anna", "Company": "Acme AG", "Email": "anna@example.com" }),
            false,
            json!({ "LastName": "Berg", "Company": "Acme AG" }),
        ),
        (
            "Lead",
            there(json!({ "Company": "Acme AG", "Clew_Lead_Id__c": other })),
            true,
            json!({ "Clew_First_Click_Source__c": "google", "Clew_Lead_Id__c": own }),
        ),
        // Found by our id, whatever its e-mail is now.
        (
            "Contact",
            json!({ "LastName": "Berg", "Email": "other@example.com", "Clew_Lead_Id__c": own }),
            false,
            json!({ "Email": "other@example.com", "Clew_Visits_Count__c": 3 }),
        ),
    ] {
        let org = Org::start().await;
        let record = org.put(object, &there);
        let mut anna = anna();
        anna.overwrite_first = overwrite_first;
        let pushed = org.push(&anna).await.unwrap();
        assert_eq!((&pushed.record, pushed.created), (&record, false), "{there}");
        assert_holds(&org.one(&record), &expected);
        assert_eq!(org.all("Lead").len() + org.all("Contact").len(), 1, "{there}");
        org.crm.attach(&record, &note(&anna, 1), false).await.unwrap();
        assert_eq!(org.all("Task")[0]["WhoId"], record.id.as_str());
        org.standin.stop().await;
    }
}

#[actix_web::test]
async fn row_3_which_record_of_several() {
    let org = Org::start().await;
    let person = |fields: Value| {
        let mut person =
            json!({ "LastName": "Berg", "Company": "Acme", "Email": "anna@example.com" });
        person.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        person
    };
    let of_contact = json!({ "LastName": "Berg", "Email": "anna@example.com" });
    let contact = org.put("Contact", &of_contact);
    let anna_with = |known: Option<&RecordRef>| {
        let mut anna = anna();
        anna.known = known.cloned();
        anna
    };
    // The lookup goes by the known record, our id, a Lead's e-mail, a Contact's e-mail. Each step
    // below adds a record that is found before the last one.
    assert_eq!(org.push(&anna_with(None)).await.unwrap().record, contact);
    let org = Org::start().await;
    let contact = org.put("Contact", &json!({ "LastName": "Berg", "Email": "anna@example.com" }));
    org.put("Lead", &person(json!({ "IsConverted": true, "ConvertedContactId": contact.id })));
    assert_eq!(org.push(&anna_with(None)).await.unwrap().record, contact);
    let org = Org::start().await;
    org.put("Contact", &json!({ "LastName": "Berg", "Email": "anna@example.com" }));
    org.put("Lead", &person(json!({ "CreatedDate": "2020-01-01T00:00:00.000+0000" })));
    let newest = org.put("Lead", &person(json!({})));
    assert_eq!(org.push(&anna_with(None)).await.unwrap().record, newest);
    let ours = org.put(
        "Lead",
        &person(json!({ "Email": "other@example.com", "Clew_Lead_Id__c": id(7).to_text() })),
    );
    let mut other = lead(7, json!({ "email": "anna@example.com" }));
    assert_eq!(org.push(&other).await.unwrap().record, ours);
    other.known = Some(newest.clone());
    assert_eq!(org.push(&other).await.unwrap().record, newest);
    org.standin.stop().await;
}

#[actix_web::test]
async fn row_14_a_record_that_was_converted_or_deleted() {
    let org = Org::start().await;
    let mut anna = anna();
    let first = org.push(&anna).await.unwrap().record;
    let made = org.standin.act(&json!({ "convert": first.id })).unwrap();
    let contact =
        RecordRef { object: "Contact".into(), id: made["contact"].as_str().unwrap().into() };
    // Found by our id, and as the known record.
    assert_eq!(org.push(&anna).await.unwrap().record, contact);
    anna.known = Some(first.clone());
    assert_eq!(org.push(&anna).await.unwrap().record, contact);
    // Its note moves with it, whether it was made before or not.
    org.crm.attach(&first, &note(&anna, 1), false).await.unwrap();
    org.crm.attach(&first, &note(&anna, 1), true).await.unwrap();
    let [task] = &org.all("Task")[..] else { panic!("expected one task") };
    assert_eq!(task["WhoId"], contact.id.as_str());
    org.standin.stop().await;

    let org = Org::start().await;
    anna.known = Some(RecordRef { object: "Lead".into(), id: "00QB00000000000AAA".into() });
    let made = org.push(&anna).await.unwrap();
    assert!(made.created);
    let nobody = lead(8, json!({ "email": "nobody@example.com" }));
    let gone = RecordRef { object: "Lead".into(), id: "00QB00000000000AAA".into() };
    assert!(org.crm.attach(&gone, &note(&nobody, 1), false).await.is_err());
    org.crm.attach(&gone, &note(&anna, 1), false).await.unwrap();
    assert_eq!(org.all("Task")[0]["WhoId"], made.record.id.as_str());
    org.standin.stop().await;
}

#[actix_web::test]
async fn row_17_hostile_values_stay_values() {
    for text in [
        "O'Hara",
        r"\' OR Email != '",
        "@{part0.records[0].Id}",
        "🎉 \"x\" <b>\n=cmd|' /C calc'!A0",
        "%00&q=SELECT",
    ] {
        let org = Org::start().await;
        let mut hostile = anna();
        hostile.contact.last_name = Some(text.to_owned());
        hostile.contact.email = Some(format!("{}@example.com", r"o'h\ara+x&y"));
        hostile.values.push((find("form_name").unwrap(), json!(text)));
        let first = org.push(&hostile).await.unwrap();
        assert_holds(
            &org.one(&first.record),
            &json!({ "LastName": text, "Email": hostile.contact.email, "Clew_Form_Name__c": text }),
        );
        // Found again by the e-mail alone.
        let mut again = lead(2, json!({ "email": "x@example.com" }));
        again.contact.email.clone_from(&hostile.contact.email);
        assert_eq!(org.push(&again).await.unwrap().record, first.record);
        let mut attached = note(&hostile, 1);
        attached.title = text.to_owned();
        attached.lines = vec![text.to_owned()];
        org.crm.attach(&first.record, &attached, false).await.unwrap();
        org.crm.attach(&first.record, &attached, true).await.unwrap();
        let [task] = &org.all("Task")[..] else { panic!("expected one task") };
        assert!(task["Description"].as_str().unwrap().starts_with(text));
        assert_eq!(org.all("Lead").len(), 1);
        org.standin.stop().await;
    }
}

#[actix_web::test]
async fn money_is_written_as_a_number() {
    let org = Org::bare(json!({}));
    let fields = ["lead_id", "revenue", "opportunity_value"].map(|name| find(name).unwrap());
    org.crm.declare(&fields).await.unwrap();
    let mut anna = anna();
    anna.values = vec![(fields[1], json!("1234567.89")), (fields[2], json!("0.10"))];
    let pushed = org.push(&anna).await.unwrap();
    assert_holds(
        &org.one(&pushed.record),
        &json!({ "Clew_Revenue__c": 1_234_567.89, "Clew_Opportunity_Value__c": 0.1 }),
    );
    let before = org.requests("PATCH", "");
    org.push(&anna).await.unwrap();
    assert_eq!((org.requests("PATCH", ""), NOW_MS), (before, org.clock.now_ms()));
    org.standin.stop().await;
}
