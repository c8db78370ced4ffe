//! The models of attribution and the names that they go by.

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
