//! `clew key`: an API key, shown once, kept as a hash.

use crate::say::say;
use anyhow::{Context, Result, ensure};
use clap::Args;
use clew_core::Clock;
use clew_core::secret::{KeyHash, new_api_key};
use collector::config::{Config, Expiry, Scope, Source};
use shared::ids::SiteId;
use std::fs::OpenOptions;
use std::io::Write;

#[derive(Debug, Args)]
pub(crate) struct Key {
    /// The site that it opens. May be given more than once.
    #[arg(long = "site", required = true, value_parser = crate::init::site)]
    sites: Vec<SiteId>,
    /// What it is for.
    #[arg(long)]
    name: String,
    /// What it may do: leads:write, leads:read, reports:read, hooks or admin. May be given more than once;
    /// without it leads:write, which is what a form handler needs.
    #[arg(long = "scope")]
    scopes: Vec<Scope>,
    /// Until when it opens: a date (to its end, UTC) or an RFC 3339 time; without it until its table is
    /// removed.
    #[arg(long, value_name = "TIME")]
    expires: Option<Expiry>,
}

impl Key {
    pub(crate) fn run(&self, source: &Source) -> Result<()> {
        let file = source.file.as_deref().context(
            "there is no configuration yet: run `clew init` first, or name it with --config",
        )?;
        let config = source.read()?;
        for site in &self.sites {
            ensure!(config.site(site).is_some(), "the configuration has no site `{site}`");
        }
        if let Some(expires) = &self.expires {
            let is_ahead = expires.at_ms() > Clock::system().now_ms();
            ensure!(is_ahead, "--expires: {expires} has passed");
        }
        let key = new_api_key(rand::random());
        let table = self.table(&KeyHash::of(&key));
        let text = std::fs::read_to_string(file)?;
        Config::parse(&format!("{text}{table}"), &source.environment).context(
            "the key would make the configuration wrong; in --name use letters, digits, spaces, - and _",
        )?;
        let mut output = OpenOptions::new()
            .append(true)
            .open(file)
            .with_context(|| format!("cannot add the key to {}", file.display()))?;
        output.write_all(table.as_bytes())?;
        say(&key);
        say(format_args!(
            "# Shown this once; {} keeps its hash. Send the collector SIGHUP to let it in.",
            file.display()
        ));
        let expires = self.expires.as_ref().map_or_else(|| "never".to_owned(), Expiry::to_string);
        say(format_args!(
            "# Scopes: {}; sites: {}; expires: {expires}.",
            self.scopes().join(", "),
            self.sites().join(", ")
        ));
        if self.scopes.is_empty() {
            say("# Without --scope a key reports leads, as form handlers do, and reads none.");
        }
        Ok(())
    }

    fn sites(&self) -> Vec<&str> {
        self.sites.iter().map(SiteId::as_str).collect()
    }

    fn scopes(&self) -> Vec<&str> {
        match self.scopes.as_slice() {
            [] => vec![Scope::LeadsWrite.as_str()],
            given => given.iter().map(|scope| scope.as_str()).collect(),
        }
    }

    /// What is added to the configuration.
    fn table(&self, hash: &KeyHash) -> String {
        let sites = match self.sites().as_slice() {
            [one] => format!("site = {one:?}"),
            several => format!("sites = {several:?}"),
        };
        let scopes = self.scopes();
        let expires = self.expires.as_ref();
        let expires = expires.map_or_else(String::new, |it| format!("expires = \"{it}\"\n"));
        format!(
            "\n[[keys]]\nname = {:?}\n{sites}\nscopes = {scopes:?}\n{expires}hash = \"{hash}\"\n",
            self.name
        )
    }
}
