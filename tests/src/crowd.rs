//! Browsers that send page views until they are stopped. Each has its own visitor, sends a lead now
//! and then, and remembers what was acknowledged.

use crate::app::client;
use crate::settings::KEY;
use crate::story::site;
use crate::wire::{HOME, batch, new_event, new_visitor, view};
use clew_core::Clock;
use clew_store::Store;
use futures_util::future::join_all;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use shared::ids::{EventId, LeadId, VisitorId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

/// The longest that a test waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Each browser sends one lead per this many batches.
const BATCHES: usize = 5;

/// Running browsers.
pub struct Crowd {
    shared: Arc<Shared>,
    browsers: Vec<JoinHandle<()>>,
}

/// What was acknowledged, as the clients know it.
#[derive(Clone, Debug, Default)]
pub struct Acknowledged {
    /// Page views, by visitor.
    pub events: BTreeMap<VisitorId, BTreeSet<EventId>>,
    /// Leads, each with its visitor.
    pub leads: BTreeMap<LeadId, VisitorId>,
}

#[derive(Default)]
struct Shared {
    urls: Mutex<Vec<String>>,
    acknowledged: Mutex<Acknowledged>,
    count: AtomicUsize,
    refused: AtomicUsize,
    unanswered: AtomicUsize,
    longest: Mutex<Duration>,
    stop: AtomicBool,
}

impl Crowd {
    /// Starts browsers that take turns over one or more collectors.
    pub fn gather(urls: Vec<String>, browsers: usize) -> Self {
        let shared = Arc::new(Shared { urls: Mutex::new(urls), ..Shared::default() });
        let browse = |number| {
            let shared = Arc::clone(&shared);
            actix_web::rt::spawn(async move { shared.browse(number).await })
        };
        let browsers = (0..browsers).map(browse).collect();
        Self { shared, browsers }
    }

    /// Sets the addresses of the collectors from now on.
    pub fn turn_to(&self, urls: Vec<String>) {
        *self.shared.urls.lock().unwrap() = urls;
    }

    /// Waits until this many more requests are acknowledged.
    pub async fn goes_on(&self, more: usize) {
        let enough = self.shared.count.load(Ordering::SeqCst) + more;
        self.wait(|shared| shared.count.load(Ordering::SeqCst) >= enough).await;
    }

    /// Waits until this many requests in all got a 503 or no response.
    pub async fn is_refused(&self, times: usize) {
        self.wait(|shared| {
            let refused = shared.refused.load(Ordering::SeqCst);
            refused + shared.unanswered.load(Ordering::SeqCst) >= times
        })
        .await;
    }

    async fn wait(&self, is_so: impl Fn(&Shared) -> bool) {
        let mut looks = interval(Duration::from_millis(2));
        let wait = async {
            while !is_so(&self.shared) {
                looks.tick().await;
                assert!(!self.browsers.iter().any(JoinHandle::is_finished), "a browser failed");
            }
        };
        assert!(timeout(PATIENCE, wait).await.is_ok(), "timed out");
    }

    /// What has been acknowledged so far.
    pub fn acknowledged(&self) -> Acknowledged {
        self.shared.acknowledged.lock().unwrap().clone()
    }

    /// How many requests got a 503.
    pub fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::SeqCst)
    }

    /// How many requests got no response and were sent to the next collector.
    pub fn unanswered(&self) -> usize {
        self.shared.unanswered.load(Ordering::SeqCst)
    }

    /// The longest time that a response took since the last call.
    pub fn longest(&self) -> Duration {
        std::mem::take(&mut self.shared.longest.lock().unwrap())
    }

    /// Stops the browsers. Returns everything that was acknowledged.
    pub async fn stop(self) -> Acknowledged {
        self.shared.stop.store(true, Ordering::SeqCst);
        join_all(self.browsers).await.into_iter().for_each(Result::unwrap);
        self.shared.acknowledged.lock().unwrap().clone()
    }
}

