//! The instance: an organization at its URL, with its sessions, usage and open queries.

use super::auth::Sessions;
use super::fixtures;
use super::limits::Usage;
use super::query::Cursors;
use super::record::Org;
use crate::world::World;
use serde_json::json;

/// An organization as Salesforce serves it.
pub(super) struct Instance {
    pub(super) url: String,
    pub(super) sessions: Sessions,
    pub(super) usage: Usage,
    pub(super) cursors: Cursors,
    pub(super) org: Org,
}

impl Instance {
    /// An organization that is empty except for its permission set.
    pub(super) fn new(url: &str, world: &mut World) -> Self {
        let sessions = Sessions::new(&world.settings);
        let mut org = Org::new(fixtures::schema());
        let now_ms = world.now_ms();
        let set = json!({ "Name": "Clew_Integration", "Label": "Clew integration" });
        org.add(world.next_number(), "PermissionSet", &set, now_ms);
        let (usage, cursors) = (Usage::default(), Cursors::default());
        Self { url: url.to_owned(), sessions, usage, cursors, org }
    }
}
