//! `clew reclassify`: labels what is stored by the rules of the configuration, and says before what
//! that changes.
//!
//! Each visitor is one step. One that was relabelled already is passed over, so a run that was cut
//! off is taken up by the next.

mod difference;

use crate::access::Access;
use crate::progress;
use crate::say::say;
use anyhow::Result;
use clap::Args;
use clew_store::{Entity, Relabelled, Relabelling};
use collector::config::Config;
use collector::settings::Settings;
use difference::Reclassify;
use shared::source::rules_name;
use std::ops::ControlFlow;

/// Visitors in one request to a collector, and page views of them, whichever comes first.
const PART_VISITORS: usize = 200;
const PART_LABELS: usize = 2_000;

#[derive(Debug, Args)]
pub(crate) struct Command {
    /// Say what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Show so many page views whose label changes.
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    examples: usize,
}

/// What is to be written next, and what was.
#[derive(Default)]
struct Writing {
    part: Vec<Relabelling>,
    labels: usize,
    written: Relabelled,
    /// The rules by which the running collector labels.
    collector: Option<u64>,
}

impl Command {
    pub(crate) fn run(&self, config: &Config) -> Result<()> {
        let settings = Settings::new(config.clone())?;
        let access = Access::open(config)?;
        let mut reclassify = Reclassify::new(&settings, self.examples);
        let mut writing = Writing::default();
        let bar = progress::count("visitors");
        let done = access.everything(|entity| {
            if !matches!(entity, Entity::Visitor { .. }) {
                // They come first.
                return Ok(ControlFlow::Break(()));
            }
            bar.inc(1);
            if let Some(relabelling) = reclassify.take(entity).filter(|_| !self.dry_run) {
                writing.take(&access, relabelling)?;
            }
            Ok(ControlFlow::Continue(()))
        });
        let done = done.and_then(|()| writing.flush(&access));
        bar.finish_and_clear();
        done.and_then(|()| access.close())?;
        say(reclassify.finish());
        let Relabelled { page_views, labels, visitors, touches } = writing.written;
        match self.dry_run {
            true => say("nothing was written: this was a dry run"),
            false => say(format_args!(
                "written: {labels} labels of {visitors} visitors, which changed {touches} touches; \
                 {page_views} page views are marked with these rules"
            )),
        }
        if let Some(rules) = writing.collector.filter(|rules| *rules != settings.rules.hash()) {
            say(format_args!(
                "the running collector still labels by the rules {}: send it SIGHUP, then run this again",
                rules_name(rules)
            ));
        }
        Ok(())
    }
}

impl Writing {
    fn take(&mut self, access: &Access, relabelling: Relabelling) -> Result<()> {
        self.labels += relabelling.labels.len();
        self.part.push(relabelling);
        match self.part.len() >= PART_VISITORS || self.labels >= PART_LABELS {
            true => self.flush(access),
            false => Ok(()),
        }
    }

    fn flush(&mut self, access: &Access) -> Result<()> {
        self.labels = 0;
        let part = std::mem::take(&mut self.part);
        if !part.is_empty() {
            let (relabelled, collector) = access.relabel(part)?;
            self.written += relabelled;
            self.collector = collector;
        }
        Ok(())
    }
}
