//! Real traffic beside the attacks: browsers that stay for a few pages and often become a lead, and a
//! machine that asks for `/readyz`. Each step has its time, whether or not the one before is answered, and
//! is repeated until it is acknowledged, as the tracker does.

use crate::http::{Answer, Connection, batch_from, get, lead};
use clew_core::Clock;
use serde_json::{Value, json};
use shared::ids::{EventId, LeadId, VisitorId};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tests::wire::{HOME, batch, engagement, new_event, new_visitor, view};
use tokio::runtime;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// At the same time; with [`PACE`] 100 requests a second.
const BROWSERS: u64 = 300;
const PACE: Duration = Duration::from_secs(3);
const ASKED_READY: Duration = Duration::from_millis(100);
/// An attempt without an answer for so long has failed.
const ATTEMPT: Duration = Duration::from_secs(20);
/// What is not acknowledged so long after the attack is lost.
const GRACE: Duration = Duration::from_secs(60);
/// What one visitor does.
const LIFE: [Step; 10] = [
    Step::View,
    Step::Engagement,
    Step::Engagement,
    Step::View,
    Step::Engagement,
    Step::Engagement,
    Step::View,
    Step::Engagement,
    Step::Engagement,
    Step::Lead,
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    View,
    Engagement,
    Lead,
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A batch of a browser's.
    Page,
    /// A form handler's lead.
    Lead,
    /// `/readyz`.
    Ready,
    /// A small durable write of this program, for comparison: what it waits is the machine's doing.
    Machine,
}

/// How long something took, from when it was to be sent until it was acknowledged.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) at: Instant,
    pub(crate) kind: Kind,
    pub(crate) took: Duration,
}

/// The traffic under way.
pub(crate) struct Traffic {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct TrafficResult {
    pub(crate) samples: Vec<Sample>,
    /// Acknowledged page views.
    pub(crate) views: Vec<(VisitorId, EventId)>,
    /// Acknowledged leads, and of which visitor.
    pub(crate) leads: Vec<(LeadId, VisitorId)>,
    /// What was not acknowledged, or was dropped.
    pub(crate) lost: usize,
    /// Attempts that were answered 429 or 503, or not at all.
    pub(crate) repeated: usize,
}

struct Shared {
    address: SocketAddr,
    operators: SocketAddr,
    kept: Mutex<TrafficResult>,
    visitors: AtomicUsize,
    stop: AtomicBool,
}

impl Traffic {
    pub(crate) fn start(address: SocketAddr, operators: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            address,
            operators,
            kept: Mutex::default(),
            visitors: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let writes = Arc::clone(&shared);
        thread::spawn(move || writes.write());
        let run = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let mut tasks = JoinSet::new();
                for number in 0..BROWSERS {
                    let shared = Arc::clone(&run);
                    tasks.spawn(async move { shared.browse(number).await });
                }
                tasks.spawn(async move { run.ask_ready().await });
                while tasks.join_next().await.is_some() {}
            });
        });
        Self { shared, thread }
    }

    /// Begins nothing new, and waits for what is begun.
    pub(crate) fn stop(self) -> TrafficResult {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
        std::mem::take(&mut self.shared.kept.lock().unwrap())
    }
}

impl Shared {
    /// One visitor after the other in one browser, until it is told to stop.
    async fn browse(&self, number: u64) {
        sleep(PACE * number as u32 / BROWSERS as u32).await;
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // They do not all begin at once, so there are leads from the start.
        let mut begun = number as usize % LIFE.len();
        while !self.stops() {
            // Who is new is not connected yet.
            let (visitor, mut connection) = (new_visitor(), Connection::to(self.address));
            let count = self.visitors.fetch_add(1, Ordering::SeqCst);
            let client = format!("10.{}.{}.{}", count >> 16 & 255, count >> 8 & 255, count & 255);
            let mut page = new_event(Clock::system().now_ms());
            let rest = LIFE.iter().skip(std::mem::take(&mut begun) + 1);
            for (turn, step) in (1..).zip(LIFE.iter().take(1).chain(rest).copied()) {
                pace.tick().await;
                if self.stops() {
                    return;
                }
                let now_ms = Clock::system().now_ms();
                if step == Step::View {
                    page = new_event(now_ms);
                }
                let request = request(step, turn, visitor, page, &client);
                let kind = if step == Step::Lead { Kind::Lead } else { Kind::Page };
                let Some(answer) = self.acknowledged(&mut connection, kind, &request).await else {
                    continue;
                };
                self.keep(step, visitor, page, &answer);
            }
        }
    }

