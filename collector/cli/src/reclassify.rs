//! `clew reclassify`: relabels stored page views with the configured rules, and reports what
//! changes.
//!
//! Each visitor is relabelled in one atomic step, and visitors that are already up to date are
//! skipped, so an interrupted run can simply be repeated.

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

/// Visitors, and labels of their page views, in one request to a collector, whichever limit comes
/// first.
const PART_VISITORS: usize = 200;
const PART_LABELS: usize = 2_000;

#[derive(Debug, Args)]
pub(crate) struct Command {
    /// Report what would change without changing anything.
    #[arg(long)]
    dry_run: bool,
    /// Number of page views with a changed label to show.
    #[arg(long, default_value_t = 10, value_name = "COUNT")]
    examples: usize,
}

/// Relabellings to write next, and totals of those written.
#[derive(Default)]
struct Writing {
    part: Vec<Relabelling>,
    labels: usize,
    written: Relabelled,
    /// The hash of the running collector's rules.
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
                // Visitors come first; the rest does not matter here.
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
            true => say("dry run: nothing was written"),
            false => say(format_args!(
                "written: {labels} labels of {visitors} visitors, which changed {touches} touches; \
                 {page_views} page views are marked with these rules"
            )),
        }
        if let Some(rules) = writing.collector.filter(|rules| *rules != settings.rules.hash()) {
            say(format_args!(
                "the running collector still uses the rules {}: send it SIGHUP, then run this command again",
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