impl Acknowledged {
    /// Asserts that a store holds all of it.
    pub async fn is_in(&self, store: &dyn Store) {
        for (visitor, ids) in &self.events {
            let trail = store.trail(&site(), *visitor).await.unwrap();
            let stored: BTreeSet<_> = trail.views.iter().map(|view| view.id).collect();
            assert_eq!(stored.len(), trail.views.len());
            let record = store.visitor(&site(), *visitor).await.unwrap().unwrap();
            let is_there = |id: &&EventId| {
                stored.contains(id) || record.summed_up.is_some_and(|past| **id <= past.newest)
            };
            let there = ids.iter().filter(is_there).count();
            let counted = trail.journey().page_views() as usize;
            assert!(there == ids.len() && counted >= there, "{visitor}: page views are missing");
        }
        for (lead, visitor) in &self.leads {
            let stored = store.lead(*lead).await.unwrap();
            let stored = stored.unwrap_or_else(|| panic!("the lead {lead} is missing"));
            assert!(stored.joins.iter().any(|join| join.visitor == *visitor), "{stored:?}");
        }
    }
}

impl Shared {
    async fn browse(&self, number: usize) {
        let (client, visitor) = (client(), new_visitor());
        for turn in 0.. {
            let at_ms = Clock::system().now_ms();
            let ids: Vec<_> = (0..3).map(|_| new_event(at_ms)).collect();
            let views: Vec<_> = ids.iter().map(|id| view(*id, at_ms, HOME, "")).collect();
            let body = batch(&visitor.to_text(), at_ms, &views);
            let send = |url: &str| client.post(format!("{url}/c/e")).body(body.clone());
            // The collectors take turns, so that each gets requests until it stops.
            let Some(_) = self.answer(number + turn, 202, send).await else { return };
            self.acknowledged.lock().unwrap().events.entry(visitor).or_default().extend(ids);
            if turn % BATCHES == 0 {
                let email = format!("{visitor}-{turn}@example.com");
                let body = json!({ "visitor": visitor, "contact": { "email": email } }).to_string();
                let send = |url: &str| {
                    let request = client.post(format!("{url}/v1/leads")).bearer_auth(KEY);
                    // If it was stored but not answered, the repeat finds it by this key.
                    request.header("idempotency-key", &email).body(body.clone())
                };
                let Some(made) = self.answer(number + turn, 201, send).await else { return };
                let lead = LeadId::parse(made["lead"]["id"].as_str().unwrap()).unwrap();
                self.acknowledged.lock().unwrap().leads.insert(lead, visitor);
            }
        }
    }

    /// Sends a request until it is acknowledged. Returns `None` when the crowd is stopped.
    async fn answer(
        &self,
        mut turn: usize,
        acknowledges: u16,
        send: impl Fn(&str) -> RequestBuilder,
    ) -> Option<Value> {
        let mut pauses = interval(Duration::from_millis(20));
        while !self.stop.load(Ordering::SeqCst) {
            let url = {
                let urls = self.urls.lock().unwrap();
                urls[turn % urls.len()].clone()
            };
            let began = Instant::now();
            let answer = match send(&url).send().await {
                Ok(answer) => Some((answer.status().as_u16(), answer.text().await)),
                Err(_) => None,
            };
            match answer {
                Some((503, Ok(_))) => drop(self.refused.fetch_add(1, Ordering::SeqCst)),
                Some((status, Ok(text))) => {
                    // A repeat of a lead is answered with 200.
                    assert!(status == acknowledges || status == 200, "{status}: {text}");
                    let mut longest = self.longest.lock().unwrap();
                    *longest = longest.max(began.elapsed());
                    drop(longest);
                    self.count.fetch_add(1, Ordering::SeqCst);
                    return Some(serde_json::from_str(&text).unwrap());
                }
                None | Some((_, Err(_))) => {
                    turn += 1;
                    self.unanswered.fetch_add(1, Ordering::SeqCst);
                }
            }
            pauses.tick().await;
        }
        None
    }
}
