//! Browsers that write until they are told to stop, each for a visitor of its own and now and then
//! a lead, and that remember what was acknowledged.

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

/// How long anything may take that is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Batches of a browser for one lead.
const BATCHES: usize = 5;

/// The browsers.
pub struct Crowd {
    shared: Arc<Shared>,
    browsers: Vec<JoinHandle<()>>,
}

/// What was acknowledged, as far as clients know.
#[derive(Clone, Debug, Default)]
pub struct Acknowledged {
    /// Page views.
    pub events: BTreeMap<VisitorId, BTreeSet<EventId>>,
    /// Leads, and of which visitor.
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
    /// So many of them, over one collector or more.
    pub fn gather(urls: Vec<String>, browsers: usize) -> Self {
        let shared = Arc::new(Shared { urls: Mutex::new(urls), ..Shared::default() });
        let browse = |number| {
            let shared = Arc::clone(&shared);
            actix_web::rt::spawn(async move { shared.browse(number).await })
        };
        let browsers = (0..browsers).map(browse).collect();
        Self { shared, browsers }
    }

    /// Where the collectors are from now on.
    pub fn turn_to(&self, urls: Vec<String>) {
        *self.shared.urls.lock().unwrap() = urls;
    }

    /// Waits until so many more requests are acknowledged.
    pub async fn goes_on(&self, more: usize) {
        let enough = self.shared.count.load(Ordering::SeqCst) + more;
        self.wait(|shared| shared.count.load(Ordering::SeqCst) >= enough).await;
    }

    /// Waits until so many requests were answered with 503, or not at all.
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
                assert!(
                    !self.browsers.iter().any(JoinHandle::is_finished),
                    "a client was let down"
                );
            }
        };
        assert!(timeout(PATIENCE, wait).await.is_ok(), "it never came to be as expected");
    }

    /// What is acknowledged now.
    pub fn acknowledged(&self) -> Acknowledged {
        self.shared.acknowledged.lock().unwrap().clone()
    }

    /// How many requests were answered with 503.
    pub fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::SeqCst)
    }

    /// How many requests were not answered, and went to the next collector.
    pub fn unanswered(&self) -> usize {
        self.shared.unanswered.load(Ordering::SeqCst)
    }

    /// The longest time that an answer took since this was asked last.
    pub fn longest(&self) -> Duration {
        std::mem::take(&mut self.shared.longest.lock().unwrap())
    }

    /// Lets them end; what was acknowledged in all.
    pub async fn stop(self) -> Acknowledged {
        self.shared.stop.store(true, Ordering::SeqCst);
        join_all(self.browsers).await.into_iter().for_each(Result::unwrap);
        self.shared.acknowledged.lock().unwrap().clone()
    }
}

impl Acknowledged {
    /// Sees that a store holds all of it.
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
            // To one and the other in turn, so that each is asked until its end.
            let Some(_) = self.answer(number + turn, 202, send).await else { return };
            self.acknowledged.lock().unwrap().events.entry(visitor).or_default().extend(ids);
            if turn % BATCHES == 0 {
                let email = format!("{visitor}-{turn}@example.com");
                let body = json!({ "visitor": visitor, "contact": { "email": email } }).to_string();
                let send = |url: &str| {
                    let request = client.post(format!("{url}/v1/leads")).bearer_auth(KEY);
                    // One that was stored and not answered is the same one again.
                    request.header("idempotency-key", &email).body(body.clone())
                };
                let Some(made) = self.answer(number + turn, 201, send).await else { return };
                let lead = LeadId::parse(made["lead"]["id"].as_str().unwrap()).unwrap();
                self.acknowledged.lock().unwrap().leads.insert(lead, visitor);
            }
        }
    }

    /// Sends until it is acknowledged; `None` where it is time to stop.
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
