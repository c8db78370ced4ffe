//! A first-order Markov chain over channels, and the removal effect of each channel.
//!
//! The states are start, the channels, conversion and null. A channel's removal effect is the part
//! of all conversions that is lost if every step into the channel leads to null instead. It equals
//! the probability that a converting walk passes the channel. With the fundamental matrix N = (I -
//! Q)^-1 of the channels, the start distribution s and the conversion probabilities r it is
//!
//! ```text
//! effect(c) = (s N)_c / N_cc · (N r)_c / (s N r)
//! ```
//!
//! so one inversion gives all effects. Steps from a channel to itself change nothing and are not
//! counted. For values, r is the value of the conversions after a channel, per step out of it.

/// The most channels; beyond that the matrix would be too large.
pub const MOST_CHANNELS: usize = 1000;

/// The error of more than [`MOST_CHANNELS`] channels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a Markov chain takes at most {MOST_CHANNELS} channels: group them first")]
pub struct TooManyChannels;

/// Transitions counted over paths.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// The number of channels: the highest index seen plus one.
    channels: usize,
    /// The width of the square matrix `steps`, at least `channels`.
    width: usize,
    /// Counts of steps from one channel (row) to another (column).
    steps: Vec<f64>,
    /// Counts of paths by their first channel.
    starts: Vec<f64>,
    /// Conversions, nulls and value by the path's last channel.
    ends: Vec<End>,
}

#[derive(Clone, Copy, Debug, Default)]
struct End {
    conversions: f64,
    nulls: f64,
    value: f64,
}

/// Removal effects by channel index, each from 0 to 1; all 0 if nothing converted.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Effects {
    /// The part of the conversions that would be lost.
    pub conversions: Vec<f64>,
    /// The part of the value that would be lost.
    pub values: Vec<f64>,
}

impl Chain {
    /// Counts a path: how often it led to a conversion, how often it did not, and the total value.
    /// These numbers must be finite and not negative. A path without channels is ignored.
    ///
    /// # Errors
    /// [`TooManyChannels`]; the path is not counted then.
    pub fn add(
        &mut self,
        path: impl IntoIterator<Item = usize, IntoIter: Clone>,
        conversions: f64,
        nulls: f64,
        value: f64,
    ) -> Result<(), TooManyChannels> {
        let path = path.into_iter();
        let Some(highest) = path.clone().max() else { return Ok(()) };
        self.reach(highest)?;
        let count = conversions + nulls;
        let mut previous = None;
        for channel in path {
            match previous {
                None => self.starts[channel] += count,
                Some(from) if from != channel => self.steps[from * self.width + channel] += count,
                Some(_) => {}
            }
            previous = Some(channel);
        }
        if let Some(last) = previous {
            let end = &mut self.ends[last];
            end.conversions += conversions;
            end.nulls += nulls;
            end.value += value;
        }
        Ok(())
    }

    /// Grows the matrix so that it has this channel.
    fn reach(&mut self, channel: usize) -> Result<(), TooManyChannels> {
        if channel >= MOST_CHANNELS {
            return Err(TooManyChannels);
        }
        self.channels = self.channels.max(channel + 1);
        if self.channels > self.width {
            let width = self.channels.next_power_of_two();
            let mut steps = vec![0.0; width * width];
            for row in 0..self.width {
                let old = &self.steps[row * self.width..][..self.width];
                steps[row * width..][..self.width].copy_from_slice(old);
            }
            self.steps = steps;
            self.width = width;
            self.starts.resize(width, 0.0);
            self.ends.resize(width, End::default());
        }
        Ok(())
    }

    /// The removal effects of all channels counted.
    pub fn effects(&self) -> Effects {
        let count = self.channels;
        let mut matrix = vec![0.0; count * count];
        let (mut pays, mut pays_value) = (vec![0.0; count], vec![0.0; count]);
        for from in 0..count {
            let (row, end) = (&self.steps[from * self.width..][..count], self.ends[from]);
            let out = row.iter().sum::<f64>() + end.conversions + end.nulls;
            let target = &mut matrix[from * count..][..count];
            target[from] = 1.0;
            if out > 0.0 {
                for (to, steps) in row.iter().enumerate() {
                    target[to] -= steps / out;
                }
                pays[from] = end.conversions / out;
                pays_value[from] = end.value / out;
            }
        }
        invert(&mut matrix, count);
        let row = |from: usize| &matrix[from * count..][..count];
        let paths: f64 = self.starts.iter().sum();
        // The expected number of times that a walk passes each channel.
        let mut passes = vec![0.0; count];
        for (from, starts) in self.starts[..count].iter().enumerate().filter(|(_, n)| **n > 0.0) {
            for (pass, times) in passes.iter_mut().zip(row(from)) {
                *pass += starts / paths * times;
            }
        }
        let effects = |pays: &[f64]| -> Vec<f64> {
            let all: f64 = passes.iter().zip(pays).map(|(pass, pay)| pass * pay).sum();
            if all <= 0.0 {
                return vec![0.0; count];
            }
            let effect = |channel: usize| {
                let row = row(channel);
                let to_come: f64 = row.iter().zip(pays).map(|(times, pay)| times * pay).sum();
                passes[channel] / row[channel] * to_come / all
            };
            (0..count).map(effect).collect()
        };
        Effects { conversions: effects(&pays), values: effects(&pays_value) }
    }
}

/// Divides a total by removal effects: `total · effect / Σ effects`; all 0 if all effects are 0.
pub fn share_out(total: f64, effects: &[f64]) -> Vec<f64> {
    let sum: f64 = effects.iter().sum();
    effects.iter().map(|effect| if sum > 0.0 { total * effect / sum } else { 0.0 }).collect()
}

/// Inverts I - Q in place. Pivoting is not needed: no row of Q adds up to more than 1, and every
/// counted channel has a way out, so the diagonal stays the greatest value of its row.
fn invert(matrix: &mut [f64], count: usize) {
    for pivot in 0..count {
        let (above, rest) = matrix.split_at_mut(pivot * count);
        let (pivot_row, below) = rest.split_at_mut(count);
        let scale = 1.0 / pivot_row[pivot];
        pivot_row[pivot] = 1.0;
        pivot_row.iter_mut().for_each(|cell| *cell *= scale);
        for row in above.chunks_exact_mut(count).chain(below.chunks_exact_mut(count)) {
            let factor = row[pivot];
            if factor == 0.0 {
                continue;
            }
            row[pivot] = 0.0;
            for (cell, other) in row.iter_mut().zip(&*pivot_row) {
                *cell -= factor * other;
            }
        }
    }
}
