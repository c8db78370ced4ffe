//! The models that credit the touches at milestones: U, W and full path.
//!
//! A milestone's touch is the last one at or before it. A touch of several milestones gets the sum
//! of their shares. A share that has no touch goes to the other touches in proportion: that of a
//! milestone that has not happened or has no touch before it, and that of the other touches if
//! there are none.

use super::journey::{Milestones, Step};
use super::model::Model;

/// A model's shares, in per cent.
#[derive(Clone, Copy)]
pub(super) struct Shares {
    /// To the first touch, and to each milestone.
    each: f64,
    /// To the other touches together.
    others: f64,
    /// How many milestones it uses, of lead, opportunity and closed deal.
    milestones: usize,
}

impl Shares {
    /// `None` for a model without milestones.
    pub(super) fn of(model: Model) -> Option<Self> {
        match model {
            Model::U => Some(Self { each: 40.0, others: 20.0, milestones: 1 }),
            Model::W => Some(Self { each: 30.0, others: 10.0, milestones: 2 }),
            Model::FullPath => Some(Self { each: 22.5, others: 10.0, milestones: 3 }),
            _ => None,
        }
    }

    /// When the last of the model's milestones happened.
    pub(super) fn last_ms(self, milestones: &Milestones) -> Option<f64> {
        self.happened(milestones).reduce(f64::max)
    }

    fn happened(self, milestones: &Milestones) -> impl Iterator<Item = f64> {
        let Milestones { lead_at_ms, opportunity_at_ms, closed_at_ms } = *milestones;
        let all = [lead_at_ms, opportunity_at_ms, closed_at_ms];
        all.into_iter().take(self.milestones).flatten()
    }

    /// One credit per touch.
    pub(super) fn among(self, steps: &[Step], milestones: &Milestones) -> Vec<f64> {
        let mut shares = vec![0.0; steps.len()];
        let Some(first) = shares.first_mut() else { return shares };
        *first = self.each;
        let mut sum = self.each;
        for at_ms in self.happened(milestones) {
            if let Some(index) = steps.iter().rposition(|step| step.at_ms <= at_ms) {
                shares[index] += self.each;
                sum += self.each;
            }
        }
        let others = shares.iter().filter(|share| **share == 0.0).count();
        if others > 0 {
            sum += self.others;
        }
        let other = self.others / others as f64;
        shares.iter().map(|share| if *share == 0.0 { other / sum } else { share / sum }).collect()
    }
}
