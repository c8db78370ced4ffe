//! The form handler: what it reports to the collector, and what happens when the collector is
//! unavailable.

use crate::support::{LEAD_ID, World};
use serde_json::json;
use www::State;

const ID: &str = "0123456789abcdef0123456789abcdef";
const VISITOR: &str = "9f0a2b4c-7c1e-4d8a-9f00-5b2f6f1f0c22";

fn accepted() -> State {
    State::Accepted { lead_id: LEAD_ID.into() }
}

#[actix_web::test]
async fn the_collector_is_told_who_came_but_not_what_they_wrote() {
    let world = World::start();
    let body = format!(
        "first_name=First&last_name=Last&email=lead%40example.com&company=Acme&phone=&message=Hello\
         &submission={ID}&clew_token=sealed-token"
    );
    let cookie = format!("other=1; clew_id={VISITOR}; more=2");
    assert_eq!(world.post_form(&body, &cookie).await, (303, "/thank-you".into()));
    let seen = world.collector.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].key.as_str(), seen[0].authorization.as_str()), (ID, "Bearer ak_test"));
    assert_eq!(
        seen[0].body,
        json!({
            "visitor": VISITOR,
            "token": "sealed-token",
            "type": "form",
            "contact": {
                "email": "lead@example.com", "first_name": "First", "last_name": "Last",
                "company": "Acme",
            },
            "form": { "id": "contact", "name": "Contact us" },
            "page": { "url": format!("{}/contact", world.demo.site_url()), "title": "Contact" },
        })
    );
    let kept = world.demo.submissions();
    assert_eq!((kept.len(), &kept[0].state), (1, &accepted()));
    assert_eq!(kept[0].submission.message, "Hello");
    world.stop().await;
}

#[actix_web::test]
async fn what_has_no_value_is_not_sent() {
    let world = World::start();
    let answer = world.post_form("email=lead@example.com", "clew_id=not-an-id").await;
    assert_eq!(answer.0, 303);
    let body = &world.collector.seen()[0].body;
    assert_eq!(body["contact"], json!({ "email": "lead@example.com" }));
    assert!(body.get("visitor").is_none() && body.get("token").is_none(), "{body}");
    world.stop().await;
}

#[actix_web::test]
async fn the_form_comes_back_with_everything_in_it() {
    let world = World::start();
    let body = format!("first_name=%3Cb%3EFirst&email=nope&message=%0AHello&submission={ID}");
    let (status, page) = world.post_form(&body, "").await;
    assert_eq!(status, 422);
    for text in [
        r#"value="&#60;b&#62;First""#,
        r#"value="nope" aria-invalid="true""#,
        "Hello</textarea>",
        "Please enter an e-mail address",
        &format!(r#"name="submission" value="{ID}""#),
    ] {
        assert!(page.contains(text), "no {text:?} in {page}");
    }
    assert!(world.collector.seen().is_empty() && world.demo.submissions().is_empty());
    world.stop().await;
}

#[actix_web::test]
async fn a_double_click_is_one_submission_with_one_key() {
    let world = World::start();
    let body = format!("email=lead@example.com&submission={ID}");
    world.post_form(&body, "").await;
    world.post_form(&body, "").await;
    let keys: Vec<String> = world.collector.seen().into_iter().map(|seen| seen.key).collect();
    assert_eq!(keys, [ID, ID]);
    assert_eq!(world.demo.submissions().len(), 1);
    world.stop().await;
}

#[actix_web::test]
async fn the_form_does_not_break_when_the_collector_does() {
    let rows = [
        (500, State::Waiting, 1),
        (503, State::Waiting, 1),
        (401, State::Waiting, 1),
        (409, State::Waiting, 1),
        (307, State::Waiting, 1),
        (422, State::Refused { status: 422 }, 0),
    ];
    for (status, expected, retried) in rows {
        let world = World::start();
        world.collector.answer(status);
        let answer = world.post_form("email=lead@example.com&message=Hello", "").await;
        assert_eq!(answer, (303, "/thank-you".into()), "{status}");
        let kept = &world.demo.submissions()[0];
        assert_eq!((&kept.state, kept.submission.message.as_str()), (&expected, "Hello"));

        world.collector.answer(201);
        assert_eq!(world.demo.retry_waiting().await, retried, "{status}");
        if retried == 1 {
            assert_eq!(world.demo.submissions()[0].state, accepted(), "{status}");
            let seen = world.collector.seen();
            assert_eq!((seen.len(), &seen[0].key), (2, &seen[1].key), "{status}");
        }
        world.stop().await;
    }
}

#[actix_web::test]
async fn nobody_listens_where_the_collector_should_be() {
    let world = World::start_with(|settings| settings.collector_url = "http://127.0.0.1:9".into());
    assert_eq!(world.post_form("email=lead@example.com", "").await, (303, "/thank-you".into()));
    assert_eq!(world.demo.submissions()[0].state, State::Waiting);
    assert_eq!(world.demo.retry_waiting().await, 0);
    world.stop().await;
}
