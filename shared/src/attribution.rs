//! Attribution: which touches of a journey earned its conversion, and by how much.
//!
//! A [`Rule`] is a model with its settings; [`Rule::credits`] applies it to one journey and gives
//! one credit a touch. Every model but [`Model::Markov`] needs the journey alone; Markov also takes
//! the removal effects of the channels, which [`markov::Chain`] learns from many paths. Inputs are
//! plain (a time, a channel's index), so that any names of channels will do.
//!
//! Credits are shares, not money: [`crate::money::split`] turns them into exact amounts.

mod milestone;
mod single;

pub mod markov;

pub use single::{Weights, WeightsError};

use crate::limits::DAY_MS;
use std::fmt;
use std::str::FromStr;

/// How a conversion's credit is shared out among the touches that led to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Model {
    /// All to the first touch.
    First,
    /// All to the last touch.
    Last,
    /// All to the last touch that is not direct; where all are direct, to the last.
    LastNonDirect,
    /// The same to each touch.
    Linear,
    /// Fixed shares for the first and the last touch, the rest shared by those between.
    Position,
    /// Half as much for each half-life that a touch lies back.
    TimeDecay,
    /// 40 % first touch, 40 % lead creation, 20 % others.
    U,
    /// 30 % first touch, 30 % lead creation, 30 % opportunity, 10 % others.
    W,
    /// 22.5 % first touch, lead creation, opportunity and closed deal each, 10 % others.
    FullPath,
    /// Position 20/20/60.
    J,
    /// Position 60/20/20.
    InverseJ,
    /// By the removal effects of the touches' channels in a Markov chain of order 1.
    Markov,
    /// By the Shapley values of the channels: the same to each channel of the journey, and within
    /// a channel the same to each of its touches.
    Shapley,
}

impl Model {
    /// Every model, with the name that it goes by in settings, API and command line.
    pub const NAMED: [(&'static str, Self); 13] = [
        ("first", Self::First),
        ("last", Self::Last),
        ("last-non-direct", Self::LastNonDirect),
        ("linear", Self::Linear),
        ("position", Self::Position),
        ("time-decay", Self::TimeDecay),
        ("u", Self::U),
        ("w", Self::W),
        ("full-path", Self::FullPath),
        ("j", Self::J),
        ("inverse-j", Self::InverseJ),
        ("markov", Self::Markov),
        ("shapley", Self::Shapley),
    ];

    /// Its public name.
    pub fn name(self) -> &'static str {
        Self::NAMED.iter().find(|(_, model)| *model == self).map_or("", |(name, _)| name)
    }
}

impl fmt::Display for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A name that is no model's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no attribution model; there are {names}", names = names())]
pub struct ModelError(String);

fn names() -> String {
    Model::NAMED.map(|(name, _)| name).join(", ")
}

impl FromStr for Model {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let found = Self::NAMED.iter().find(|(name, _)| *name == text);
        found.map(|(_, model)| *model).ok_or_else(|| ModelError(text.to_owned()))
    }
}

/// What becomes of direct touches, under every model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Direct {
    /// They count like any other touch.
    #[default]
    Keep,
    /// They get nothing, unless all touches that count are direct.
    Drop,
}

/// A number of days above 0, whole or not.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Days(f64);

impl Days {
    /// `None` where it is not a finite number above 0.
    pub fn new(days: f64) -> Option<Self> {
        (days.is_finite() && days > 0.0).then_some(Self(days))
    }

    /// The same in milliseconds.
    pub fn ms(self) -> f64 {
        self.0 * DAY_MS as f64
    }
}

/// A text that is no number of days above 0.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no number of days above 0")]
pub struct DaysError(String);

impl FromStr for Days {
    type Err = DaysError;

    fn from_str(text: &str) -> Result<Self, DaysError> {
        let days = text.parse().ok().and_then(Self::new);
        days.ok_or_else(|| DaysError(text.to_owned()))
    }
}

/// A model with its settings.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rule {
    /// The model.
    pub model: Model,
    /// The shares of [`Model::Position`].
    pub weights: Weights,
    /// The half-life of [`Model::TimeDecay`].
    pub half_life: Days,
    /// How far back touches count; `None` for all.
    pub look_back: Option<Days>,
    /// What becomes of direct touches.
    pub direct: Direct,
}

impl Rule {
    /// A model with the settings that hold where nothing else is said: position 40/20/40, a
    /// half-life of 7 days, a look-back window of 90 days, direct touches kept.
    pub fn new(model: Model) -> Self {
        Self {
            model,
            weights: Weights::default(),
            half_life: Days(7.0),
            look_back: Some(Days(90.0)),
            direct: Direct::Keep,
        }
    }

