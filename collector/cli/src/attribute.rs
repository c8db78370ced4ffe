//! `clew attribute`: any attribution model over journeys or paths from any system, CSV in and out.
//!
//! The models are those of [`shared::attribution`], as the collector applies them. Nothing is
//! written before the whole input was read and found right.

mod channels;
mod journeys;
mod number;
mod paths;

use crate::table::Table;
use anyhow::{Context, Result, bail};
use clap::Args;
use shared::attribution::{Days, Direct, Model, Rule, Weights};
use std::io::{BufRead, BufWriter, Write};

/// What `--help` says below the options.
const FORMATS: &str = "\
The header of the input says which of two formats it is; columns may stand in any order, and further
ones are ignored. Between touches, oldest first, stands ` > `.

Paths, counted:
  path         channels, as in `Email > Direct > Paid Search`
  conversions  how often the path ended in one
  nulls        how often it ended in none (optional; markov learns from it)
  value        what its conversions brought in all (optional)
  answer: channel,conversions,value; most conversions first, then by name

Journeys, one a row (a column `journey` or `hours_before` tells):
  journey       any name
  path          channels
  hours_before  for each touch, hours before the conversion, with ` > ` between; negative ones
                came after it
  converted     1 or 0
  value         what the conversion brought (optional)
  lead_hours_before, opportunity_hours_before, closed_hours_before
                milestones for u, w and full-path (optional); without the first the lead was
                created at the conversion
  answer: journey,touch,channel,credit,value; touches counted from 0

The values written add up exactly to those read. The models and their formulas: docs/attribution.md

Example:
  printf 'path,conversions\\nEmail > Direct,3\\n' | clew attribute --model linear";

#[derive(Debug, Args)]
#[command(after_long_help = FORMATS)]
pub(crate) struct Attribute {
    /// first, last, last-non-direct, linear, position, time-decay, u, w, full-path, j, inverse-j,
    /// markov or shapley.
    #[arg(long, value_name = "MODEL")]
    model: Model,
    /// For time-decay: a touch that lies so many days back gets half of the credit.
    #[arg(long, value_name = "N", default_value = "7", allow_negative_numbers = true)]
    half_life_days: Days,
    /// For position: shares of the first touch, of those between together, and of the last.
    #[arg(long, value_name = "A/B/C", default_value = "40/20/40", allow_hyphen_values = true)]
    weights: Weights,
    /// Touches further back get no credit; without it all count.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    lookback_days: Option<Days>,
    /// keep or drop: whether `direct` touches count where there are others. Direct is what is named
    /// `direct` or `(direct)`, in capitals or not.
    #[arg(long, value_name = "WHAT", default_value = "keep", value_parser = direct)]
    direct: Direct,
}

fn direct(text: &str) -> Result<Direct> {
    match text {
        "keep" => Ok(Direct::Keep),
        "drop" => Ok(Direct::Drop),
        _ => bail!("`{text}` is neither keep nor drop"),
    }
}

impl Attribute {
    pub(crate) fn run(&self) -> Result<()> {
        let mut output = BufWriter::new(std::io::stdout().lock());
        self.answer(std::io::stdin().lock(), &mut output)?;
        output.flush().context("the answer could not be written")
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
