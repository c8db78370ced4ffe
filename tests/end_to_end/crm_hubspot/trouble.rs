//! Rows 5 to 9: tokens, limits, outages and refusals.

use super::*;
use standin::{Fault, Limit};

fn person(number: u32) -> Person {
    Person::new(number, Some(&format!("lead{number}@example.com")))
}

/// Row 5.
#[actix_web::test]
async fn twenty_calls_renew_an_expired_token_once() {
    let account = Account::with_oauth().declared().await;
    account.standin.expire_tokens(false);
    let granted = account.calls("/oauth/2026-03/token").len();
    let people: Vec<Person> = (1..=20).map(person).collect();
    let pushes = people.iter().map(|person| person.push(&account.crm));
    for pushed in futures_util::future::join_all(pushes).await {
        assert!(pushed.unwrap().created);
    }
    assert_eq!(account.calls("/oauth/2026-03/token").len(), granted + 1);
    assert_eq!(account.records("contacts").len(), 20);
    // Half an hour later, before the vendor refuses it.
    account.advance_ms(1_800_000);
    let refused = |account: &Account| {
        account.standin.log().iter().filter(|logged| logged.status == 401).count()
    };
    let before = refused(&account);
    account.crm.probe().await.unwrap();
    assert_eq!(refused(&account), before);
    // A revoked token cannot be renewed.
    account.standin.expire_tokens(true);
    let Err(CallError::Auth(message)) = account.crm.probe().await else { panic!() };
    assert!(message.contains("BAD_REFRESH_TOKEN") && !message.contains("standin-"), "{message}");
}

/// A token that one process renewed serves the other, even if that one was refused for renewing
/// second.
#[actix_web::test]
async fn processes_share_a_renewed_token() {
    let account = Account::with_oauth().declared().await;
    let other = account.other_process();
    other.probe().await.unwrap();
    account.advance_ms(1_800_000);
    let granted = account.calls("/oauth/2026-03/token").len();
    account.crm.probe().await.unwrap();
    other.probe().await.unwrap();
    assert_eq!(account.calls("/oauth/2026-03/token").len(), granted + 1);
    account.standin.expire_tokens(false);
    let refused = json!({ "status": "BAD_REFRESH_TOKEN", "message": "it was used" });
    account.standin.fail(Fault {
        path: "/oauth/".into(),
        status: 400,
        body: Some(refused),
        delay_ms: 1_000,
        ..Fault::default()
    });
    let second = async {
        let is_asked = async || account.calls("/oauth/2026-03/token").len() > granted + 1;
        tests::load::until("the other has asked", is_asked).await;
        account.crm.probe().await
    };
    let (refused, renewed) = tokio::join!(other.probe(), second);
    renewed.unwrap();
    refused.unwrap();
}

#[actix_web::test]
async fn an_invalid_token_is_reported() {
    let account = Account::start();
    account.crm.probe().await.unwrap();
    account.standin.set(|settings| settings.scopes = Some(vec!["crm.objects.deals.read".into()]));
    let Err(CallError::Auth(message)) = account.crm.probe().await else { panic!() };
    assert!(message.contains("crm.objects.contacts.read"), "{message}");
    account.standin.expire_tokens(true);
    let Err(CallError::Auth(message)) = person(1).push(&account.crm).await else { panic!() };
    assert!(message.contains("Authentication credentials not found"), "{message}");
    assert!(message.contains("correlation id") && !message.contains("pat-standin"), "{message}");
}

/// Row 6: the adapter waits as long as the policy says, and nobody calls meanwhile.
#[actix_web::test]
async fn limits_are_waited_for() {
    for (policy, wait_ms) in
        [("TEN_SECONDLY_ROLLING", 10_000), ("SECONDLY", 1_000), ("DAILY", 3_600_000)]
    {
        let account = Account::start().declared().await;
        let limit = Limit { next: 3, policy: Some(policy.into()), ..Limit::default() };
        account.standin.limit(&limit).unwrap();
        let lead = person(1);
        for _ in 0..3 {
            let now_ms = account.clock.now_ms();
            let Err(CallError::RateLimited { until_ms, .. }) = lead.push(&account.crm).await else {
                panic!("{policy} was not recognized")
            };
            assert_eq!(until_ms, now_ms + wait_ms, "{policy}");
            let calls = account.standin.log().len();
            account.advance_ms(wait_ms - 1);
            let other = person(2).push(&account.crm).await;
            assert!(matches!(other, Err(CallError::RateLimited { .. })), "{other:?}");
            assert_eq!(account.standin.log().len(), calls, "{policy}");
            account.advance_ms(1);
        }
        lead.push(&account.crm).await.unwrap();
        account.contact();
    }
}

