//! Rows 1 to 4 and 14: one contact per person, filled and never spoiled.

use super::*;

const EMAIL: &str = "lead@example.com";

/// Row 1.
#[actix_web::test]
async fn a_new_lead_is_one_filled_contact() {
    let account = Account::start().declared().await;
    let pushed = Person::new(1, Some(EMAIL)).push(&account.crm).await.unwrap();
    assert!(pushed.created);
    let id = account.records("contacts")[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(pushed.record, record("contact", &id));
    let page = format!("https://app.hubspot.com/contacts/62515/record/0-1/{id}");
    assert_eq!(pushed.url, Some(page));
    let contact = account.contact();
    for (name, expected) in [
        ("email", EMAIL),
        ("firstname", "First"),
        ("phone", "+33612345678"),
        ("lifecyclestage", "lead"),
        ("clew_lead_id", "0197a2b4-7c1e-7d8a-9f00-000000000001"),
        ("clew_first_click_source", "google"),
        ("clew_first_click_at", "2026-11-02T08:01:11.000Z"),
        ("clew_last_click_source", "linkedin"),
        ("clew_visits_count", "3"),
    ] {
        assert_eq!(contact[name], expected, "{name}");
    }
    let upserts: Vec<_> = account
        .standin
        .log()
        .into_iter()
        .filter(|logged| logged.path == "/crm/objects/2026-09/contacts/batch/upsert")
        .collect();
    assert_eq!(upserts.len(), 1);
    let body: Value = serde_json::from_str(&upserts[0].body).unwrap();
    let input = &body["inputs"][0];
    assert_eq!((&input["idProperty"], &input["id"]), (&json!("email"), &json!(EMAIL)));
    assert_eq!(input["objectWriteTraceId"], "0197a2b4-7c1e-7d8a-9f00-000000000001");
    // The stage is not in it: it must not go back, whoever else writes.
    assert_eq!(input["properties"]["lifecyclestage"], Value::Null);
}

/// Row 2: whatever is repeated, and by which process, there is one contact.
#[actix_web::test]
async fn a_lead_that_is_pushed_again_stays_one_contact() {
    for email in [Some(EMAIL), None] {
        let account = Account::start().declared().await;
        let person = Person::new(1, email);
        let (one, other) = (account.other_process(), account.other_process());
        let both = futures_util::future::join(person.push(&one), person.push(&other)).await;
        let made = [both.0.unwrap(), both.1.unwrap()];
        assert_eq!(made[0].record, made[1].record);
        assert_eq!(made.iter().filter(|pushed| pushed.created).count(), 1);
        // A known contact is found by its id, and nothing is written that is already there.
        account.advance_ms(60_000);
        let before = account.standin.log().len();
        let again = person.push_known(&account.crm, Some(&made[0].record)).await.unwrap();
        assert!(!again.created && again.record == made[0].record);
        let calls = &account.calls("")[before..];
        assert_eq!(calls, [format!("GET /crm/objects/2026-09/contacts/{}", made[0].record.id)]);
        account.contact();
    }
}

/// Row 2: the response was lost after the work was done.
#[actix_web::test]
async fn a_lost_response_makes_no_second_contact() {
    for (path, email) in [
        ("batch/upsert", Some(EMAIL)),
        ("batch/upsert", None),
        // The stage of the new contact.
        ("contacts/1", Some(EMAIL)),
    ] {
        let account = Account::start().declared().await;
        let when = standin::When::After;
        account.standin.fail(standin::Fault { path: path.into(), when, ..Default::default() });
        let person = Person::new(1, email);
        let lost = person.push(&account.crm).await;
        assert!(matches!(lost, Err(CallError::Transient { .. })), "{path} {lost:?}");
        let pushed = person.push(&account.other_process()).await.unwrap();
        assert!(!pushed.created);
        let contact = account.contact();
        assert_eq!(contact["lifecyclestage"], "lead", "{path}");
        assert_eq!(contact["clew_last_click_source"], "linkedin");
    }
}

/// Row 3, and values that a sales person corrected.
#[actix_web::test]
async fn an_existing_contact_is_updated_and_keeps_its_values() {
    let there = json!({
        "email": EMAIL, "firstname": "Corrected", "lifecyclestage": "customer",
        "clew_first_click_source": "bing", "clew_last_click_source": "bing",
    });
    for (overwrite_first, expected) in [(false, "bing"), (true, "google")] {
        let account = Account::start().declared().await;
        account.standin.put("contact", &there).unwrap();
        let mut person = Person::new(1, Some(EMAIL));
        person.overwrite_first = overwrite_first;
        let pushed = person.push(&account.crm).await.unwrap();
        assert!(!pushed.created);
        let contact = account.contact();
        for (name, expected) in [
            ("firstname", "Corrected"),
            ("phone", "+33612345678"),
            ("lifecyclestage", "customer"),
            ("clew_first_click_source", expected),
            ("clew_last_click_source", "linkedin"),
        ] {
            assert_eq!(contact[name], expected, "{name}");
        }
        let patches = account.calls("PATCH");
        assert_eq!((patches.len(), account.calls("upsert").len()), (1, 0), "{patches:?}");
    }
}

#[actix_web::test]
async fn a_contact_is_found_by_a_secondary_address() {
    let account = Account::start().declared().await;
    let there = json!({ "email": "main@example.com", "hs_additional_emails": EMAIL });
    account.standin.put("contact", &there).unwrap();
    Person::new(1, Some(EMAIL)).push(&account.crm).await.unwrap();
    let contact = account.contact();
    assert_eq!(
        (&contact["email"], &contact["clew_visits_count"]),
        (&json!("main@example.com"), &json!("3"))
    );
}

#[actix_web::test]
async fn a_known_contact_is_found_though_its_address_was_corrected() {
    let account = Account::start().declared().await;
    let there = json!({ "email": "right@example.com" });
    let id = account.standin.put("contact", &there).unwrap();
    let known = record("contact", &id);
    Person::new(1, Some(EMAIL)).push_known(&account.crm, Some(&known)).await.unwrap();
    assert_eq!(account.contact()["email"], "right@example.com");
}

/// A lead that first had only a phone, then the e-mail of another contact.
#[actix_web::test]
async fn contacts_are_never_merged_by_us() {
    let account = Account::start().declared().await;
    let mut person = Person::new(1, None);
    let pushed = person.push(&account.crm).await.unwrap();
    account.standin.put("contact", &json!({ "email": EMAIL })).unwrap();
    person.contact.email = Some(EMAIL.into());
    let person = person.field("visits_count", json!(4));
    let again = person.push_known(&account.crm, Some(&pushed.record)).await.unwrap();
    assert_eq!(again.record, pushed.record);
    let contacts = account.records("contacts");
    assert_eq!(contacts.len(), 2);
    assert_eq!(contacts[0]["properties"]["clew_visits_count"], "4");
    assert_eq!(contacts[0]["properties"]["email"], Value::Null);
    assert_eq!(contacts[1]["properties"]["clew_visits_count"], Value::Null);
}

/// The contact with the lead's id is the one, although its e-mail is another.
#[actix_web::test]
async fn a_lead_that_changed_its_address_is_found_by_its_id() {
    let account = Account::start().declared().await;
    Person::new(1, Some("old@example.com")).push(&account.crm).await.unwrap();
    let pushed = Person::new(1, Some("new@example.com"))
        .field("visits_count", json!(4))
        .push(&account.crm)
        .await
        .unwrap();
    assert!(!pushed.created);
    let contact = account.contact();
    assert_eq!(
        (&contact["email"], &contact["clew_visits_count"]),
        (&json!("old@example.com"), &json!("4"))
    );
}

/// Row 14, and a deleted record.
#[actix_web::test]
async fn a_contact_that_is_gone_is_found_again_or_created() {
    let account = Account::start().declared().await;
    let person = Person::new(1, Some(EMAIL));
    let first = person.push(&account.crm).await.unwrap();
    let other = json!({ "email": "other@example.com" });
    let other = account.standin.put("contact", &other).unwrap();
    let merge = standin::Emit {
        object: "contact".into(),
        id: other,
        event: Some("contact.merge".into()),
        merged: Some(first.record.id.clone()),
        lost: true,
        ..Default::default()
    };
    account.standin.emit(&merge).await.unwrap();
    let merged = person.push_known(&account.crm, Some(&first.record)).await.unwrap();
    assert!(!merged.created && merged.record != first.record);
    assert_eq!(account.contact()["email"], "other@example.com");
    let delete = standin::Emit {
        object: "contact".into(),
        id: merged.record.id.clone(),
        event: Some("contact.deletion".into()),
        lost: true,
        ..Default::default()
    };
    account.standin.emit(&delete).await.unwrap();
    let made = person.push_known(&account.crm, Some(&merged.record)).await.unwrap();
    assert!(made.created);
    assert_eq!(account.contact()["email"], EMAIL);
}

/// The record is gone, and the e-mail belongs to another contact, which keeps what it has.
#[actix_web::test]
async fn a_contact_that_replaces_one_keeps_its_values() {
    let account = Account::start().declared().await;
    let there = json!({ "email": EMAIL, "clew_first_click_source": "bing" });
    account.standin.put("contact", &there).unwrap();
    let gone = record("contact", "999");
    let pushed = Person::new(1, Some(EMAIL)).push_known(&account.crm, Some(&gone)).await.unwrap();
    assert!(!pushed.created);
    assert_eq!(account.contact()["clew_first_click_source"], "bing");
}

/// Somebody created the contact between our lookup and our upsert: it is not new, and gets no stage
/// from us.
#[actix_web::test]
async fn a_contact_created_meanwhile_is_not_new() {
    let account = Account::start().declared().await;
    account.standin.put("contact", &json!({ "email": EMAIL })).unwrap();
    let fault = standin::Fault { path: "contacts/lead@".into(), status: 404, ..Default::default() };
    account.standin.fail(fault);
    let pushed = Person::new(1, Some(EMAIL)).push(&account.crm).await.unwrap();
    assert!(!pushed.created);
    let contact = account.contact();
    assert_eq!(
        (&contact["lifecyclestage"], &contact["clew_visits_count"]),
        (&Value::Null, &json!("3"))
    );
}

/// Row 4: nothing is written before the fields are declared, and everything after.
#[actix_web::test]
async fn fields_that_are_missing_are_named_and_declared() {
    for email in [Some(EMAIL), None] {
        let account = Account::start();
        let person = Person::new(1, email);
        let Err(CallError::UnknownField { names, message }) = person.push(&account.crm).await
        else {
            panic!("undeclared fields were accepted");
        };
        assert!(names.contains(&"clew_visits_count".to_owned()), "{names:?}");
        assert!(message.contains("does not exist"), "{message}");
        assert_eq!(account.records("contacts").len(), 0);
        let declared = account.crm.declare(&core()).await.unwrap();
        assert_eq!(declared.fields.iter().filter(|field| field.made).count(), 30);
        person.push(&account.crm).await.unwrap();
        account.contact();
        // Declaring again changes nothing.
        let before = account.standin.log().len();
        let again = account.crm.declare(&core()).await.unwrap();
        assert!(again.fields.iter().all(|field| !field.made) && again.advice.is_empty());
        assert_eq!(account.standin.log().len(), before + 1);
    }
}

/// The group already exists, and two processes declare at once.
#[actix_web::test]
async fn more_fields_are_declared_later() {
    let account = Account::start();
    account.crm.declare(&core()[..3]).await.unwrap();
    let (one, other) = (account.other_process(), account.other_process());
    let fields = core();
    let both = futures_util::future::join(one.declare(&fields), other.declare(&fields)).await;
    for declared in [both.0.unwrap(), both.1.unwrap()] {
        assert_eq!(declared.fields.len(), 30);
    }
    Person::new(1, Some(EMAIL)).push(&account.crm).await.unwrap();
}

#[actix_web::test]
async fn fields_of_another_type_are_kept_and_reported() {
    let account = Account::start();
    let wrong = json!({ "name": "clew_visits_count", "label": "x", "type": "string",
        "fieldType": "text", "groupName": "contactinformation" });
    let path = format!("{}/crm/properties/2026-09/contacts", account.standin.url());
    let client = reqwest::Client::new();
    client.post(path).bearer_auth("pat-standin").json(&wrong).send().await.unwrap();
    let declared = account.crm.declare(&core()).await.unwrap();
    assert_eq!(declared.advice.len(), 1);
    assert!(declared.advice[0].contains("clew_visits_count"), "{:?}", declared.advice);
    let field = declared.fields.iter().find(|field| field.name == "visits_count").unwrap();
    assert_eq!((field.kind.as_str(), field.made), ("string", false));
}

/// Row 17.
#[actix_web::test]
async fn hostile_values_are_stored_as_they_are() {
    let account = Account::start().declared().await;
    for (number, value) in (1..).zip([
        "🎉 ünï",
        "O'Brien' OR '1'='1",
        "a\"b\\c\nd\te",
        "<script>alert(1)</script>",
        "=cmd|' /C calc'!A0",
        "{\"$ref\":1}",
        "\u{202e}\u{0}x",
    ]) {
        let mut person = Person::new(number, Some(&format!("o'br+ien%2F?&{number}@example.com")))
            .field("last_click_campaign", json!(value));
        person.contact.company = Some(value.into());
        for _ in 0..2 {
            person.push(&account.crm).await.unwrap();
        }
        let contacts = account.records("contacts");
        assert_eq!(contacts.len(), usize::try_from(number).unwrap());
        let found = &contacts.last().unwrap()["properties"];
        assert_eq!(found["clew_last_click_campaign"], value);
        assert_eq!(found["company"], value);
    }
}
