//! One trial: a new collector, real traffic, calm first and then with attackers beside it.

use crate::attack::{self, Attack, Crowd};
use crate::http::{Connection, get};
use crate::person::{self, EMAIL, Found};
use crate::target::{Program, Target};
use crate::traffic::{Kind, Traffic, TrafficResult};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};
use tests::receiver::Receiver;
use tests::storage::{Backend, Storage};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

const WARM_UP: Duration = Duration::from_secs(4);
/// The longest calm before the attack, to compare with.
const CALM: Duration = Duration::from_secs(20);
/// After the attack, so that its deliveries are built and sent.
const AFTER: Duration = Duration::from_secs(5);
const LOOKED: Duration = Duration::from_millis(200);

/// How trials are made.
pub(crate) struct Plan {
    pub(crate) program: Program,
    pub(crate) backend: Backend,
    pub(crate) crowd: Crowd,
    /// How long an attack lasts.
    pub(crate) length: Duration,
}

/// What was found.
pub(crate) struct Trial {
    pub(crate) calm: Waits,
    pub(crate) attacked: Waits,
    /// The most memory from the attack's begin on.
    pub(crate) peak_bytes: u64,
    /// The growth of the store during the attack.
    pub(crate) disk_bytes: u64,
    pub(crate) length: Duration,
    /// Lines of the log during the attack.
    pub(crate) lines: u64,
    /// How often attackers got which status.
    pub(crate) statuses: BTreeMap<u16, usize>,
    pub(crate) found: Found,
    /// Conversions beyond those of real traffic and of the person.
    pub(crate) conversions: i64,
    /// Webhooks about the person's address that strangers caused.
    pub(crate) webhooks: usize,
    /// Of real traffic: acknowledged and not there, or never acknowledged.
    pub(crate) lost: usize,
    /// Attempts of real traffic that had to be repeated.
    pub(crate) repeated: usize,
    /// Whether the collector ended by itself, or took too much memory.
    pub(crate) ended: bool,
}

/// How long real traffic waited.
#[derive(Default)]
pub(crate) struct Waits {
    pub(crate) pages: Percentiles,
    pub(crate) leads: Percentiles,
    pub(crate) ready: Percentiles,
    /// A bare durable write: what the machine's other work makes everybody wait.
    pub(crate) machine: Percentiles,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Percentiles {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

pub(crate) async fn run(attacks: &[Attack], plan: &Plan) -> Trial {
    let receiver = Receiver::start();
    let mut target = Target::start(&plan.program, Storage::new(plan.backend), &receiver.url);
    let address = target.address;
    let known = person::meet(address).await;
    let traffic = Traffic::start(address, target.operators);
    sleep(WARM_UP).await;
    let calm = Instant::now();
    sleep(CALM.min(plan.length)).await;
    drop(receiver.take());
    let (attacked, disk, lines) = (Instant::now(), target.disk_bytes(), target.lines());
    target.peak_bytes();
    let attackers = attack::run(attacks, address, plan.crowd, plan.length);
    let mut webhooks = 0;
    while attacked.elapsed() < plan.length || !attackers.is_finished() {
        sleep(LOOKED).await;
        webhooks += about_person(&receiver);
    }
    let over = attacked + plan.length;
    let (disk_bytes, lines) = (target.disk_bytes().saturating_sub(disk), target.lines() - lines);
    let statuses = attackers.join().unwrap();
    sleep(AFTER).await;
    webhooks += about_person(&receiver);
    let found = match target.has_ended() {
        true => Found::default(),
        false => person::find(address, &known).await,
    };
    // It takes as long as real traffic has something to repeat.
    let kept = spawn_blocking(move || traffic.stop()).await.unwrap();
    let ended = target.has_ended();
    let (conversions, missing) = match ended {
        true => (0, 0),
        false => (conversions(target.operators).await, kept.missing(address).await),
    };
    receiver.stop().await;
    Trial {
        calm: Waits::of(&kept, calm..attacked),
        attacked: Waits::of(&kept, attacked..over),
        peak_bytes: target.peak_bytes(),
        disk_bytes,
        length: plan.length,
        lines,
        statuses,
        found,
        // The person's own are two.
        conversions: conversions - kept.leads.len() as i64 - 2,
        webhooks,
        lost: kept.lost + missing,
        repeated: kept.repeated,
        ended,
    }
}

/// How many webhooks about the person came since this was asked last.
fn about_person(receiver: &Receiver) -> usize {
    let is_about = |body: &[u8]| body.windows(EMAIL.len()).any(|part| part == EMAIL.as_bytes());
    receiver
        .take()
        .iter()
        .filter(|got| got.headers.contains_key("webhook-id") && is_about(&got.body))
        .count()
}

/// Conversions so far, by the collector's own count.
async fn conversions(operators: SocketAddr) -> i64 {
    let mut connection = Connection::to(operators);
    let answer = timeout(Duration::from_secs(60), connection.ask(&get("/metrics"))).await;
    let Ok(Ok(answer)) = answer else { return -1 };
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let counts = text.lines().filter(|line| line.starts_with("clew_conversions_total"));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<i64>().ok()).sum()
}

impl Waits {
    fn of(kept: &TrafficResult, during: Range<Instant>) -> Self {
        let percentiles = |kind: Kind| {
            let samples = kept.samples.iter().filter(|sample| during.contains(&sample.at));
            let samples = samples.filter(|sample| sample.kind == kind);
            Percentiles::of(samples.map(|sample| sample.took).collect())
        };
        Self {
            pages: percentiles(Kind::Page),
            leads: percentiles(Kind::Lead),
            ready: percentiles(Kind::Ready),
            machine: percentiles(Kind::Machine),
        }
    }
}

impl Percentiles {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |hundredths: usize| times.get(times.len() * hundredths / 100).copied();
        Self { p50: at(50).unwrap_or_default(), p99: at(99).unwrap_or_default() }
    }
}
