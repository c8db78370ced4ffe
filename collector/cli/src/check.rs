//! `clew check`: checks that the store is consistent and counts what it holds.

use crate::export;
use crate::say::say;
use anyhow::{Result, bail};
use collector::check::{Check, Counts, Report};
use collector::config::Config;
use shared::source::rules_name;

pub(crate) fn run(config: &Config) -> Result<()> {
    let mut check = Check::default();
    export::everything(config, |entity| Ok(check.take(entity)?))?;
    let Report { counts, rules, digest, problems, further } = check.finish();
    let Counts {
        visitors,
        page_views,
        stubs,
        actions,
        touches,
        leads,
        conversions,
        deliveries,
        records,
        unmatched,
        memos,
        identities,
        likenesses,
        used_keys,
    } = counts;
    for (what, count) in [
        ("visitors", visitors),
        ("page views", page_views),
        ("page views yet to arrive", stubs),
        ("actions", actions),
        ("touches", touches),
        ("leads", leads),
        ("conversions", conversions),
        ("deliveries", deliveries),
        ("stages, deals and links", records),
        ("unmatched records", unmatched),
        ("memos", memos),
        ("identities", identities),
        ("likenesses", likenesses),
        ("idempotency keys", used_keys),
    ] {
        say(format_args!("{what:<24} {count:>12}"));
    }
    for (rules, count) in rules {
        let what = format!("labelled by {}", rules_name(rules));
        say(format_args!("{what:<28} {count:>8}"));
    }
    say(format_args!("{:<24} {digest}", "digest"));
    if problems.is_empty() {
        say(format_args!("the page views of {visitors} visitors make {touches} touches"));
        say("the store is consistent");
        return Ok(());
    }
    for problem in &problems {
        say(problem);
    }
    let count = problems.len() as u64 + further;
    bail!("the store is inconsistent; problems found: {count}")
}
