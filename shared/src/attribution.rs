//! Attribution: how much each touch of a journey contributed to the conversion.
//!
//! A [`Rule`] is a model with its settings; [`Rule::credits`] applies it to one journey and returns
//! one credit per touch. All models but [`Model::Markov`] need only the journey; Markov also needs
//! the removal effects of the channels, which [`markov::Chain`] learns from many paths. Inputs are
//! plain (a time, a channel's index), so channels may have any names.
//!
//! Credits are shares, not money; [`crate::money::split`] turns them into exact amounts.

mod days;
mod journey;
mod milestone;
mod model;
mod single;

pub mod markov;

pub use days::{Days, DaysError};
pub use journey::{Journey, Milestones, Step};
pub use model::{Model, ModelError};
pub use single::{Weights, WeightsError};

/// How direct touches count, under every model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Direct {
    /// They count like any other touch.
    #[default]
    Keep,
    /// They get no credit, unless all touches that count are direct.
    Drop,
}

/// A model with its settings.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rule {
    /// The model.
    pub model: Model,
    /// The weights of [`Model::Position`].
    pub weights: Weights,
    /// The half-life of [`Model::TimeDecay`].
    pub half_life: Days,
    /// How far back touches count; `None` for all.
    pub look_back: Option<Days>,
    /// How direct touches count.
    pub direct: Direct,
}

impl Rule {
    /// A model with the default settings: position 40/20/40, a half-life of 7 days, a look-back
    /// window of 90 days, direct touches kept.
    pub fn new(model: Model) -> Self {
        Self {
            model,
            weights: Weights::default(),
            half_life: Days::HALF_LIFE,
            look_back: Some(Days::LOOK_BACK),
            direct: Direct::Keep,
        }
    }

    /// One credit per touch, in the journey's order; they add up to 1. If no touch counts (see
    /// [`Rule::counted`]), all are 0.
    ///
    /// `effects` are the removal effects by channel index, which only [`Model::Markov`] uses. A
    /// channel beyond the slice has no effect; if no touch's channel has an effect, the touches
    /// share equally.
    pub fn credits(&self, journey: &Journey<'_>, effects: &[f64]) -> Vec<f64> {
        let counted = self.counted(journey);
        let steps: Vec<Step> = counted.iter().map(|index| journey.steps[*index]).collect();
        let mut credits = vec![0.0; journey.steps.len()];
        for (index, share) in counted.into_iter().zip(self.shares(&steps, journey, effects)) {
            credits[index] = share;
        }
        credits
    }

    /// The indices of the touches that count: not those after the journey's end, nor those before
    /// the look-back window that precedes the end, and direct ones as [`Rule::direct`] says.
    ///
    /// The end is the conversion. For models with milestones it is the last of their milestones
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

/// The touch with the greatest credit, the later one on a tie; `None` if no touch has any.
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
