//! Access to the store for commands.
//!
//! Only one process can open a sled store. If a collector has it open, the command asks that
//! collector over its socket while it keeps running; otherwise the command opens the store itself.

use crate::store::{ensure_whole, open_existing_store, operator_socket};
use anyhow::{Context, Result, bail};
use clew_core::{Clock, Random};
use clew_server::http::RelabelAnswer;
use clew_server::{App, server};
use clew_store::{Entity, Erased, Erasure, Relabelled, Relabelling, Store, StoreError};
use collector::config::Config;
use collector::operation::{ConnectionStatus, SetUp, TestResult};
use collector::transfer::Reader;
use reqwest::blocking::{Client, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

/// An open store, or the collector that has it open.
pub(crate) enum Access {
    /// The command has opened the store.
    Store(Arc<dyn Store>),
    /// A running collector has the store open.
    Collector(Collector),
}

/// A running collector, reached over its socket.
pub(crate) struct Collector {
    client: Client,
    socket: PathBuf,
}

impl Access {
    /// Opens the configured store, or connects to the collector that has it open.
    pub(crate) fn open(config: &Config) -> Result<Self> {
        match open_existing_store(config) {
            Ok(store) => {
                server::block_on(ensure_whole(&*store))?;
                Ok(Self::Store(store))
            }
            Err(error) if matches!(error.downcast_ref(), Some(StoreError::InUse(_))) => {
                let socket = operator_socket(config);
                let socket = socket.context("the store has no collector to ask")?;
                Collector::new(socket).map(Self::Collector)
            }
            Err(error) => Err(error),
        }
    }

    /// Passes every entity of a snapshot of the store to `each`, until it breaks.
    pub(crate) fn everything(
        &self,
        mut each: impl FnMut(Entity) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut next: Box<dyn FnMut() -> Result<Option<Entity>>> = match self {
            Self::Store(store) => {
                let mut entities = store.export();
                Box::new(move || Ok(entities.blocking_next().transpose()?))
            }
            Self::Collector(collector) => Box::new(collector.export()?),
        };
        while let Some(entity) = next()? {
            if each(entity)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Relabels visitors. Returns what changed and, if a collector did it, the hash of the rules
    /// that it uses.
    pub(crate) fn relabel(&self, some: Vec<Relabelling>) -> Result<(Relabelled, Option<u64>)> {
        match self {
            Self::Store(store) => Ok((server::block_on(store.relabel_all(some))?, None)),
            Self::Collector(collector) => {
                let request = collector.client.post("http://collector/relabel").json(&some);
                let answer: RelabelAnswer = collector.send(request)?.json()?;
                Ok((answer.relabelled, Some(answer.rules)))
            }
        }
    }

    /// Erases those of the visitors that still match; returns how much was erased.
    pub(crate) fn erase(&self, some: Vec<Erasure>) -> Result<Erased> {
        match self {
            Self::Store(store) => Ok(server::block_on(store.erase_all(some))?),
            Self::Collector(collector) => {
                let request = collector.client.post("http://collector/erase").json(&some);
                Ok(collector.send(request)?.json()?)
            }
        }
    }

    /// Creates a connection's missing fields in the CRM.
    pub(crate) fn set_up_crm(&self, config: Config, name: &str) -> Result<SetUp> {
        match self {
            Self::Store(store) => {
                let app = app(config, store)?;
                server::block_on(async move { app.operation.set_up(name).await })
            }
            Self::Collector(collector) => collector.post(&format!("crm/{name}/setup")),
        }
    }

    /// Sends a test lead to a connection's CRM.
    pub(crate) fn test_crm(&self, config: Config, name: &str) -> Result<TestResult> {
        match self {
            Self::Store(store) => {
                let app = app(config, store)?;
                server::block_on(async move { app.operation.test(name).await })
            }
            Self::Collector(collector) => collector.post(&format!("crm/{name}/test")),
        }
    }

    /// Returns the state of every connection.
    pub(crate) fn crm_status(&self, config: Config) -> Result<Vec<ConnectionStatus>> {
        match self {
            Self::Store(store) => {
                let app = app(config, store)?;
                Ok(server::block_on(async move { app.operation.status().await })?)
            }
            Self::Collector(collector) => collector.post("crm"),
        }
    }

    /// Closes the store, if this command opened it.
    pub(crate) fn close(self) -> Result<()> {
        match self {
            Self::Store(store) => Ok(server::block_on(store.close())?),
            Self::Collector(_) => Ok(()),
        }
    }
}

fn app(config: Config, store: &Arc<dyn Store>) -> Result<Arc<App>> {
    App::new(config, Arc::clone(store), Clock::system(), Random::system())
}

impl Collector {
    /// Sends an empty `POST` and reads the JSON response.
    fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self.send(self.client.post(format!("http://collector/{path}")))?;
        Ok(answer.json()?)
    }

    fn new(socket: PathBuf) -> Result<Self> {
        // An error means that a provider is already installed, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().unix_socket(socket.as_path()).timeout(None).build()?;
        Ok(Self { client, socket })
    }

    /// Sends a request over the socket; the host in its URL is only a placeholder.
    fn send(&self, request: RequestBuilder) -> Result<Response> {
        let answer = request.send().with_context(|| {
            format!(
                "the store is in use, and nothing answers on {}: a collector is stopping, or another command \
                 is writing; try again when it has finished",
                self.socket.display()
            )
        })?;
        let status = answer.status();
        if !status.is_success() {
            let problem: serde_json::Value = answer.json().unwrap_or_default();
            bail!(
                "the collector answered {status}: {}",
                problem["detail"].as_str().unwrap_or_default()
            );
        }
        Ok(answer)
    }

    fn export(&self) -> Result<impl FnMut() -> Result<Option<Entity>> + use<>> {
        let answer = self.send(self.client.get("http://collector/export"))?;
        let mut reader = Reader::new(BufReader::with_capacity(1 << 16, answer));
        let explain = |error: anyhow::Error| {
            let cut_off = error.chain().any(|cause| cause.is::<std::io::Error>());
            error.context(match cut_off {
                true => "the collector's response was cut off; see its log",
                false => "the collector's response cannot be read",
            })
        };
        Ok(move || reader.read_entity().map_err(explain))
    }
}
