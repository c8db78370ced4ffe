//! [`Standin`]: a vendor's stand-in on a socket, with the controls that tests use.

use crate::fault::{Fault, Limit};
use crate::journal::{Delivery, Logged};
use crate::starting::Starting;
use crate::state::{Shared, State};
use crate::webhook::Emit;
use crate::world::Settings;
use crate::{sender, server};
use actix_web::dev::ServerHandle;
use serde_json::Value;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::task::JoinHandle;

impl Starting {
    /// Serves on a free port of this machine. Call it inside a tokio or actix runtime.
    pub fn start(self) -> io::Result<Standin> {
        self.start_on(TcpListener::bind("127.0.0.1:0")?)
    }

    /// Serves on a listener that is already bound.
    pub fn start_on(self, listener: TcpListener) -> io::Result<Standin> {
        // Fails if it is already installed, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("http://{}", listener.local_addr()?);
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
        let client = client.map_err(io::Error::other)?;
        let shared = Arc::new(Shared::new(self, url, client));
        let server = server::serve(listener, &shared)?;
        let handle = server.handle();
        Ok(Standin { shared, handle, server: tokio::spawn(server) })
    }
}

/// A running stand-in. Dropping it leaves it running; [`Standin::stop`] ends it.
pub struct Standin {
    shared: Arc<Shared>,
    handle: ServerHandle,
    server: JoinHandle<io::Result<()>>,
}

impl Standin {
    /// Its URL without a trailing slash: the adapter's base URL.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// Changes its settings.
    pub fn set(&self, adjust: impl FnOnce(&mut Settings)) {
        adjust(&mut self.shared.lock().world.settings);
    }

    /// Moves the clock forward.
    pub fn advance_ms(&self, by_ms: i64) {
        let world = &mut self.shared.lock().world;
        world.set_now(world.now_ms() + by_ms);
    }

    /// Injects a fault.
    pub fn fail(&self, fault: Fault) {
        self.shared.lock().faults.push(fault);
    }

    /// Uses up a limit, or refuses the next requests.
    pub fn limit(&self, limit: &Limit) -> Result<(), String> {
        let State { world, crm, .. } = &mut *self.shared.lock();
        crm.limit(world, limit)
    }

    /// Ends all access tokens; with `all`, also keys and refresh tokens.
    pub fn expire_tokens(&self, all: bool) {
        self.shared.lock().crm.expire_tokens(all);
    }

    /// Changes a record as a person does, and sends the vendor's webhooks. Returns the attempts.
    pub async fn emit(&self, emit: &Emit) -> Result<Vec<Delivery>, String> {
        let messages = self.shared.messages(emit)?;
        sender::send(&self.shared, messages).await
    }

    /// Sends every webhook that was not accepted again. Returns the attempts.
    pub async fn retry(&self) -> Result<Vec<Delivery>, String> {
        sender::retry(&self.shared).await
    }

    /// Stores a record without the API's checks. Returns its id.
    pub fn put(&self, object: &str, fields: &Value) -> Result<String, String> {
        let State { world, crm, .. } = &mut *self.shared.lock();
        crm.put(world, object, fields)
    }

    /// Does what a person can do but the API has no path for, such as converting a lead.
    pub fn act(&self, action: &Value) -> Result<Value, String> {
        let State { world, crm, .. } = &mut *self.shared.lock();
        crm.act(world, action)
    }

    /// All requests to the vendor's paths, oldest first.
    pub fn log(&self) -> Vec<Logged> {
        self.shared.lock().log.clone()
    }

    /// All attempts to deliver webhooks, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.lock().deliveries.clone()
    }

    /// All stored records, by kind of object.
    pub fn records(&self) -> Value {
        let State { world, crm, .. } = &*self.shared.lock();
        crm.records(world)
    }

    /// Returns to the state at the start. Only the target of webhooks is kept.
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
