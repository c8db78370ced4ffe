//! Two collectors that write to one database concurrently, and values that a database could fail
//! on.

use clew_core::Clock;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::TcpListener;
use tests::app::{Answer, NOW_MS, TestApp, answer};
use tests::load::{hold_together, is_refused, page_of, until};
use tests::postgres::Server;
use tests::settings::{KEY, destination};
use tests::storage::{Backend, Storage};
use tests::wire::{HOME, batch, engagement, new_event, new_visitor, view};

const ROUNDS: usize = 50;

fn person(visitor: &str, email: &str) -> Value {
    json!({ "visitor": visitor, "contact": { "email": email, "phone": "+33142685300" } })
}

fn lead(answer: &Answer) -> &str {
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    answer.json["lead"]["id"].as_str().unwrap()
}

#[actix_web::test]
async fn two_collectors_race_and_everything_holds_together() {
    let Storage::Postgres(database) = Storage::new(Backend::Postgres) else { unreachable!() };
    let [one, two] = [(); 2].map(|()| {
        let storage = Storage::Postgres(database.clone());
        let crm = destination("crm", "http://127.0.0.1:9/");
        TestApp::start_with(storage, &crm, Clock::fixed(NOW_MS))
    });
    for round in 0..ROUNDS {
        let (a, b, c) = (new_visitor().to_text(), new_visitor().to_text(), new_visitor().to_text());
        let send = async |app: &TestApp, visitor: &str| {
            assert_eq!(app.send(page_of(visitor)).await.status, 202);
        };
        // The same visitors through both collectors.
        tokio::join!(send(&one, &a), send(&two, &a), send(&one, &b), send(&two, &c));

        // A new person converts in two browsers.
        let same = format!("same-{round}@example.com");
        let without_phone = |visitor: &str| {
            let mut person = person(visitor, &same);
            person["contact"].as_object_mut().unwrap().remove("phone");
            person
        };
        let (from_a, from_b) = (without_phone(&a), without_phone(&b));
        let (first, second) = tokio::join!(one.post_lead(&from_a), two.post_lead(&from_b));
        assert_eq!((first.status, second.status), (201, 201), "round {round}");
        assert_eq!(lead(&first), lead(&second), "round {round}: one person became two leads");
        let made = one.get(&format!("/v1/leads/email:{same}")).await;
        let joined: BTreeSet<_> = made.json["lead"]["visitors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|join| join["visitor"].as_str().unwrap())
            .collect();
        assert_eq!(joined, BTreeSet::from([a.as_str(), &b]), "round {round}");
        assert_eq!(made.json["lead"]["conversions"], 2, "round {round}");
        let path = format!("/v1/deliveries?lead={}", lead(&made));
        let deliveries = two.get(&path).await;
        assert_eq!(deliveries.json["deliveries"].as_array().unwrap().len(), 2, "round {round}");

        // One submission is sent twice.
        let submission = person(&c, &format!("key-{round}@example.com")).to_string();
        let submit = async |app: &TestApp| {
            let request = app.request(Method::POST, "/v1/leads").bearer_auth(KEY);
            let request = request.header("idempotency-key", format!("round-{round}"));
            answer(request.body(submission.clone())).await
        };
        let (first, second) = tokio::join!(submit(&one), submit(&two));
        assert_eq!(lead(&first), lead(&second), "round {round}");
        assert_eq!(first.json["conversion_id"], second.json["conversion_id"], "round {round}");
        assert_ne!(first.json["repeated"], second.json["repeated"], "round {round}");

        // Two persons who share a phone convert in one browser, while it goes on browsing.
        let (left, right) = (
            person(&a, &format!("left-{round}@example.com")),
            person(&a, &format!("right-{round}@example.com")),
        );
        let (first, second, ..) = tokio::join!(
            one.post_lead(&left),
            two.post_lead(&right),
            send(&one, &a),
            send(&two, &a)
        );
        assert_eq!((first.status, second.status), (201, 201), "round {round}");
    }
    let counts = hold_together(&*one.app.core.store).await.counts;
    let rounds = ROUNDS as u64;
    assert_eq!(counts.page_views, 6 * rounds);
    assert_eq!((counts.conversions, counts.deliveries), (5 * rounds, 5 * rounds));
    assert_eq!(counts.used_keys, rounds);
    one.stop().await;
    two.stop().await;
}

/// One browser changes hands, is taken from persons again, and goes on browsing, all concurrently.
#[actix_web::test]
async fn joins_are_made_and_undone_concurrently() {
    let Storage::Postgres(database) = Storage::new(Backend::Postgres) else { unreachable!() };
    let apps = [(); 2].map(|()| TestApp::start(Storage::Postgres(database.clone())));
    let [one, two] = &apps;
    let visitor = new_visitor().to_text();
    assert_eq!(one.send(page_of(&visitor)).await.status, 202);
    let convert = async |app: &TestApp, number: usize| {
        let email = format!("person-{number}@example.com");
        let body = json!({ "visitor": visitor, "contact": { "email": email } });
        assert!(matches!(app.post_lead(&body).await.status, 200 | 201));
    };
    let undo = async |app: &TestApp, number: usize| {
        let path = format!("/v1/leads/email:person-{number}@example.com/visitors/{visitor}");
        let request = app.request(Method::DELETE, &path).bearer_auth(KEY);
        assert_eq!(answer(request).await.status, 200);
    };
    for number in 0..4 {
        convert(one, number).await;
    }
    for round in 0..ROUNDS {
        for app in &apps {
            app.app.core.clock.advance_ms(60_000);
        }
        let person = |number: usize| (round + number) % 4;
        tokio::join!(
            convert(one, person(0)),
            undo(two, person(1)),
            undo(one, person(1)),
            undo(two, person(2)),
            convert(two, person(3)),
            async { assert_eq!(one.send(page_of(&visitor)).await.status, 202) },
        );
        hold_together(&*one.app.core.store).await;
    }
    for number in 0..4 {
        undo(one, number).await;
    }
    let journey = two.get(&format!("/v1/visitors/{visitor}/journey")).await.json;
    assert_eq!(journey["lead_id"], Value::Null);
    hold_together(&*two.app.core.store).await;
    for app in apps {
        app.stop().await;
    }
}

/// Both stores respond to the same requests alike, and store the same.
#[actix_web::test]
async fn difficult_values_are_stored_alike() {
    let apps = [Backend::Sled, Backend::Postgres].map(TestApp::start);
    let visitor = new_visitor().to_text();
    let page = new_event(NOW_MS);
    let plain = view(page, NOW_MS, HOME, "");
    let titled = |title: &str| {
        let id = new_event(NOW_MS);
        let body = view(id, NOW_MS, HOME, "").replace("\"Home\"", &format!("\"{title}\""));
        batch(&visitor, NOW_MS, &[body])
    };
    let custom = |name: &str, props: &str| {
        let id = new_event(NOW_MS);
        let event = format!(
            r#"{{"id":"{id}","page":"{page}","at":{NOW_MS},"kind":"custom","name":"{name}","props":{props}}}"#
        );
        batch(&visitor, NOW_MS, &[event])
    };
    let long = "é".repeat(1_900);
    let mut bodies = vec![
        batch(&visitor, NOW_MS, &[plain]),
        titled(r"nothing \u0000 in the middle"),
        titled(r"\u0000"),
        titled(r"half \ud83d of a pair"),
        titled(r"\ude00 the other half"),
        titled(r"\ud83d\ude00 both, 'quoted' \\ and \u2028\u202e\ufffe"),
        titled(&"x".repeat(16 * 1024)),
        titled(&"\\u0001".repeat(500)),
        custom("nothing", r#"{"a":"\u0000","\u0000":[null,1e999,-0.0,1e400]}"#),
        custom(r"nothing \u0000", r#"{"a":"\u0000 \\u0000 '; DROP TABLE clew.events; --"}"#),
        custom("half", r#"{"a":"\ud83d"}"#),
        custom("long", &format!(r#"{{"a":"{long}"}}"#)),
        custom("deep", &format!("{}1{}", r#"{"a":"#.repeat(100), "}".repeat(100))),
        batch(
            &visitor,
            NOW_MS,
            &[view(
                new_event(NOW_MS),
                NOW_MS,
                &format!(
                    "{HOME}%00?utm_source=%00%ff&utm_campaign={}&gclid={}",
                    "y".repeat(3_000),
                    "z".repeat(3_000)
                ),
                "https://www.google.com/%00",
            )],
        ),
    ];
    // A journey of many visits, so that its record is long.
    for visits in (0..600_i64).collect::<Vec<_>>().chunks(100) {
        let events: Vec<_> = visits
            .iter()
            .flat_map(|number| {
                let at_ms = NOW_MS - number * 3_600_000;
                let id = new_event(at_ms);
                let url = format!("{HOME}?utm_source=s{number}&utm_medium=cpc");
                [view(id, at_ms, &url, ""), engagement(id, at_ms + 1_000, 1_000, 50)]
            })
            .collect();
        bodies.push(batch(&visitor, NOW_MS, &events));
    }
    for body in bodies {
        let [sled, postgres] = [apps[0].send(body.clone()).await, apps[1].send(body.clone()).await];
        let outcome = |answer: &Answer| {
            let counts = ["stored", "duplicate", "dropped"].map(|word| answer.json[word].clone());
            (answer.status, counts)
        };
        let head: String = body.chars().take(300).collect();
        assert_eq!(outcome(&sled), outcome(&postgres), "{head}");
        assert!(sled.status < 500, "{head}: {sled:?}");
    }
    for path in [
        format!("/v1/visitors/{visitor}/journey"),
        "/v1/leads?email=a%00b@example.com".into(),
        "/v1/leads/email:a%00b@example.com".into(),
        "/v1/deliveries?state=%00".into(),
        "/v1/leads/%00".into(),
    ] {
        let [mut sled, mut postgres] = [apps[0].get(&path).await, apps[1].get(&path).await];
        for answer in [&mut sled, &mut postgres] {
            if let Some(problem) = answer.json.as_object_mut() {
                problem.remove("request_id");
            }
        }
        assert_eq!((sled.status, sled.json), (postgres.status, postgres.json), "{path}");
        assert!(sled.status < 500, "{path}");
    }
    let reports = [
        hold_together(&*apps[0].app.core.store).await,
        hold_together(&*apps[1].app.core.store).await,
    ];
    assert_eq!(reports[0], reports[1]);
    assert!(reports[0].counts.touches > 500, "{:?}", reports[0].counts);
    let strange = json!({ "visitor": visitor, "contact": {
        "email": "a@example.com", "first_name": "\0 Zoë \u{202e}", "phone": "+33 1 42 68 53 00\0" },
        "form": { "id": "\0", "name": "\0'" }, "page": { "url": "https://www.example.com/%00", "title": "\0" } });
    for app in &apps {
        assert_eq!(app.post_lead(&strange).await.status, 201);
        assert_eq!(app.get("/v1/leads/email:a@example.com").await.status, 200);
    }
    for app in apps {
        app.stop().await;
    }
}

/// One visitor that the database refuses, or takes too long for, does not fail the events of others
/// in the same commit.
#[actix_web::test]
async fn a_batch_that_fails_fails_alone() {
    check_alone("RAISE EXCEPTION 'not this one' USING ERRCODE = '22000'").await;
    check_alone("PERFORM pg_sleep(60)").await;
}

async fn check_alone(fault: &str) {
    let storage = Storage::new(Backend::Postgres);
    let mut session = Server::shared().session(storage.database());
    let (poison, held) = (new_visitor().to_text(), new_visitor().to_text());
    session.run(&format!(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.visitor = '{poison}' THEN
                 {fault};
             END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON clew.events FOR EACH ROW EXECUTE FUNCTION public.refuse()"
    ));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let app = TestApp::start_adjusted(storage, listener, "", Clock::fixed(NOW_MS), |config| {
        config.store.connections = 2;
        config.store.statement_seconds = 2;
    });
    assert_eq!(app.send(page_of(&held)).await.status, 202);
    // While one commit waits, the other requests gather for the next.
    session.run("BEGIN; SELECT 1 FROM clew.visitors FOR UPDATE");
    let first = app.send(page_of(&held));
    let others = async {
        until("a commit waits", async || app.app.core.store.queued() == 1).await;
        let visitors = (0..20).map(|number| match number {
            7 | 13 => poison.clone(),
            _ => new_visitor().to_text(),
        });
        let others = join_all(
            visitors.map(async |visitor| (visitor == poison, app.send(page_of(&visitor)).await)),
        );
        let release = async {
            until("the others wait", async || app.app.core.store.queued() == 21).await;
            session.run("COMMIT");
        };
        tokio::join!(others, release).0
    };
    let (first, others) = tokio::join!(first, others);
    assert_eq!(first.status, 202);
    for (is_poison, answer) in others {
        match is_poison {
            true => is_refused(&answer),
            false => assert_eq!(answer.status, 202, "{answer:?}"),
        }
    }
    let counts = hold_together(&*app.app.core.store).await.counts;
    assert_eq!((counts.visitors, counts.page_views), (19, 20));
    app.stop().await;
}