    /// One credit a touch, in the journey's order; they add up to 1. All are 0 where no touch
    /// counts (see [`Rule::counted`]): then nobody earned it.
    ///
    /// `effects` are the removal effects by channel index, for [`Model::Markov`]; the others do not
    /// look at them. A channel beyond the slice has none, and where no touch's channel has one, the
    /// touches share equally.
    pub fn credits(&self, journey: &Journey<'_>, effects: &[f64]) -> Vec<f64> {
        let counted = self.counted(journey);
        let steps: Vec<Step> = counted.iter().map(|index| journey.steps[*index]).collect();
        let mut credits = vec![0.0; journey.steps.len()];
        for (index, share) in counted.into_iter().zip(self.shares(&steps, journey, effects)) {
            credits[index] = share;
        }
        credits
    }

    /// The indices of the touches that count: none after the journey's end, none older than the
    /// look-back window before it, and direct ones as [`Rule::direct`] says.
    ///
    /// The end is the conversion; for the models with milestones, the last of their milestones
    /// that has happened.
    pub fn counted(&self, journey: &Journey<'_>) -> Vec<usize> {
        let end_ms = self.end_ms(journey);
        let begin_ms = self.look_back.map_or(f64::NEG_INFINITY, |days| end_ms - days.ms());
        let within = |step: &Step| step.at_ms <= end_ms && step.at_ms >= begin_ms;
        let all = journey.steps.iter().enumerate().filter(|(_, step)| within(step));
        let mut counted: Vec<usize> = all.map(|(index, _)| index).collect();
        let is_direct = |index: &usize| journey.steps[*index].is_direct;
        if self.direct == Direct::Drop && !counted.iter().all(is_direct) {
            counted.retain(|index| !is_direct(index));
        }
        counted
    }

    fn end_ms(&self, journey: &Journey<'_>) -> f64 {
        let shares = milestone::Shares::of(self.model);
        let happened = shares.and_then(|shares| shares.last_ms(&journey.milestones));
        happened.unwrap_or(journey.converted_at_ms)
    }

    /// The credits of the touches that count.
    fn shares(&self, steps: &[Step], journey: &Journey<'_>, effects: &[f64]) -> Vec<f64> {
        if let Some(shares) = milestone::Shares::of(self.model) {
            return shares.among(steps, &journey.milestones);
        }
        match self.model {
            Model::First => single::whole(steps.len(), 0),
            Model::Last => single::whole(steps.len(), steps.len().saturating_sub(1)),
            Model::LastNonDirect => {
                let last = steps.iter().rposition(|step| !step.is_direct);
                single::whole(steps.len(), last.unwrap_or(steps.len().saturating_sub(1)))
            }
            Model::Position => self.weights.among(steps.len()),
            Model::J => Weights::J.among(steps.len()),
            Model::InverseJ => Weights::INVERSE_J.among(steps.len()),
            Model::TimeDecay => single::decay(steps, self.half_life),
            Model::Markov => single::by_effects(steps, effects),
            Model::Shapley => single::by_channels(steps),
            Model::Linear | Model::U | Model::W | Model::FullPath => single::equal(steps.len()),
        }
    }
}

/// A touch as the models see it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Step {
    /// When it began, in milliseconds of the clock that the journey's other times are of; finite.
    pub at_ms: f64,
    /// Whether it came without marketing evidence.
    pub is_direct: bool,
    /// Its channel, as an index that the caller gives.
    pub channel: usize,
}

/// Touches in time order (those of one time in the order of their event ids), and what they led to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Journey<'a> {
    /// The touches.
    pub steps: &'a [Step],
    /// The conversion.
    pub converted_at_ms: f64,
    /// For [`Model::U`], [`Model::W`] and [`Model::FullPath`].
    pub milestones: Milestones,
}

impl<'a> Journey<'a> {
    /// A journey whose conversion is the lead's creation, without further milestones.
    pub fn to_lead(steps: &'a [Step], lead_at_ms: f64) -> Self {
        let milestones = Milestones { lead_at_ms: Some(lead_at_ms), ..Milestones::default() };
        Self { steps, converted_at_ms: lead_at_ms, milestones }
    }
}

/// When the lead moved on; `None` for what has not happened.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Milestones {
    /// The lead was created.
    pub lead_at_ms: Option<f64>,
    /// Its opportunity was created.
    pub opportunity_at_ms: Option<f64>,
    /// Its deal was won.
    pub closed_at_ms: Option<f64>,
}

/// The touch with the greatest credit, of equal ones the later; `None` where nobody has any.
pub fn winner(credits: &[f64]) -> Option<usize> {
    let mut winner = None;
    let mut most = 0.0;
    for (index, credit) in credits.iter().enumerate() {
        if *credit > 0.0 && *credit >= most {
            (winner, most) = (Some(index), *credit);
        }
    }
    winner
}

#[cfg(test)]
mod tests;
