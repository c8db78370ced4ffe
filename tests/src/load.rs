//! Browsers and forms that retry refused requests until they are acknowledged, as real ones do; and
//! a check that a store then holds each of them once and is consistent.

use crate::app::{Answer, NOW_MS, answer, client};
use crate::settings::KEY;
use crate::wire::{HOME, batch, new_event, new_visitor, view};
use clew_store::Store;
use collector::check::{Check, Report};
use reqwest::Client;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

const BROWSERS: usize = 8;
const FORMS: usize = 2;

/// Running clients.
pub struct Load {
    shared: Arc<Shared>,
    browsers: Vec<JoinHandle<usize>>,
    forms: Vec<JoinHandle<usize>>,
}

#[derive(Default)]
struct Shared {
    url: String,
    stop: AtomicBool,
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
}

impl Load {
    /// Starts the clients against a collector.
    pub fn start(url: &str) -> Self {
        let shared = Arc::new(Shared { url: url.to_owned(), ..Shared::default() });
        let browse = |_| actix_web::rt::spawn(browse(Arc::clone(&shared)));
        let browsers = (0..BROWSERS).map(browse).collect();
        let convert = |_| actix_web::rt::spawn(convert(Arc::clone(&shared)));
        let forms = (0..FORMS).map(convert).collect();
        Self { shared, browsers, forms }
    }

    /// Waits until this many more requests are acknowledged.
    pub async fn is_acknowledged(&self, more: usize) {
        let enough = self.shared.acknowledged.load(Ordering::SeqCst) + more;
        let counted = async || self.shared.acknowledged.load(Ordering::SeqCst) >= enough;
        until("more is acknowledged", counted).await;
    }

    /// Waits until this many more requests are refused.
    pub async fn is_refused(&self, more: usize) {
        let enough = self.shared.refused.load(Ordering::SeqCst) + more;
        let counted = async || self.shared.refused.load(Ordering::SeqCst) >= enough;
        until("more is refused", counted).await;
    }

    /// Stops the clients, once everything they have begun is acknowledged, and asserts that the
    /// store holds exactly that.
    pub async fn is_kept_by(self, store: &dyn Store) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let (mut views, mut leads) = (0, 0);
        for browser in self.browsers {
            views += browser.await.unwrap();
        }
        for form in self.forms {
            leads += form.await.unwrap();
        }
        let counts = hold_together(store).await.counts;
        let found = (counts.visitors, counts.page_views, counts.leads, counts.conversions);
        let expected = (BROWSERS as u64, views as u64, leads as u64, leads as u64);
        assert_eq!(found, expected, "visitors, page views, leads, conversions");
    }
}

impl Shared {
    /// Sends a request until it is acknowledged. The only other response allowed is 503.
    async fn send(&self, request: impl Fn() -> reqwest::RequestBuilder) {
        let mut pauses = interval(Duration::from_millis(10));
        pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pauses.tick().await;
            let answered = answer(request()).await;
            if answered.status != 503 {
                assert!(matches!(answered.status, 200..=202), "{answered:?}");
                self.acknowledged.fetch_add(1, Ordering::SeqCst);
                return;
            }
            is_refused(&answered);
            self.refused.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

/// Sends page views of one visitor, one after the other. Returns how many.
async fn browse(shared: Arc<Shared>) -> usize {
    let (client, visitor, mut views) = (client(), new_visitor().to_text(), 0);
    while !shared.stops() {
        let body = page_of(&visitor);
        shared.send(|| post(&client, &shared.url, "/c/e", body.clone())).await;
        views += 1;
    }
    views
}

/// Sends leads one after the other, each of another person. Returns how many.
async fn convert(shared: Arc<Shared>) -> usize {
    let (client, mut leads) = (client(), 0);
    while !shared.stops() {
        let person = new_visitor().to_text();
        let body = json!({ "contact": { "email": format!("{person}@example.com") } }).to_string();
        let request = || {
            let request = post(&client, &shared.url, "/v1/leads", body.clone());
            request.bearer_auth(KEY).header("idempotency-key", &person)
        };
        shared.send(request).await;
        leads += 1;
    }
    leads
}

fn post(client: &Client, url: &str, path: &str, body: String) -> reqwest::RequestBuilder {
    client.post(format!("{url}{path}")).body(body)
}

/// A batch with one new page view.
pub fn page_of(visitor: &str) -> String {
    batch(visitor, NOW_MS, &[view(new_event(NOW_MS), NOW_MS, HOME, "")])
}

/// Sends one new page view of a visitor to a collector.
pub async fn browse_once(url: &str, visitor: &str) -> Answer {
    answer(post(&client(), url, "/c/e", page_of(visitor))).await
}

/// Asserts the response of a collector whose store is unavailable: 503, try again in a second.
pub fn is_refused(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.headers["retry-after"], "1");
    assert!(answer.text.contains("/problems/"), "{answer:?}");
}

/// Whether a collector reports that it is ready.
pub async fn is_ready(url: &str) -> bool {
    let answered = answer(client().get(format!("{url}/readyz"))).await;
    match answered.status {
        200 => true,
        _ => {
            is_refused(&answered);
            false
        }
    }
}

/// Polls until a condition holds; panics if that takes too long.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let mut looks = interval(Duration::from_millis(20));
    for _ in 0..1_000 {
        looks.tick().await;
        if is_so().await {
            return;
        }
    }
    panic!("timed out waiting until {what}");
}

/// Checks everything that a store holds, as `clew check` does.
pub async fn hold_together(store: &dyn Store) -> Report {
    let (mut check, mut entities) = (Check::default(), store.export());
    while let Some(entity) = entities.next().await {
        check.take(&entity.unwrap()).unwrap();
    }
    let report = check.finish();
    assert_eq!((report.problems.as_slice(), report.further), (&[][..], 0));
    report
}
