//! The CRM: what it accepts, what it refuses, and how it shows a lead.

use crate::support::{LEAD_ID, World};
use serde_json::{Value, json};

fn lead(lead_id: &str, at: &str, fields: &Value, journey: Option<Value>) -> String {
    let mut data =
        json!({ "id": "conversion-1", "lead_id": lead_id, "fields_version": 1, "fields": fields });
    if let Some(journey) = journey {
        data["journey"] = journey;
    }
    json!({ "type": "lead.converted", "timestamp": at, "data": data }).to_string()
}

fn plain() -> String {
    let fields = json!({
        "email": "lead@example.com", "first_name": "First", "last_name": "Last",
        "first_click_channel": "paid_search", "first_click_source": "google",
        "last_click_channel": "direct", "last_click_source": "(direct)", "lead_stage": "lead",
        "touchpoints_count": 1,
    });
    let journey = json!({
        "touches": [{ "n": 1, "at": "2026-11-21T08:00:00Z", "channel": "paid_search",
                      "source": "google", "medium": "cpc", "click_id_type": "gclid" }],
        "pages": [{ "at": "2026-11-21T08:00:00Z", "url": "http://site.example/pricing",
                    "title": "Pricing", "engaged_ms": 32000, "scroll_pct": 80, "engaged": true }],
        "conversions": [{ "id": "conversion-1", "at": "2026-11-21T08:05:00Z", "type": "form",
                          "form_name": "Contact us", "page_url": "http://site.example/contact" }],
    });
    lead(LEAD_ID, "2026-11-21T08:05:00Z", &fields, Some(journey))
}

#[actix_web::test]
async fn a_repeat_is_counted_and_not_kept_twice() {
    let world = World::start();
    for _ in 0..3 {
        assert_eq!(world.webhook("msg_1", &plain()).await, 200);
    }
    let deliveries = world.demo.deliveries();
    assert_eq!((deliveries.len(), deliveries[0].attempts), (1, 3));
    let (_, listed) = world.get(&format!("{}/api/deliveries", world.demo.crm_url())).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed[0]["webhook_id"], "msg_1");
    assert_eq!(listed[0]["received_at_ms"], crate::support::NOON_MS);
    assert_eq!(listed[0]["body"]["data"]["lead_id"], LEAD_ID);
    world.stop().await;
}

