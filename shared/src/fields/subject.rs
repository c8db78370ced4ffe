//! The input of a lead's fields: the lead, its history, its deals and its hand-off.

use super::crm::Crm;
use crate::attribution::Rule;
use crate::deal::Deal;
use crate::journey::History;
use crate::lead::Lead;
use crate::lifecycle::LifeCycle;
use crate::link::CrmLink;

/// The input of a lead's fields.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The person.
    pub lead: &'a Lead,
    /// Its history up to the last conversion.
    pub history: &'a History,
    /// Its stages.
    pub life_cycle: &'a LifeCycle,
    /// Its deals, in the order of [`Deal::all`].
    pub deals: &'a [Deal<'a>],
    /// The state of the hand-off, if there is one.
    pub hand_off: Option<HandOff<'a>>,
    /// The rule that finds the touch credited with the conversion.
    pub rule: Rule,
    /// The longest summary in characters, and the longest journey as JSON in bytes.
    pub long_text: usize,
}

/// The state of a lead's hand-off to a CRM.
#[derive(Clone, Copy, Debug)]
pub struct HandOff<'a> {
    /// The CRM.
    pub provider: Crm,
    /// The lead's record there, once known.
    pub link: Option<&'a CrmLink>,
    /// The state of the lead's delivery that most needs attention.
    pub status: &'a str,
    /// When a delivery was last accepted, Unix milliseconds.
    pub synced_at_ms: Option<i64>,
}