/// A server that asks for years is called again after a day.
#[actix_web::test]
async fn no_pause_is_longer_than_a_day() {
    for after in ["4000000000", "Thu, 31 Dec 2099 23:59:59 GMT"] {
        let account = Account::start();
        let headers = [("retry-after".to_owned(), after.to_owned())].into();
        account.standin.fail(Fault { status: 429, headers, ..Fault::default() });
        let error = account.crm.probe().await.unwrap_err();
        let CallError::RateLimited { until_ms, .. } = error else { panic!("{error}") };
        assert_eq!(until_ms, NOW_MS + 86_400_000);
        account.advance_ms(86_400_000);
        account.crm.probe().await.unwrap();
    }
}

/// The last allowed call says so, and the next one is not made.
#[actix_web::test]
async fn a_used_up_limit_is_seen_before_a_refusal() {
    let account = Account::start().declared().await;
    let limit = Limit { remaining: Some(1), ..Limit::default() };
    account.standin.limit(&limit).unwrap();
    account.crm.probe().await.unwrap();
    let calls = account.standin.log().len();
    let Err(CallError::RateLimited { until_ms, .. }) = account.crm.probe().await else { panic!() };
    assert_eq!((until_ms, account.standin.log().len()), (NOW_MS + 10_000, calls));
    account.advance_ms(10_000);
    account.crm.probe().await.unwrap();
    assert!(account.standin.log().iter().all(|logged| logged.status != 429));
}

/// Row 7.
#[actix_web::test]
async fn outages_pass() {
    let account = Account::start().declared().await;
    let slow = TestAdapter::new(&account.config, &account.clock, Duration::from_millis(300));
    account.standin.fail(Fault { path: "upsert".into(), times: 2, ..Fault::default() });
    account.standin.fail(Fault {
        path: "upsert".into(),
        delay_ms: 1_000,
        when: standin::When::After,
        ..Fault::default()
    });
    let moving = [("retry-after".to_owned(), "60".to_owned())];
    account.standin.fail(Fault {
        path: "contacts/lead1".into(),
        status: 477,
        headers: moving.into(),
        ..Fault::default()
    });
    let mut failures = Vec::new();
    let pushed = loop {
        match person(1).push(&slow).await {
            Ok(pushed) => break pushed,
            Err(CallError::Transient { until_ms, .. }) => failures.push(until_ms),
            Err(other) => panic!("{other}"),
        }
        assert!(failures.len() < 9);
    };
    assert_eq!(failures, [Some(NOW_MS + 60_000), None, None, None]);
    // The call that timed out had created it.
    assert!(!pushed.created);
    account.contact();
}

/// Rows 8 and 9: a refusal inside a success is a refusal, is reported in the vendor's words, and
/// affects only its own record.
#[actix_web::test]
async fn refusals_are_reported_and_others_go_on() {
    let account = Account::start().declared().await;
    let Err(CallError::Invalid(message)) =
        Person::new(1, Some("nobody@nowhere")).push(&account.crm).await
    else {
        panic!("a bad address was accepted")
    };
    assert!(message.contains("Email address nobody@nowhere is invalid"), "{message}");
    assert_eq!(account.standin.log().iter().filter(|logged| logged.status == 207).count(), 1);
    person(2).push(&account.crm).await.unwrap();
    let batch = |results: Value, errors: Value| json!({ "status": "COMPLETE", "results": results, "numErrors": 1, "errors": errors });
    let error = json!([{ "status": "error", "category": "VALIDATION_ERROR", "message": "no" }]);
    for (status, body, expected) in [
        (207, batch(json!([]), error.clone()), CallError::Invalid("no".into())),
        (200, batch(json!([{ "id": "1", "new": true }]), error), CallError::Invalid("no".into())),
        (200, json!({ "status": "COMPLETE", "results": [] }), unreadable("id of the contact")),
        (200, json!({ "results": [{ "id": "1" }] }), unreadable("member \"new\"")),
        (200, json!("<html>"), unreadable("id of the contact")),
        (200, json!([1, 2]), unreadable("id of the contact")),
    ] {
        let fault = Fault { path: "upsert".into(), status, body: Some(body), ..Fault::default() };
        account.standin.fail(fault);
        assert_eq!(person(3).push(&account.crm).await, Err(expected));
    }
    assert_eq!(account.records("contacts").len(), 1);
}

fn unreadable(what: &str) -> CallError {
    CallError::Transient { until_ms: None, message: format!("HubSpot's response has no {what}") }
}

/// An account that replaced HubSpot's own stages loses no lead by it.
#[actix_web::test]
async fn a_refused_stage_holds_up_no_lead() {
    let account = Account::start().declared().await;
    account.standin.fail(Fault {
        path: "contacts/1".into(),
        status: 400,
        body: Some(json!({ "message": "lead was not one of the allowed options" })),
        ..Fault::default()
    });
    assert!(person(1).push(&account.crm).await.unwrap().created);
}
