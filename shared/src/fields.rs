//! The canonical fields of a lead: one list of names for the API, the webhooks and every CRM.
//!
//! [`catalogue`] declares them, [`build`] reads them off a lead with its history, and [`naming`]
//! says what a CRM calls each and in what form it takes the value. What is not known is `null`. The
//! names are public, and [`FIELDS_VERSION`] rises when one changes or goes.

mod address;
pub mod catalogue;
mod click;
mod click_ids;
mod context;
mod counts;
pub mod naming;
mod person;
mod standing;
mod summary;

use crate::attribution::{self, Milestones, Model, Rule, Step};
use crate::channel::Channel;
use crate::context::VisitorContext;
use crate::cut;
use crate::deal::{Deal, Standing};
use crate::device::Device;
use crate::ids::VisitorId;
use crate::journey::History;
use crate::lead::{Conversion, Lead};
use crate::lifecycle::LifeCycle;
use crate::link::CrmLink;
use crate::visit::Touch;
use catalogue::{Field, FieldKind, ValueOf};
use click::{Click, FAMILIES};
use click_ids::ClickIds;
use naming::Crm;
use serde_json::{Map, Value};

/// The version of the names.
pub const FIELDS_VERSION: u32 = 1;

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

/// A subject with what several fields are read off.
#[derive(Debug)]
struct Facts<'a> {
    lead: &'a Lead,
    history: &'a History,
    life_cycle: &'a LifeCycle,
    deals: &'a [Deal<'a>],
    standing: Option<Standing>,
    browser: Option<&'a VisitorContext>,
    device: Option<Device>,
    hand_off: Option<HandOff<'a>>,
    long_text: usize,
    conversion: Option<&'a Conversion>,
    visitor: Option<VisitorId>,
    /// The touches of [`FAMILIES`].
    clicks: [Option<Click<'a>>; FAMILIES.len()],
    click_ids: ClickIds<'a>,
    model: Model,
    /// The touch that the conversion is credited to.
    winner: Option<&'a Touch>,
}

impl<'a> Facts<'a> {
    fn of(subject: Subject<'a>) -> Self {
        let Subject { lead, history, life_cycle, deals, hand_off, rule, long_text } = subject;
        let browser = history.context();
        let conversion = history.conversions.last();
        let touches = &history.touches;
        let last_non_direct = touches.iter().rfind(|touch| !is_direct(touch)).or(touches.last());
        let user_agent = browser.filter(|browser| !browser.user_agent.is_empty());
        let clicks = [touches.first(), touches.last(), last_non_direct];
        Self {
            lead,
            history,
            life_cycle,
            deals,
            standing: Standing::of(deals),
            browser,
            device: user_agent.map(|browser| Device::of(&browser.user_agent)),
            hand_off,
            long_text,
            conversion,
            visitor: history
                .converted_in
                .or_else(|| lead.valid_joins().next_back().map(|join| join.visitor)),
            clicks: clicks.map(|touch| touch.map(Click::of)),
            click_ids: click_ids::find(history, conversion.map_or(i64::MAX, |last| last.at_ms)),
            model: rule.model,
            winner: credited(rule, lead, history),
        }
    }

    /// A field's value within the field's limit.
    fn value(&self, field: &Field) -> Value {
        let value = match field.value {
            ValueOf::Lead(read) => read(self),
            ValueOf::Click(family, read) => self.clicks[family].as_ref().map_or(Value::Null, read),
        };
        match (field.kind, value) {
            (FieldKind::Text(limit), Value::String(text)) => cut::text(text, limit).into(),
            (FieldKind::Url(limit), Value::String(url)) => cut::url(url, limit).into(),
            (_, value) => value,
        }
    }
}

fn is_direct(touch: &Touch) -> bool {
    touch.label.channel == Channel::Direct
}

/// The touch with the greatest credit for the last conversion.
fn credited<'a>(rule: Rule, lead: &Lead, history: &'a History) -> Option<&'a Touch> {
    let converted_at_ms = history.conversions.last()?.at_ms;
    let step = |touch: &Touch| Step {
        // The history ends with the conversion, whatever the browser's clock said.
        at_ms: touch.at_ms.min(converted_at_ms) as f64,
        is_direct: is_direct(touch),
        channel: touch.label.channel as usize,
    };
    let steps: Vec<Step> = history.touches.iter().map(step).collect();
    let lead_at_ms = Some(lead.created_at_ms as f64);
    let journey = attribution::Journey {
        steps: &steps,
        converted_at_ms: converted_at_ms as f64,
        milestones: Milestones { lead_at_ms, ..Milestones::default() },
    };
    let credits = rule.credits(&journey, &[]);
    history.touches.get(attribution::winner(&credits)?)
}

/// The fields that are wanted, in the order of the catalogue; those that are not known are `null`.
pub fn build(
    subject: Subject<'_>,
    wanted: impl Fn(&Field) -> bool,
) -> Vec<(&'static Field, Value)> {
    let facts = Facts::of(subject);
    let fields = catalogue::catalogue().iter().filter(|field| wanted(field));
    fields.map(|field| (field, facts.value(field))).collect()
}

/// Every field by its name.
pub fn by_name(subject: Subject<'_>) -> Map<String, Value> {
    let fields = build(subject, |_| true).into_iter();
    fields.map(|(field, value)| (field.name.clone(), value)).collect()
}

#[cfg(test)]
mod tests;
