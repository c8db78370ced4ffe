//! The input of a lead's fields: the subject, and values that several fields derive from it.

use super::click::{Click, FAMILIES};
use super::recent_click_ids::{self, ClickIds};
use super::subject::{HandOff, Subject};
use crate::attribution::{Journey, Milestones, Model, Rule, Step, winner};
use crate::context::VisitorContext;
use crate::deal::{Deal, DealTotals};
use crate::device::Device;
use crate::ids::VisitorId;
use crate::journey::History;
use crate::lead::{Conversion, Lead};
use crate::lifecycle::LifeCycle;
use crate::visit::Touch;
use serde_json::Value;

/// A subject, with values that several fields derive from it.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) lead: &'a Lead,
    pub(super) history: &'a History,
    pub(super) life_cycle: &'a LifeCycle,
    pub(super) deals: &'a [Deal<'a>],
    pub(super) deal_totals: Option<DealTotals>,
    pub(super) browser: Option<&'a VisitorContext>,
    pub(super) device: Option<Device>,
    pub(super) hand_off: Option<HandOff<'a>>,
    pub(super) long_text: usize,
    pub(super) conversion: Option<&'a Conversion>,
    pub(super) visitor: Option<VisitorId>,
    /// The touches of [`FAMILIES`].
    pub(super) clicks: [Option<Click<'a>>; FAMILIES.len()],
    pub(super) click_ids: ClickIds<'a>,
    pub(super) model: Model,
    /// The touch that the conversion is credited to.
    pub(super) winner: Option<&'a Touch>,
}

/// Reads a field's value from a lead.
pub(super) type OfLead = fn(&Facts<'_>) -> Value;

impl<'a> Facts<'a> {
    /// Derives these values once for all fields.
    pub(super) fn of(subject: Subject<'a>) -> Self {
        let Subject { lead, history, life_cycle, deals, hand_off, rule, long_text } = subject;
        let browser = history.context();
        let conversion = history.conversions.last();
        let touches = history.clicks();
        let (first, last) = (touches.first().copied(), touches.last().copied());
        let last_non_direct = touches.iter().copied().rfind(|touch| !touch.is_direct()).or(last);
        let user_agent = browser.filter(|browser| !browser.user_agent.is_empty());
        let clicks = [first, last, last_non_direct];
        Self {
            lead,
            history,
            life_cycle,
            deals,
            deal_totals: DealTotals::of(deals),
            browser,
            device: user_agent.map(|browser| Device::of(&browser.user_agent)),
            hand_off,
            long_text,
            conversion,
            visitor: history
                .converted_in
                .or_else(|| lead.valid_joins().next_back().map(|join| join.visitor)),
            clicks: clicks.map(|touch| touch.map(Click::of)),
            click_ids: recent_click_ids::find(
                history,
                conversion.map_or(i64::MAX, |last| last.at_ms),
            ),
            model: rule.model,
            winner: credited(rule, lead, history, &touches),
        }
    }
}

/// The touch with the greatest credit for the last conversion.
fn credited<'a>(
    rule: Rule,
    lead: &Lead,
    history: &History,
    touches: &[&'a Touch],
) -> Option<&'a Touch> {
    let converted_at_ms = history.conversions.last()?.at_ms;
    let step = |touch: &&Touch| Step {
        // The history ends with the conversion, even if the browser's clock ran ahead.
        at_ms: touch.at_ms.min(converted_at_ms) as f64,
        is_direct: touch.is_direct(),
        channel: touch.label.channel.index(),
    };
    let steps: Vec<Step> = touches.iter().map(step).collect();
    let lead_at_ms = Some(lead.created_at_ms as f64);
    let journey = Journey {
        steps: &steps,
        converted_at_ms: converted_at_ms as f64,
        milestones: Milestones { lead_at_ms, ..Milestones::default() },
    };
    let credits = rule.credits(&journey, &[]);
    touches.get(winner(&credits)?).copied()
}
