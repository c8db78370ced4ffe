//! The state of a running stand-in, shared by its server and the test.

use crate::crm::{MemoryCrm, Profile};
use crate::fault::Fault;
use crate::journal::{Delivery, Logged};
use crate::starting::Starting;
use crate::webhook::{self, Emit, Message};
use crate::world::World;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A stand-in's mutable state.
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) crm: Box<dyn MemoryCrm>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) log: Vec<Logged>,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) waiting: Vec<Message>,
}

impl State {
    fn new(starting: &Starting, url: &str) -> Self {
        let Starting { profile, settings, fixed_ms, seed } = starting;
        let mut world = World::new(settings.clone(), *fixed_ms, *seed);
        let crm = (profile.make)(url, &mut world);
        let (log, deliveries) = (Vec::new(), Vec::new());
        Self { world, crm, faults: Vec::new(), log, deliveries, waiting: Vec::new() }
    }
}

/// The state behind its lock, and the parts that never change.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) client: reqwest::Client,
    starting: Starting,
    pub(crate) url: String,
}

impl Shared {
    pub(crate) fn new(starting: Starting, url: String, client: reqwest::Client) -> Self {
        Self { state: Mutex::new(State::new(&starting, &url)), client, starting, url }
    }

    pub(crate) const fn profile(&self) -> &'static Profile {
        self.starting.profile
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns to the state at the start. Only the target of webhooks is kept.
    pub(crate) fn reset(&self) {
        let mut state = self.lock();
        let target_url = state.world.settings.target_url.take();
        *state = State::new(&self.starting, &self.url);
        state.world.settings.target_url = target_url;
    }

    /// Makes a change, and returns the webhooks that report it.
    pub(crate) fn messages(&self, emit: &Emit) -> Result<Vec<Message>, String> {
        let State { world, crm, .. } = &mut *self.lock();
        let messages = crm.emit(world, emit)?;
        Ok(if emit.lost { Vec::new() } else { webhook::arrange(messages, emit) })
    }
}
