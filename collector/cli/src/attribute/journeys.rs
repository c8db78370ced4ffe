//! Journeys, one per row: the credit of each touch. All rows are read before any output is written,
//! because the model may learn from all of them and a bad row must leave no output.

use super::channels::{Channels, is_direct};
use super::number;
use crate::output::Output;
use crate::table::{Column, Row, Table};
use anyhow::{Result, ensure};
use shared::attribution::markov::Chain;
use shared::attribution::{Journey, Milestones, Model, Rule, Step};
use shared::money::split_units;
use std::io::{BufRead, Write};

const HOUR_MS: f64 = 3_600_000.0;

struct Columns {
    journey: Column,
    path: Column,
    converted: Column,
    hours: Option<Column>,
    value: Option<Column>,
    /// Lead, opportunity and closed deal, in this order.
    milestones: [Option<Column>; 3],
}

struct Line {
    name: String,
    steps: Vec<Step>,
    converted: bool,
    units: i128,
    milestones: Milestones,
}

impl Line {
    fn journey(&self) -> Journey<'_> {
        Journey { steps: &self.steps, converted_at_ms: 0.0, milestones: self.milestones }
    }
}

pub(super) fn answer(
    rule: &Rule,
    table: Table<impl BufRead>,
    output: &mut impl Write,
) -> Result<()> {
    let columns = Columns::find(rule, &table)?;
    let (mut channels, mut lines, mut chain) = (Channels::default(), Vec::new(), Chain::default());
    table.rows(|row| {
        let line = columns.read(row, &mut channels)?;
        if rule.model == Model::Markov {
            let counted = rule.counted(&line.journey());
            let path = counted.iter().map(|index| line.steps[*index].channel);
            let (conversions, nulls) = if line.converted { (1.0, 0.0) } else { (0.0, 1.0) };
            chain.add(path, conversions, nulls, 0.0)?;
        }
        lines.push(line);
        Ok(())
    })?;
    let effects = chain.effects().conversions;
    let mut output = Output::new(output);
    output.row(["journey", "touch", "channel", "credit", "value"])?;
    for line in &lines {
        let (credits, values) = if line.converted {
            let credits = rule.credits(&line.journey(), &effects);
            let values = split_units(line.units, &credits);
            (credits, values)
        } else {
            (vec![0.0; line.steps.len()], vec![0; line.steps.len()])
        };
        for (touch, step) in line.steps.iter().enumerate() {
            output.row([
                &line.name,
                &touch.to_string(),
                &channels.names[step.channel],
                &number::write(credits[touch]),
                &number::write_units(values[touch]),
            ])?;
        }
    }
    output.finish().map(drop)
}

impl Columns {
    fn find(rule: &Rule, table: &Table<impl BufRead>) -> Result<Self> {
        let why = "journeys need journey, path and converted";
        let [journey, path, converted] = table.need(["journey", "path", "converted"], why)?;
        let milestones = [
            table.find("lead_hours_before")?,
            table.find("opportunity_hours_before")?,
            table.find("closed_hours_before")?,
        ];
        for (needs, why) in [
            (rule.model == Model::TimeDecay, "time-decay needs it"),
            (rule.look_back.is_some(), "--lookback-days needs it"),
            (milestones.iter().any(Option::is_some), "milestones need it"),
        ] {
            if needs {
                table.need(["hours_before"], why)?;
            }
        }
        let (hours, value) = (table.find("hours_before")?, table.find("value")?);
        Ok(Self { journey, path, converted, hours, value, milestones })
    }

    fn read(&self, row: Row<'_>, channels: &mut Channels) -> Result<Line> {
        let names = row.list(self.path)?;
        let hours = self.hours.map(|column| row.hours(column)).transpose()?;
        let touches = names.clone().count();
        if let Some(hours) = &hours {
            let numbers = hours.len();
            ensure!(
                numbers == touches,
                "the path has {touches} touches, but hours_before has {numbers} numbers"
            );
        }
        let at_ms = |touch: usize| hours.as_ref().map_or(0.0, |hours| -hours[touch] * HOUR_MS);
        let step = |(touch, name)| {
            let channel = channels.index(name);
            Step { at_ms: at_ms(touch), is_direct: is_direct(name), channel }
        };
        let steps = names.enumerate().map(step).collect();
        let converted = row.flag(self.converted)?;
        let units = number::value(row, self.value, converted)?;
        let milestone = |column: Option<Column>| {
            let hours = column.map(|column| row.optional_hours(column)).transpose()?.flatten();
            anyhow::Ok(hours.map(|hours| -hours * HOUR_MS))
        };
        let [lead, opportunity, closed] = self.milestones;
        let milestones = Milestones {
            lead_at_ms: Some(milestone(lead)?.unwrap_or(0.0)),
            opportunity_at_ms: milestone(opportunity)?,
            closed_at_ms: milestone(closed)?,
        };
        Ok(Line { name: row.text(self.journey).to_owned(), steps, converted, units, milestones })
    }
}