    fn keep(&self, step: Step, visitor: VisitorId, page: EventId, answer: &Answer) {
        let answer: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let mut kept = self.kept.lock().unwrap();
        match step {
            Step::Lead => {
                let lead = answer["lead"]["id"].as_str().and_then(LeadId::parse);
                kept.leads.push((lead.unwrap(), visitor));
            }
            _ if answer["dropped"] != json!([]) => kept.lost += 1,
            Step::View => kept.views.push((visitor, page)),
            Step::Engagement => {}
        }
    }

    async fn ask_ready(&self) {
        let mut connection = Connection::to(self.operators);
        let mut pace = interval(ASKED_READY);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.stops() {
            pace.tick().await;
            drop(self.acknowledged(&mut connection, Kind::Ready, &get("/readyz")).await);
        }
    }

    /// Writes a block and waits until it is on the disk, beside the store's folder.
    fn write(&self) {
        let mut file = tempfile::tempfile().unwrap();
        while !self.stops() {
            let at = Instant::now();
            file.write_all(&[0; 4096]).and_then(|()| file.sync_data()).unwrap();
            let sample = Sample { at, kind: Kind::Machine, took: at.elapsed() };
            self.kept.lock().unwrap().samples.push(sample);
            thread::sleep(ASKED_READY);
        }
    }

    /// Sends until it is acknowledged; `None` where it is lost.
    async fn acknowledged(
        &self,
        connection: &mut Connection,
        kind: Kind,
        request: &str,
    ) -> Option<Answer> {
        let (at, mut stopped_at) = (Instant::now(), None);
        let acknowledged = loop {
            let answered = timeout(ATTEMPT, connection.ask(request)).await;
            let wait_s = match answered {
                Ok(Ok(answer)) if (200..300).contains(&answer.status) => break Some(answer),
                Ok(Ok(Answer { status: 429 | 503, retry_after_s, .. })) => retry_after_s,
                Ok(Ok(Answer { status, body, .. })) => {
                    eprintln!(
                        "real traffic was answered {status}: {}",
                        String::from_utf8_lossy(&body)
                    );
                    break None;
                }
                Ok(Err(_)) | Err(_) => None,
            };
            self.kept.lock().unwrap().repeated += 1;
            if self.stops() {
                let since: &mut Instant = stopped_at.get_or_insert_with(Instant::now);
                if since.elapsed() > GRACE || kind == Kind::Ready {
                    break None;
                }
            }
            sleep(Duration::from_secs(wait_s.unwrap_or(1).clamp(1, 5))).await;
        };
        let mut kept = self.kept.lock().unwrap();
        kept.samples.push(Sample { at, kind, took: at.elapsed() });
        kept.lost += usize::from(acknowledged.is_none() && kind != Kind::Ready);
        drop(kept);
        acknowledged
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

fn request(step: Step, turn: u32, visitor: VisitorId, page: EventId, client: &str) -> String {
    let now_ms = Clock::system().now_ms();
    let event = match step {
        Step::View => view(page, now_ms, HOME, "https://www.google.com/"),
        Step::Engagement => engagement(page, now_ms, turn * 3_000, 50),
        Step::Lead => {
            let email = format!("{visitor}@real.example");
            let body = json!({ "visitor": visitor, "contact": { "email": email } });
            return lead(&email, &body.to_string());
        }
    };
    batch_from(client, &batch(&visitor.to_text(), now_ms, &[event]))
}

impl TrafficResult {
    /// Reads everything that was acknowledged; how much of it is not there.
    pub(crate) async fn missing(&self, address: SocketAddr) -> usize {
        let mut connection = Connection::to(address);
        let (mut missing, mut read) = (0, (VisitorId::from_random([0; 16]), String::new()));
        let mut views = self.views.clone();
        views.sort_unstable_by_key(|(visitor, _)| visitor.to_text());
        for (visitor, page) in views {
            if read.0 != visitor {
                let path = format!("/v1/visitors/{visitor}/journey");
                read = (visitor, text(&mut connection, &path).await);
            }
            missing += usize::from(!read.1.contains(&page.to_text()));
        }
        for (lead, visitor) in &self.leads {
            let journey = text(&mut connection, &format!("/v1/leads/{lead}/journey")).await;
            let own = self.views.iter().filter(|(of, _)| of == visitor);
            let own = own.filter(|(_, page)| !journey.contains(&page.to_text()));
            missing += own.count() + usize::from(!journey.contains(&lead.to_text()));
        }
        missing
    }
}

async fn text(connection: &mut Connection, path: &str) -> String {
    match timeout(ATTEMPT, connection.ask(&get(path))).await {
        Ok(Ok(answer)) if answer.status == 200 => {
            String::from_utf8_lossy(&answer.body).into_owned()
        }
        _ => String::new(),
    }
}
