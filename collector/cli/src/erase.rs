//! `clew erase visitors`: erases visitors that belong to no lead, and the leads that their pages
//! proposed.
//!
//! Matching visitors are found in an export and checked again in the atomic step that erases them.
//! So a visitor that is joined to a lead or returns in the meantime stays, and an interrupted run
//! can simply be repeated.

use crate::access::Access;
use crate::progress;
use crate::say::say;
use anyhow::{Context, Result, ensure};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use clew_store::{Criteria, Entity, Erased, Erasure};
use collector::config::Config;
use shared::ids::{LeadId, SiteId};
use shared::time::parse_utc;
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Visitors in one request to a collector.
const PART: usize = 200;

#[derive(Debug, Args)]
pub(crate) struct Erase {
    #[command(subcommand)]
    target: EraseTarget,
}

#[derive(Debug, Subcommand)]
enum EraseTarget {
    /// Erase visitors that belong to no lead, and the leads that their pages proposed.
    Visitors(Visitors),
}

/// The criteria; a visitor has to match all that are given.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("criteria").required(true).multiple(true).args(["before", "flagged"])))]
struct Visitors {
    /// Only visitors of this site.
    #[arg(long, value_parser = crate::init::site)]
    site: SiteId,
    /// Only visitors last active before this date (UTC), such as 2026-11-21, or RFC 3339 time.
    #[arg(long, value_name = "DATE", value_parser = time)]
    before: Option<i64>,
    /// Only visitors whose page views are all flagged.
    #[arg(long, value_name = "KIND")]
    flagged: Option<Flag>,
    /// Report what would be erased without erasing anything.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Flag {
    /// Bots, automated browsers, prefetched pages and the site's own traffic.
    Bots,
}

fn time(text: &str) -> Result<i64> {
    parse_utc(text).context("should be a date or time such as 2026-11-21 or 2026-11-21T10:15:04Z")
}

/// The progress of one run.
#[derive(Default)]
struct Run {
    /// Whether the store has any visitor of the site.
    is_known: bool,
    /// Visitors that match.
    chosen: u64,
    /// Visitors to erase in the next request.
    part: Vec<Erasure>,
    /// In a dry run: matching visitors whose proposed lead has not been read yet.
    waiting: HashMap<LeadId, Erased>,
    /// What was erased, or would be in a dry run.
    erased: Erased,
}

impl Erase {
    pub(crate) fn run(&self, config: &Config) -> Result<()> {
        let EraseTarget::Visitors(visitors) = &self.target;
        visitors.run(config)
    }
}

impl Visitors {
    fn run(&self, config: &Config) -> Result<()> {
        let access = Access::open(config)?;
        let mut run = Run::default();
        let bar = progress::count("visitors");
        let done = access.everything(|entity| {
            bar.inc(u64::from(matches!(entity, Entity::Visitor { .. })));
            self.take(entity, &mut run, &access)
        });
        let done = done.and_then(|()| run.flush(&access));
        bar.finish_and_clear();
        if let Err(error) = done.and_then(|()| access.close()) {
            if !self.dry_run {
                // Report what was already erased.
                self.report(&run);
            }
            return Err(error);
        }
        let is_site = run.is_known || config.site(&self.site).is_some();
        ensure!(is_site, "neither the configuration nor the store has a site `{}`", self.site);
        self.report(&run);
        Ok(())
    }

    fn take(&self, entity: Entity, run: &mut Run, access: &Access) -> Result<ControlFlow<()>> {
        match entity {
            Entity::Visitor { site, visitor, record, events } => {
                if site != self.site {
                    return Ok(ControlFlow::Continue(()));
                }
                run.is_known = true;
                let rows: Vec<_> = events.into_iter().map(|event| (event.id, event.row)).collect();
                let criteria = Criteria { before_ms: self.before, flagged: self.flagged.is_some() };
                let Some(erased) = criteria.choose(&record, &rows) else {
                    return Ok(ControlFlow::Continue(()));
                };
                run.chosen += 1;
                match (self.dry_run, record.proposed) {
                    (false, _) => {
                        run.part.push(Erasure { site, visitor, criteria });
                        if run.part.len() >= PART {
                            run.flush(access)?;
                        }
                    }
                    (true, Some(lead)) => drop(run.waiting.insert(lead, erased)),
                    (true, None) => run.erased += erased,
                }
                Ok(ControlFlow::Continue(()))
            }
            // Leads come after all visitors.
            Entity::Lead { lead, records, .. } if !run.waiting.is_empty() => {
                let erased = run.waiting.remove(&lead.id);
                if let Some(erased) = erased.and_then(|erased| erased.with(&lead, &records)) {
                    run.erased += erased;
                }
                Ok(ControlFlow::Continue(()))
            }
            _ => Ok(ControlFlow::Break(())),
        }
    }

    fn report(&self, run: &Run) {
        let Erased { visitors, page_views, proposed_leads } = run.erased;
        let done = if self.dry_run { "would be erased" } else { "erased" };
        say(format_args!(
            "{done}: {visitors} visitors with {page_views} page views, and {proposed_leads} leads that their \
             pages proposed"
        ));
        let stayed = run.chosen.saturating_sub(visitors);
        if stayed > 0 {
            say(format_args!(
                "kept: {stayed} visitors whose proposed lead has stages, deals or a record in a CRM, or who \
                 changed in the meantime"
            ));
        }
        if self.dry_run {
            say("dry run: nothing was written");
        }
    }
}

impl Run {
    fn flush(&mut self, access: &Access) -> Result<()> {
        let part = std::mem::take(&mut self.part);
        if !part.is_empty() {
            self.erased += access.erase(part)?;
        }
        Ok(())
    }
}
