//! [`Standin`]: a vendor on a socket, and in the test's hand.

use crate::fault::{Fault, Limit};
use crate::hubspot::HubSpot;
use crate::journal::{Delivery, Logged};
use crate::salesforce::Salesforce;
use crate::sender::{self, Emit, Message};
use crate::server;
use crate::vendor::Vendor;
use crate::world::{START_MS, Settings, World};
use actix_web::dev::ServerHandle;
use serde_json::Value;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinHandle;

/// Makes an empty vendor.
type Make = fn(&str, &mut World) -> Box<dyn Vendor>;

/// What a stand-in knows.
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) vendor: Box<dyn Vendor>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) log: Vec<Logged>,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) waiting: Vec<Message>,
}

/// What its server's workers share.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) client: reqwest::Client,
    starting: Starting,
    url: String,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything as it was at the start, but for where webhooks go.
    pub(crate) fn reset(&self) {
        let mut state = self.lock();
        let target_url = state.world.settings.target_url.take();
        *state = self.starting.state(&self.url);
        state.world.settings.target_url = target_url;
    }
}

/// A stand-in that is about to start.
#[derive(Clone)]
pub struct Starting {
    make: Make,
    settings: Settings,
    fixed_ms: Option<i64>,
    seed: u64,
}

impl Starting {
    /// Other settings.
    #[must_use]
    pub fn settings(mut self, adjust: impl FnOnce(&mut Settings)) -> Self {
        adjust(&mut self.settings);
        self
    }

    /// Other ids.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// A clock that stands at a time in milliseconds since 1970, or follows the machine's.
    #[must_use]
    pub const fn clock(mut self, fixed_ms: Option<i64>) -> Self {
        self.fixed_ms = fixed_ms;
        self
    }

    /// Serves on a free port of this machine; must be called inside a tokio or actix runtime.
    pub fn start(self) -> io::Result<Standin> {
        self.start_on(TcpListener::bind("127.0.0.1:0")?)
    }

    /// The same on a listener that is bound.
    pub fn start_on(self, listener: TcpListener) -> io::Result<Standin> {
        // Fails where it is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("http://{}", listener.local_addr()?);
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        let client = client.map_err(io::Error::other)?;
        let state = Mutex::new(self.state(&url));
        let shared = Arc::new(Shared { state, client, starting: self, url });
        let server = server::serve(listener, &shared)?;
        let handle = server.handle();
        Ok(Standin { shared, handle, server: tokio::spawn(server) })
    }

    fn state(&self, url: &str) -> State {
        let mut world = World::new(self.settings.clone(), self.fixed_ms, self.seed);
        let vendor = (self.make)(url, &mut world);
        let (log, deliveries) = (Vec::new(), Vec::new());
        State { world, vendor, faults: Vec::new(), log, deliveries, waiting: Vec::new() }
    }
}

/// A running stand-in. Dropping it leaves it running; [`Standin::stop`] ends it.
pub struct Standin {
    shared: Arc<Shared>,
    handle: ServerHandle,
    server: JoinHandle<io::Result<()>>,
}

impl Standin {
    /// HubSpot, empty, at Saturday, 21 November 2026, 10:00 UTC.
    pub fn hubspot() -> Starting {
        let make: Make = |_, world| Box::new(HubSpot::new(world));
        Starting { make, settings: Settings::default(), fixed_ms: Some(START_MS), seed: 0 }
    }

    /// Salesforce, as [`Standin::hubspot`].
    pub fn salesforce() -> Starting {
        let make: Make = |url, world| Box::new(Salesforce::new(url, world));
        let settings = Settings { daily: 15_000, ..Settings::default() };
        Starting { make, settings, fixed_ms: Some(START_MS), seed: 0 }
    }

    /// Its address, without a slash behind: the base URL of the adapter.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// Changes settings from now on.
    pub fn set(&self, adjust: impl FnOnce(&mut Settings)) {
        adjust(&mut self.shared.lock().world.settings);
    }

    /// Moves the clock on.
    pub fn advance_ms(&self, by_ms: i64) {
        let world = &mut self.shared.lock().world;
        world.set_now(world.now_ms() + by_ms);
    }

    /// Answers wrongly as the fault says.
    pub fn fail(&self, fault: Fault) {
        self.shared.lock().faults.push(fault);
    }

    /// Makes limits bite.
    pub fn limit(&self, limit: &Limit) -> Result<(), String> {
        let State { world, vendor, .. } = &mut *self.shared.lock();
        vendor.limit(world, limit)
    }

    /// Ends all access tokens; with `all` also keys and refresh tokens.
    pub fn expire_tokens(&self, all: bool) {
        self.shared.lock().vendor.expire_tokens(all);
    }

    /// Changes a record as a person does, and sends the vendor's webhook; the attempts made.
    pub async fn emit(&self, emit: &Emit) -> Result<Vec<Delivery>, String> {
        let messages = self.shared.messages(emit)?;
        sender::send(&self.shared, messages).await
    }

    /// Sends what got no yes once more.
    pub async fn retry(&self) -> Result<Vec<Delivery>, String> {
        sender::retry(&self.shared).await
    }

    /// Stores a record past all rules; its id.
    pub fn put(&self, object: &str, fields: &Value) -> Result<String, String> {
        let State { world, vendor, .. } = &mut *self.shared.lock();
        vendor.put(world, object, fields)
    }

    /// What a person does that the API has no path for, such as converting a lead.
    pub fn act(&self, action: &Value) -> Result<Value, String> {
        let State { world, vendor, .. } = &mut *self.shared.lock();
        vendor.act(world, action)
    }

    /// All requests to the vendor's paths, oldest first.
    pub fn log(&self) -> Vec<Logged> {
        self.shared.lock().log.clone()
    }

    /// All attempts to deliver webhooks, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.lock().deliveries.clone()
    }

    /// Everything that is stored, by kind of object.
    pub fn records(&self) -> Value {
        let State { world, vendor, .. } = &*self.shared.lock();
        vendor.records(world)
    }

    /// Everything as it was at the start, but for where webhooks go.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Stops serving.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        if let Err(error) = self.server.await {
            tracing::error!(%error, "a stand-in did not end in order");
        }
    }
}

impl Shared {
    /// The webhooks that tell of a change that is made now.
    pub(crate) fn messages(&self, emit: &Emit) -> Result<Vec<Message>, String> {
        let State { world, vendor, .. } = &mut *self.lock();
        let messages = vendor.emit(world, emit)?;
        Ok(if emit.lost { Vec::new() } else { sender::arrange(messages, emit) })
    }
}
