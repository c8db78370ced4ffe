//! The models that divide one journey's credit by place, time or channel.

use super::days::Days;
use super::journey::Step;
use std::collections::HashMap;
use std::str::FromStr;

/// All credit to one of `count` touches.
pub(super) fn whole(count: usize, index: usize) -> Vec<f64> {
    (0..count).map(|each| if each == index { 1.0 } else { 0.0 }).collect()
}

/// The same credit to each.
pub(super) fn equal(count: usize) -> Vec<f64> {
    vec![1.0 / count as f64; count]
}

/// Half as much for each half-life. Ages are measured from the latest touch, so before normalising
/// at least one share is 1, however old all touches are.
pub(super) fn decay(steps: &[Step], half_life: Days) -> Vec<f64> {
    let latest_ms = steps.iter().map(|step| step.at_ms).fold(f64::NEG_INFINITY, f64::max);
    let half_lives = |step: &Step| (latest_ms - step.at_ms) / half_life.ms();
    normalised(steps.iter().map(|step| (-half_lives(step)).exp2()).collect())
}

/// By the removal effect of each touch's channel.
pub(super) fn by_effects(steps: &[Step], effects: &[f64]) -> Vec<f64> {
    let effect = |step: &Step| effects.get(step.channel).copied().unwrap_or(0.0);
    normalised(steps.iter().map(effect).collect())
}

/// The same credit to each channel, divided equally among its touches.
pub(super) fn by_channels(steps: &[Step]) -> Vec<f64> {
    let mut touches: HashMap<usize, usize> = HashMap::new();
    for step in steps {
        *touches.entry(step.channel).or_default() += 1;
    }
    let share = |step: &Step| 1.0 / (touches.len() * touches[&step.channel]) as f64;
    steps.iter().map(share).collect()
}

/// Scales shares so that they add up to 1; if all are 0, they become equal.
fn normalised(mut shares: Vec<f64>) -> Vec<f64> {
    let sum: f64 = shares.iter().sum();
    if sum <= 0.0 {
        return equal(shares.len());
    }
    shares.iter_mut().for_each(|share| *share /= sum);
    shares
}

/// The shares of the first touch, of all touches in between together, and of the last touch, in any
/// unit.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Weights {
    first: f64,
    between: f64,
    last: f64,
}

impl Weights {
    pub(super) const J: Self = Self { first: 20.0, between: 20.0, last: 60.0 };
    pub(super) const INVERSE_J: Self = Self { first: 60.0, between: 20.0, last: 20.0 };

    /// `None` if one is negative or not finite, or if their sum is 0.
    pub fn new(first: f64, between: f64, last: f64) -> Option<Self> {
        let sum = first + between + last;
        let all = [first, between, last];
        let good = all.iter().all(|weight| *weight >= 0.0) && sum > 0.0 && sum.is_finite();
        good.then_some(Self { first, between, last })
    }

    /// Divides credit among `count` touches. With two there is none in between, so first and last
    /// share in proportion.
    pub(super) fn among(self, count: usize) -> Vec<f64> {
        let Self { first, between, last } = self;
        let ends = first + last;
        match count {
            0 => Vec::new(),
            1 => vec![1.0],
            2 if ends > 0.0 => vec![first / ends, last / ends],
            2 => equal(2),
            _ => {
                let sum = ends + between;
                let mut shares = vec![between / sum / (count - 2) as f64; count];
                shares[0] = first / sum;
                shares[count - 1] = last / sum;
                shares
            }
        }
    }
}

impl Default for Weights {
    fn default() -> Self {
        Self { first: 40.0, between: 20.0, last: 40.0 }
    }
}

/// The error of a text that is not three weights.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is not FIRST/BETWEEN/LAST: three numbers from 0, not all 0, such as 40/20/40")]
pub struct WeightsError(String);

impl FromStr for Weights {
    type Err = WeightsError;

    fn from_str(text: &str) -> Result<Self, WeightsError> {
        let numbers: Option<Vec<f64>> = text.split('/').map(|part| part.parse().ok()).collect();
        let weights = match numbers.as_deref() {
            Some([first, between, last]) => Self::new(*first, *between, *last),
            _ => None,
        };
        weights.ok_or_else(|| WeightsError(text.to_owned()))
    }
}
