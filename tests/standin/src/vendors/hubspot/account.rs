//! The account: its records, its tokens, and the requests that count towards its limits.

use super::auth::Tokens;
use super::fixtures;
use super::limits::Limits;
use super::record::Objects;
use super::schema::Schema;
use crate::world::World;

/// A HubSpot account.
pub(super) struct Account {
    pub(super) tokens: Tokens,
    pub(super) limits: Limits,
    pub(super) schema: Schema,
    pub(super) objects: Objects,
    pub(super) events_sent: u64,
}

impl Account {
    /// An empty account, with the properties and the pipeline that HubSpot gives every account.
    pub(super) fn new(world: &World) -> Self {
        let tokens = Tokens::new(&world.settings);
        let (limits, schema) = (Limits::default(), fixtures::schema());
        Self { tokens, limits, schema, objects: Objects::default(), events_sent: 0 }
    }
}
