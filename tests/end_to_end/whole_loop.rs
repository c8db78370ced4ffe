//! The whole loop: from a click in a real browser to the CRM's fields, and from the won deal back
//! to the clicks that earned it.

use crate::journey::{visitor, wait};
use serde_json::{Value, json};
use shared::limits::DAY_MS;
use standin::Emit;
use tests::browser::Browser;
use tests::crm::Vendor;
use tests::storage::Backend;
use tests::town::Town;

tests::both_stores!(a_won_deal_is_credited_to_the_clicks_that_earned_it);

/// Status and revenue of the lead's only deal, and the touches credited by the first and the last
/// click, as source and amount.
async fn deal_summary(town: &Town, lead: &str) -> String {
    let journey = town.app.get(&format!("/v1/leads/{lead}/journey")).await.json;
    let deal = &journey["deals"][0];
    let touches = journey["journey"]["touches"].as_array().unwrap();
    let share = |touch: &Value| {
        let number = touch["n"].as_u64().unwrap() as usize;
        format!(
            "{} {}",
            touches[number - 1]["source"].as_str().unwrap(),
            touch["amount"].as_str().unwrap()
        )
    };
    let credit = deal["credit"].as_array().unwrap().iter().take(2).map(|credit| {
        let shares: Vec<_> = credit["touches"].as_array().unwrap().iter().map(share).collect();
        format!("{}: {}", credit["model"].as_str().unwrap(), shares.join(", "))
    });
    let credit: Vec<_> = credit.collect();
    format!(
        "{} {} | {}",
        deal["status"].as_str().unwrap(),
        deal["revenue"][0]["amount"],
        credit.join(" | ")
    )
}

async fn a_won_deal_is_credited_to_the_clicks_that_earned_it(backend: Backend) {
    let crm = Vendor::Hubspot.stand_in(None);
    let settings = Vendor::Hubspot.settings(crm.url(), "poll_minutes = 0");
    let town = Town::start_with(backend, None, &settings);
    let target = format!("{}{}", town.app.url, Vendor::Hubspot.hook());
    crm.set(|settings| settings.target_url = Some(target));
    let browser = Browser::start().await;

    // A visit from an ad; three days later a direct one, with the form.
    browser.open(&town.news).await;
    browser.follow("#ad-link", "/pricing").await;
    let visitor = visitor(&browser).await;
    town.journey_when(&visitor, |journey| {
        journey["pages"].as_array().is_some_and(|pages| pages.len() == 1)
    })
    .await;
    wait(&town, &browser, 3 * DAY_MS).await;
    crm.advance_ms(3 * DAY_MS);
    browser.open(&format!("{}/contact", town.site)).await;
    browser.wait_for("clew('token', done)").await;
    for (field, text) in [
        ("first_name", "First"),
        ("last_name", "Last"),
        ("email", "lead@example.com"),
        ("company", "Example"),
        ("message", "Hello"),
    ] {
        browser.type_into(&format!("#contact [name={field}]"), text).await;
    }
    browser.follow("#contact button[type=submit]", "/thank-you").await;
    assert_eq!(browser.page_errors().await, [""; 0]);
    town.clock.advance_ms(10_000);
    crm.advance_ms(10_000);
    assert_eq!(town.app.deliver().await, 2, "the demo's receiver and the CRM");

    // It is in HubSpot, in its own fields, with the journey in a note.
    let (contacts, notes) = Vendor::Hubspot.persons_and_notes(&crm);
    assert_eq!((contacts.len(), notes.len()), (1, 1));
    for (property, expected) in [
        ("email", "lead@example.com"),
        ("firstname", "First"),
        ("lastname", "Last"),
        ("company", "Example"),
        ("clew_first_click_source", "google"),
        ("clew_first_click_campaign", "brand"),
        ("clew_first_click_channel", "paid_search"),
        ("clew_last_click_source", "(direct)"),
        ("clew_channel_path", "paid_search > direct"),
        ("clew_gclid", "TEST-gclid-1"),
        ("clew_visits_count", "2"),
    ] {
        assert_eq!(contacts[0]["properties"][property], expected, "{property}");
    }
    let lead = contacts[0]["properties"]["clew_lead_id"].as_str().unwrap().to_owned();

    // A deal is won there: the webhook is accepted, and the revenue is credited to the clicks.
    let contact = contacts[0]["id"].as_str().unwrap();
    let deal = crm.put("deal", &json!({ "amount": "1200", "dealstage": "contractsent" })).unwrap();
    crm.act(&json!({ "associate": [deal, contact] })).unwrap();
    let change = async |change: Value| {
        crm.advance_ms(60_000);
        town.clock.advance_ms(60_000);
        let change = change.as_object().unwrap().clone();
        let emit = Emit { object: "deal".into(), id: deal.clone(), change, ..Emit::default() };
        let sent = crm.emit(&emit).await.unwrap();
        assert!(!sent.is_empty() && sent.iter().all(|sent| sent.acknowledged), "{sent:?}");
        assert_eq!(town.app.follow().await, 1);
    };
    change(json!({ "dealstage": "closedwon" })).await;
    assert_eq!(
        deal_summary(&town, &lead).await,
        r#"won "1200.00" | first: google 1200.00 | last: (direct) 1200.00"#
    );
    let fields = town.app.get(&format!("/v1/leads/{lead}/fields")).await.json["fields"].clone();
    assert_eq!(
        (&fields["revenue"], &fields["lead_stage"]),
        (&json!("1200.00"), &json!("customer"))
    );

    // It is reopened: the credit is taken back.
    change(json!({ "dealstage": "contractsent" })).await;
    assert_eq!(
        deal_summary(&town, &lead).await,
        r#"open "0.00" | first: google 0.00 | last: (direct) 0.00"#
    );
    let fields = town.app.get(&format!("/v1/leads/{lead}/fields")).await.json["fields"].clone();
    assert_eq!((&fields["revenue"], &fields["lead_stage"]), (&Value::Null, &json!("opportunity")));

    browser.stop().await;
    town.stop().await;
    crm.stop().await;
}
