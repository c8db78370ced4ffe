//! The attacks: each as it was found to work on version 0.1.0, without a key, for as long as it is given.

mod batches;
mod sockets;

use crate::http::Connection;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime;
use tokio::task::LocalSet;
use tokio::time::{sleep, sleep_until, timeout_at};

/// So much less than others get of the processor: attackers have machines of their own.
const NICE: i32 = 10;
/// An attacker without an answer for so long tries anew.
const PATIENCE: Duration = Duration::from_secs(10);

/// An attack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Attack {
    /// 60 browsers of 6,000 page views, each ending in an identify with one e-mail.
    OneEmail,
    /// 500 browsers of 1,000.
    ManyBrowsers,
    /// A visitor filled to 10,000 page views, whose first page's engagement is raised again and again.
    Raised,
    /// An identify with a known e-mail and a page view dated 29 days back.
    BackDated,
    /// 500 browsers that want to be joined to a known person.
    Joins,
    /// 18,700 identifies of one e-mail.
    Conversions,
    /// 1,500 bodies that arrive byte by byte.
    Drip,
    /// 2,000 connections to a CRM's hook, each with nearly the largest body.
    Hooks,
    /// 32 connections that send page views as fast as they are taken.
    PageViews,
    /// Bytes that are not HTTP, and hooks without a signature.
    Noise,
}

/// How many attackers there are, and how fast.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    /// Addresses that they come from.
    pub(crate) addresses: usize,
    /// The most requests a second of each attack: they share the machine's cores.
    pub(crate) rate: u32,
}

/// What attackers know, and what they were answered.
pub(crate) struct Field {
    address: SocketAddr,
    until: Instant,
    crowd: Crowd,
    statuses: Mutex<BTreeMap<u16, usize>>,
}

impl Attack {
    /// In the order of the table of the attacks.
    pub(crate) const ALL: [Self; 10] = [
        Self::OneEmail,
        Self::ManyBrowsers,
        Self::Raised,
        Self::BackDated,
        Self::Joins,
        Self::Conversions,
        Self::Drip,
        Self::Hooks,
        Self::PageViews,
        Self::Noise,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneEmail => "one-email",
            Self::ManyBrowsers => "many-browsers",
            Self::Raised => "raised",
            Self::BackDated => "back-dated",
            Self::Joins => "joins",
            Self::Conversions => "conversions",
            Self::Drip => "drip",
            Self::Hooks => "hooks",
            Self::PageViews => "page-views",
            Self::Noise => "noise",
        }
    }

    async fn run(self, field: Rc<Field>) {
        match self {
            Self::OneEmail => batches::one_email(field, 60, 24).await,
            Self::ManyBrowsers => batches::one_email(field, 500, 4).await,
            Self::Raised => batches::raised(field).await,
            Self::BackDated => batches::back_dated(field).await,
            Self::Joins => batches::joins(field).await,
            Self::Conversions => batches::conversions(field).await,
            Self::Drip => sockets::drip(field).await,
            Self::Hooks => sockets::hooks(field).await,
            Self::PageViews => batches::page_views(field).await,
            Self::Noise => sockets::noise(field).await,
        }
    }
}

/// Runs attacks side by side for so long, on a thread of their own; how often attackers got which status.
/// 0 is a connection that was refused, cut off or not answered.
pub(crate) fn run(
    attacks: &[Attack],
    address: SocketAddr,
    crowd: Crowd,
    length: Duration,
) -> thread::JoinHandle<BTreeMap<u16, usize>> {
    let attacks = attacks.to_vec();
    thread::spawn(move || {
        // On Linux it concerns this thread alone.
        let _ = rustix::process::nice(NICE);
        let until = Instant::now() + length;
        let field = Rc::new(Field { address, until, crowd, statuses: Mutex::default() });
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let tasks = LocalSet::new();
        for attack in attacks {
            tasks.spawn_local(attack.run(Rc::clone(&field)));
        }
        runtime.block_on(tasks);
        std::mem::take(&mut *field.statuses.lock().unwrap())
    })
}

impl Field {
    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// The address of the attacker with this number.
    fn client(&self, number: usize) -> String {
        let number = number % self.crowd.addresses;
        format!("198.{}.{}.{}", 18 + (number >> 16 & 1), number >> 8 & 255, number & 255)
    }

    fn answered(&self, status: u16) {
        *self.statuses.lock().unwrap().entry(status).or_default() += 1;
    }

    /// Sends so many requests over so many connections, each when the one before is answered.
    async fn flood(
        self: Rc<Self>,
        connections: usize,
        requests: usize,
        request: impl Fn(usize) -> String + 'static,
    ) {
        let (request, next) = (Rc::new(request), Rc::new(Cell::new(0)));
        let pace = Rc::new(Cell::new(Instant::now()));
        let tasks = LocalSet::new();
        for _ in 0..connections {
            let (field, request, next) = (Rc::clone(&self), Rc::clone(&request), Rc::clone(&next));
            let pace = Rc::clone(&pace);
            tasks.spawn_local(async move {
                let mut connection = Connection::to(field.address);
                while !field.is_over() && next.get() < requests {
                    let number = next.replace(next.get() + 1);
                    let turn = pace.get().max(Instant::now());
                    pace.set(turn + Duration::from_secs(1) / field.crowd.rate);
                    sleep_until(turn.min(field.until).into()).await;
                    if field.is_over() {
                        break;
                    }
                    let end = (Instant::now() + PATIENCE).min(field.until);
                    let text = request(number);
                    match timeout_at(end.into(), connection.ask(&text)).await {
                        Ok(Ok(answer)) => field.answered(answer.status),
                        Ok(Err(_)) => {
                            field.answered(0);
                            sleep(Duration::from_millis(10)).await;
                        }
                        Err(_) => field.answered(0),
                    }
                }
            });
        }
        tasks.await;
    }
}
