//! The attribution models and their public names.

use std::fmt;
use std::str::FromStr;

/// How a conversion's credit is divided among the touches that led to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Model {
    /// All to the first touch.
    First,
    /// All to the last touch.
    Last,
    /// All to the last touch that is not direct; if all are direct, to the last.
    LastNonDirect,
    /// The same to each touch.
    Linear,
    /// Fixed shares for the first and the last touch; those between share the rest.
    Position,
    /// Half as much for each half-life between the touch and the latest one.
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
    /// By the removal effects of the touches' channels in a first-order Markov chain.
    Markov,
    /// By the Shapley values of the channels: the same for each channel of the journey, divided
    /// equally among the touches of a channel.
    Shapley,
}

impl Model {
    /// Every model with its name in settings, API and command line.
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

/// The error of an unknown model name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is not an attribution model; use one of {names}", names = names())]
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
