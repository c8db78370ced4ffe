//! `clew attribute`: applies an attribution model to journeys or paths from any system, CSV in and
//! out.
//!
//! The models are those of [`shared::attribution`], as the collector applies them. Nothing is
//! written until the whole input has been read and validated.

mod channels;
mod journeys;
mod number;
mod paths;

use crate::table::Table;
use anyhow::{Context, Result, bail};
use clap::Args;
use shared::attribution::{Days, Direct, Model, Rule, Weights};
use std::io::{BufRead, BufWriter, Write};

/// The part of `--help` below the options.
const FORMATS: &str = "\
Reads CSV from standard input, in one of two formats that the header tells apart. Columns may be in any
order, and unknown columns are ignored. Touches are listed oldest first, separated by ` > `.

Counted paths:
  path         channels, for example `Email > Direct > Paid Search`
  conversions  how many times the path ended in a conversion
  nulls        how many times it ended without one (optional; markov learns from it)
  value        total value of its conversions (optional)
  output: channel,conversions,value; most conversions first, then by name

Journeys, one per row (if there is a column `journey` or `hours_before`):
  journey       any name
  path          channels
  hours_before  for each touch, hours before the conversion, separated by ` > `; negative means
                after it (required for time-decay, --lookback-days and milestones)
  converted     1 or 0
  value         value of the conversion (optional)
  lead_hours_before, opportunity_hours_before, closed_hours_before
                milestones for u, w and full-path (optional); without the first, the lead was
                created at the conversion
  output: journey,touch,channel,credit,value; touches are numbered from 0

The output values add up exactly to the input values. Models and formulas: docs/attribution.md

Example:
  printf 'path,conversions\\nEmail > Direct,3\\n' | clew attribute --model linear";

#[derive(Debug, Args)]
#[command(after_long_help = FORMATS)]
pub(crate) struct Attribute {
    /// Attribution model: first, last, last-non-direct, linear, position, time-decay, u, w,
    /// full-path, j, inverse-j, markov or shapley.
    #[arg(long, value_name = "MODEL")]
    model: Model,
    /// For time-decay: half-life in days; a touch that is this much older gets half the credit.
    #[arg(long, value_name = "N", default_value = "7", allow_negative_numbers = true)]
    half_life_days: Days,
    /// For position: shares of the first touch, of all middle touches together, and of the last
    /// touch.
    #[arg(long, value_name = "A/B/C", default_value = "40/20/40", allow_hyphen_values = true)]
    weights: Weights,
    /// Give no credit to touches more than this many days before the conversion; by default all
    /// count.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    lookback_days: Option<Days>,
    /// Whether direct touches get credit when there are others: keep or drop. A touch is direct if
    /// its channel is `direct` or `(direct)`, in upper or lower case.
    #[arg(long, value_name = "WHAT", default_value = "keep", value_parser = direct)]
    direct: Direct,
}

fn direct(text: &str) -> Result<Direct> {
    match text {
        "keep" => Ok(Direct::Keep),
        "drop" => Ok(Direct::Drop),
        _ => bail!("`{text}` should be keep or drop"),
    }
}

impl Attribute {
    pub(crate) fn run(&self) -> Result<()> {
        let mut output = BufWriter::new(std::io::stdout().lock());
        self.answer(std::io::stdin().lock(), &mut output)?;
        output.flush().context("cannot write to standard output")
    }

    fn answer(&self, input: impl BufRead, output: &mut impl Write) -> Result<()> {
        let rule = Rule {
            model: self.model,
            weights: self.weights,
            half_life: self.half_life_days,
            look_back: self.lookback_days,
            direct: self.direct,
        };
        let table = Table::open(input)?;
        match table.has("journey") || table.has("hours_before") {
            true => journeys::answer(&rule, table, output),
            false => paths::answer(&rule, table, output),
        }
    }
}

#[cfg(test)]
mod tests;
