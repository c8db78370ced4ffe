//! Counted paths: the total credit of each channel. Rows are counted as they are read and not kept.

use super::channels::{Channels, is_direct};
use super::number;
use crate::output::Output;
use crate::table::{Row, Table};
use anyhow::{Context, Result, ensure};
use shared::attribution::markov::{Chain, share_out};
use shared::attribution::{Journey, Model, Rule, Step};
use shared::money::split_units;
use std::io::{BufRead, Write};

/// The totals so far.
#[derive(Default)]
struct Count {
    channels: Channels,
    /// By channel; computed at the end for [`Model::Markov`].
    conversions: Vec<f64>,
    values: Vec<i128>,
    total: f64,
    total_value: i128,
    chain: Chain,
}

pub(super) fn answer(
    rule: &Rule,
    table: Table<impl BufRead>,
    output: &mut impl Write,
) -> Result<()> {
    let why = "paths need path and conversions, journeys need journey, path and converted";
    let [path, conversions] = table.need(["path", "conversions"], why)?;
    let (nulls, value) = (table.find("nulls")?, table.find("value")?);
    ensure!(
        rule.model != Model::TimeDecay,
        "time-decay needs times, which paths do not have: use journeys with hours_before"
    );
    ensure!(
        rule.look_back.is_none(),
        "--lookback-days needs times, which paths do not have: use journeys with hours_before"
    );
    let mut count = Count::default();
    table.rows(|row: Row<'_>| {
        let conversions = row.number(conversions)?;
        let nulls = nulls.map_or(Ok(None), |column| row.optional_number(column))?.unwrap_or(0.0);
        let units = number::value(row, value, conversions > 0.0)?;
        ensure!(units == 0 || conversions > 0.0, "the row has a value but no conversions");
        let mut steps = Vec::new();
        for name in row.list(path)? {
            let (name, times) = repeated(name)?;
            steps.extend(std::iter::repeat_n(count.step(name), times));
        }
        count.take(rule, &steps, conversions, nulls, units)
    })?;
    count.write(rule, output)
}

/// A touch and its number of repetitions: the field `channel_path` collapses runs to `NAME ×COUNT`.
fn repeated(name: &str) -> Result<(&str, usize)> {
    ensure!(name != "…", "the path was shortened: the touches that `…` replaces are unknown");
    let Some((bare, times)) = name.rsplit_once(" ×") else { return Ok((name, 1)) };
    match times.parse() {
        Ok(times @ 1..=10_000) => Ok((bare, times)),
        _ => Ok((name, 1)),
    }
}

impl Count {
    fn step(&mut self, name: &str) -> Step {
        let channel = self.channels.index(name);
        Step { at_ms: 0.0, is_direct: is_direct(name), channel }
    }

    fn take(
        &mut self,
        rule: &Rule,
        steps: &[Step],
        conversions: f64,
        nulls: f64,
        units: i128,
    ) -> Result<()> {
        self.conversions.resize(self.channels.names.len(), 0.0);
        self.values.resize(self.channels.names.len(), 0);
        self.total += conversions;
        let total = self.total_value.checked_add(units);
        self.total_value = total.context("the sum of all values is too large")?;
        // Paths have no times: all touches, the conversion and the lead are at time 0.
        let journey = Journey::to_lead(steps, 0.0);
        if rule.model == Model::Markov {
            let counted = rule.counted(&journey);
            let path = counted.iter().map(|index| steps[*index].channel);
            return Ok(self.chain.add(path, conversions, nulls, number::weight(units))?);
        }
        let credits = rule.credits(&journey, &[]);
        let values = split_units(units, &credits);
        for ((step, credit), value) in steps.iter().zip(credits).zip(values) {
            self.conversions[step.channel] += conversions * credit;
            self.values[step.channel] += value;
        }
        Ok(())
    }

    fn write(mut self, rule: &Rule, output: &mut impl Write) -> Result<()> {
        let names = self.channels.names;
        if rule.model == Model::Markov {
            let effects = self.chain.effects();
            self.conversions = share_out(self.total, &effects.conversions);
            self.values = split_units(self.total_value, &effects.values);
            // A channel that never counted is not in the chain.
            self.conversions.resize(names.len(), 0.0);
            self.values.resize(names.len(), 0);
        }
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_unstable_by(|one, other| {
            let most = self.conversions[*other].total_cmp(&self.conversions[*one]);
            most.then_with(|| names[*one].cmp(&names[*other]))
        });
        let mut output = Output::new(output);
        output.row(["channel", "conversions", "value"])?;
        for channel in order {
            let conversions = number::write(self.conversions[channel]);
            let value = number::write_units(self.values[channel]);
            output.row([&names[channel], &conversions, &value])?;
        }
        output.finish().map(drop)
    }
}