#[actix_web::test]
async fn the_door_is_strict() {
    let world = World::start();
    let url = format!("{}/webhook", world.demo.crm_url());
    assert_eq!(world.webhook("msg_1", "{not json").await, 400);
    assert_eq!(world.webhook("msg_2", r#"{"type":"lead.converted"}"#).await, 400);
    let unsigned = world.client.post(&url).body(plain()).send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
    for method in ["GET", "PUT", "DELETE"] {
        let method = method.parse().unwrap();
        let answer = world.client.request(method, &url).send().await.unwrap();
        assert_eq!(answer.status(), 405);
        assert_eq!(answer.headers()["allow"], "POST");
    }
    // Signed at noon: valid until five past, and refused a second later.
    world.move_clock(300);
    assert_eq!(world.webhook("msg_3", &plain()).await, 200);
    world.move_clock(1);
    assert_eq!(world.webhook("msg_4", &plain()).await, 401);
    world.move_clock(-602);
    assert_eq!(world.webhook("msg_5", &plain()).await, 401);
    let statuses: Vec<u16> = world.demo.attempts().iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [400, 400, 401, 200, 401, 401]);
    assert_eq!(world.demo.deliveries().len(), 1);
    world.stop().await;
}

#[actix_web::test]
async fn it_fails_on_purpose_until_it_is_told_to_stop() {
    let world = World::start();
    let mut attempts = world.demo.watch_attempts();
    world.demo.set_failing(Some(503));
    assert_eq!(world.webhook("msg_1", &plain()).await, 503);
    assert_eq!(world.webhook("msg_1", &plain()).await, 503);
    world.demo.set_failing(None);
    assert_eq!(world.webhook("msg_1", &plain()).await, 200);
    assert_eq!(*attempts.wait_for(|count| *count >= 3).await.unwrap(), 3);
    let (_, listed) = world.get(&format!("{}/api/attempts", world.demo.crm_url())).await;
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let seen: Vec<_> = listed.iter().map(|one| (&one["webhook_id"], &one["status"])).collect();
    let id = json!("msg_1");
    assert_eq!(seen, [(&id, &json!(503)), (&id, &json!(503)), (&id, &json!(200))]);
    assert_eq!(world.demo.deliveries()[0].attempts, 1);
    world.stop().await;
}

#[actix_web::test]
async fn a_lead_is_shown_with_its_journey() {
    let world = World::start();
    let (_, empty) = world.get(world.demo.crm_url()).await;
    assert!(empty.contains("No leads yet"));
    world.webhook("msg_1", &plain()).await;
    let other = json!({ "email": "other@example.com" });
    world.webhook("msg_2", &lead("lead-2", "2026-11-20T08:00:00Z", &other, None)).await;

    let (_, list) = world.get(world.demo.crm_url()).await;
    assert!(list.find("other@example.com") < list.find("lead@example.com"), "newest first");
    let (status, page) = world.get(&format!("{}/leads/{LEAD_ID}", world.demo.crm_url())).await;
    assert_eq!(status, 200);
    for text in [
        ">First Last</h1>",
        r#"data-field="first_click_source"><span class="clamp" title="google">google<"#,
        r#"data-kind="touch""#,
        r#"data-kind="page""#,
        r#"data-kind="conversion""#,
        "80% seen",
        "Form submitted",
        "Saturday, 21 November 2026",
    ] {
        assert!(page.contains(text), "no {text:?}");
    }
    let (_, page) = world.get(&format!("{}/leads/lead-2", world.demo.crm_url())).await;
    assert!(page.contains("Journey unknown"));
    let (status, _) = world.get(&format!("{}/leads/nobody", world.demo.crm_url())).await;
    assert_eq!(status, 404);
    world.stop().await;
}

#[actix_web::test]
async fn a_journey_that_was_cut_is_told_from_what_is_left() {
    let world = World::start();
    let mut fields = json!({ "email": "lead@example.com", "touchpoints_count": 2 });
    world.webhook("msg_1", &lead("cut", "2026-11-21T08:00:00Z", &fields, None)).await;
    let touch = json!({ "n": 1, "at": "2026-11-20T08:00:00Z", "channel": "email", "pageviews": 7 });
    fields["journey_json"] = json!([touch, { "omitted": 1 }]).to_string().into();
    world.webhook("msg_2", &lead("some", "2026-11-21T08:00:00Z", &fields, None)).await;

    let (_, page) = world.get(&format!("{}/leads/cut", world.demo.crm_url())).await;
    assert!(page.contains("Journey not in this message"));
    let (_, page) = world.get(&format!("{}/leads/some", world.demo.crm_url())).await;
    assert!(page.contains("7 page views") && page.contains("data-kind=\"omitted\""));
    assert!(!page.contains("journey_json"));
    world.stop().await;
}

#[actix_web::test]
async fn what_happened_last_counts_not_what_came_last() {
    let world = World::start();
    let fields = |company: &str| json!({ "email": "lead@example.com", "company": company });
    world.webhook("msg_2", &lead("l", "2026-11-21T09:00:00Z", &fields("Newer"), None)).await;
    world.webhook("msg_1", &lead("l", "2026-11-21T08:00:00Z", &fields("Older"), None)).await;
    let stage = json!({ "type": "lead.stage_changed", "timestamp": "2026-11-21T10:00:00Z",
        "data": { "lead_id": "l", "from": "lead", "to": "customer", "at": "2026-11-21T10:00:00Z" } });
    world.webhook("msg_3", &stage.to_string()).await;
    let (_, page) = world.get(&format!("{}/leads/l", world.demo.crm_url())).await;
    assert!(page.contains("Newer") && !page.contains("Older"));
    assert!(page.contains("data-stage>Customer<"));
    world.stop().await;
}

#[actix_web::test]
async fn hostile_values_stay_text() {
    let world = World::start();
    let evil = "<script>alert(1)</script>\"'>";
    let fields = json!({
        "email": evil, "first_name": evil, "company": evil, "first_click_channel": evil,
        "first_click_landing_page": "javascript:alert(1)", "first_click_campaign": "c".repeat(500),
        "lead_stage": evil, "extra_<b>": evil,
    });
    let journey = json!({
        "touches": [{ "at": "2026-11-21T08:00:00Z", "channel": evil, "source": evil,
                      "landing_page": "javascript:alert(1)", "click_id_type": evil }, { "omitted": 3 }],
        "pages": [{ "at": "2026-11-21T08:00:00Z", "url": evil, "title": evil, "engaged": true,
                    "engaged_ms": u64::MAX, "scroll_pct": u64::MAX },
                  { "at": "2026-11-21T08:00:00Z", "url": evil, "engaged_ms": u64::MAX }],
        "conversions": [{ "id": evil, "at": "2026-11-21T08:00:00Z", "type": evil }],
    });
    let body = lead("l", "2026-11-21T08:00:00Z", &fields, Some(journey));
    assert_eq!(world.webhook("msg_<b>", &body).await, 200);
    for path in ["/", "/leads/l"] {
        let (status, page) = world.get(&format!("{}{path}", world.demo.crm_url())).await;
        assert_eq!(status, 200, "{path}");
        assert!(!page.contains("<script") && !page.contains("<b>"), "{path}");
        assert!(!page.contains("href=\"javascript"), "{path}");
    }
    world.stop().await;
}
