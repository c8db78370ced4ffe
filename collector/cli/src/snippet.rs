//! `clew snippet`: prints the tag to paste into a site's pages, and the CSP that the tag needs.

use crate::say::say;
use anyhow::{Context, Result, ensure};
use clap::Args;
use clew_server::tracker::Tracker;
use collector::config::Config;
use shared::ids::SiteId;

#[derive(Debug, Args)]
pub(crate) struct Snippet {
    /// Name of the site.
    #[arg(long, value_parser = crate::init::site)]
    site: SiteId,
}

impl Snippet {
    pub(crate) fn run(&self, config: &Config) -> Result<()> {
        ensure!(config.site(&self.site).is_some(), "the configuration has no site `{}`", self.site);
        let tracker = Tracker::built_in().context(
            "this binary was built without the tracker; run `cargo xtask tracker` and rebuild it",
        )?;
        let origin = config.public_url.origin().ascii_serialization();
        let base = format!("{origin}{}", config.prefix);
        let site = &self.site;
        say("<!-- Paste this into the head of every page: -->");
        say(format_args!("<script async src=\"{base}/s.js\" data-site=\"{site}\"></script>"));
        say(format_args!(
            "<noscript><img src=\"{base}/p.gif?site={site}\" alt=\"\" referrerpolicy=\"no-referrer-when-downgrade\"></noscript>"
        ));
        say("\n<!-- Or pin this version, verified by the browser: -->");
        say(format_args!(
            "<script async src=\"{base}/s.{}.js\" data-site=\"{site}\" integrity=\"{}\" crossorigin=\"anonymous\"></script>",
            tracker.script.hash, tracker.script.integrity
        ));
        say("\n# If the site sends a Content-Security-Policy, it needs:");
        say(format_args!(
            "script-src {origin} 'wasm-unsafe-eval'; connect-src {origin}; img-src {origin}"
        ));
        say("# Without 'wasm-unsafe-eval', page views are still reported, but without engagement.");
        Ok(())
    }
}
