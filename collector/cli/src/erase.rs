//! `clew erase visitors`: removes browsers that belong to nobody, and the leads that their pages
//! proposed.
//!
//! Which visitors fit is read from an export, and looked at again in the step that erases each. So a
//! visitor that is joined or comes back meanwhile stays, and a run that was cut off is taken up by the
//! next.

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
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Visitors that belong to no lead, and the leads that their pages proposed.
    Visitors(Visitors),
}

/// Those that fit all that is given.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("criteria").required(true).multiple(true).args(["before", "flagged"])))]
struct Visitors {
    /// Of this site.
    #[arg(long, value_parser = crate::init::site)]
    site: SiteId,
    /// Last active before this day (UTC), like 2026-11-21, or before this time in RFC 3339.
    #[arg(long, value_name = "DATE", value_parser = time)]
    before: Option<i64>,
    /// All of their page views are flagged.
    #[arg(long, value_name = "AS")]
    flagged: Option<Flag>,
    /// Say what would be erased, and erase nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Flag {
    /// Programs, driven browsers, pages fetched ahead, and the site's own traffic.
    Bots,
}

fn time(text: &str) -> Result<i64> {
    parse_utc(text).context("should be like 2026-11-21 or 2026-11-21T10:15:04Z")
}

/// What was found and what became of it.
#[derive(Default)]
struct Run {
    /// Whether the store has any visitor of the site.
    is_known: bool,
    /// Visitors that fit.
    chosen: u64,
    /// Those that are to be erased next.
    part: Vec<Erasure>,
    /// In a dry run: visitors that have a proposed lead, which is yet to be read.
    waiting: HashMap<LeadId, Erased>,
    /// What was erased, or would be.
    erased: Erased,
}

impl Erase {
    pub(crate) fn run(&self, config: &Config) -> Result<()> {
        let What::Visitors(visitors) = &self.what;
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
                // What is gone is gone.
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
            // They come behind all visitors.
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
                "left: {stayed} visitors whose proposed lead has stages, deals or a record in a CRM, or who \
                 changed meanwhile"
            ));
        }
        if self.dry_run {
            say("nothing was written: this was a dry run");
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
