//! What a lead's fields are made of: the lead, its history, its deals and its hand-off.

use super::crm::Crm;
use crate::attribution::Rule;
use crate::deal::Deal;
use crate::journey::History;
use crate::lead::Lead;
use crate::lifecycle::LifeCycle;
use crate::link::CrmLink;

/// What the fields are made of.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The person.
    pub lead: &'a Lead,
    /// The history up to the last conversion.
    pub history: &'a History,
    /// Its stages.
    pub life_cycle: &'a LifeCycle,
    /// Its deals, in the order of [`Deal::all`].
    pub deals: &'a [Deal<'a>],
    /// Where the hand-off stands, where there is any.
    pub hand_off: Option<HandOff<'a>>,
    /// How the touch that the conversion is credited to is found.
    pub rule: Rule,
    /// The most characters of the summary, and bytes of the journey as JSON.
    pub long_text: usize,
}

/// Where the lead's hand-off stands.
#[derive(Clone, Copy, Debug)]
pub struct HandOff<'a> {
    /// To what.
    pub provider: Crm,
    /// Which record it is there, once that is known.
    pub link: Option<&'a CrmLink>,
    /// The state of those of the lead's deliveries that most need an eye.
    pub status: &'a str,
    /// When one was last accepted, Unix milliseconds.
    pub synced_at_ms: Option<i64>,
}
