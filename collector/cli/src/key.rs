//! `clew key`: creates an API key. The key is printed once; the configuration keeps only its hash.

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
    /// Site that the key gives access to. May be repeated.
    #[arg(long = "site", required = true, value_parser = crate::init::site)]
    sites: Vec<SiteId>,
    /// What the key is for.
    #[arg(long)]
    name: String,
    /// What the key may do: leads:write, leads:read, reports:read, hooks or admin. May be repeated.
    /// The default is leads:write, which is what a form handler needs.
    #[arg(long = "scope")]
    scopes: Vec<Scope>,
    /// When the key expires: a date (valid to the end of that day, UTC) or an RFC 3339 time. By
    /// default it never does.
    #[arg(long, value_name = "TIME")]
    expires: Option<Expiry>,
}

impl Key {
    pub(crate) fn run(&self, source: &Source) -> Result<()> {
        let file = source.file.as_deref().context(
            "there is no configuration: run `clew init` first, or name the file with --config",
        )?;
        let config = source.read()?;
        for site in &self.sites {
            ensure!(config.site(site).is_some(), "the configuration has no site `{site}`");
        }
        if let Some(expires) = &self.expires {
            let is_ahead = expires.at_ms() > Clock::system().now_ms();
            ensure!(is_ahead, "--expires: {expires} is in the past; use a later date");
        }
        let key = new_api_key(rand::random());
        let table = self.table(&KeyHash::of(&key));
        let text = std::fs::read_to_string(file)?;
        Config::parse(&format!("{text}{table}"), &source.environment).context(
            "this key would make the configuration invalid; use only letters, digits, spaces, - and _ in --name",
        )?;
        let mut output = OpenOptions::new()
            .append(true)
            .open(file)
            .with_context(|| format!("cannot add the key to {}", file.display()))?;
        output.write_all(table.as_bytes())?;
        say(&key);
        say(format_args!(
            "# This key is not shown again; {} keeps only its hash. Send the collector SIGHUP to activate it.",
            file.display()
        ));
        let expires = self.expires.as_ref().map_or_else(|| "never".to_owned(), Expiry::to_string);
        say(format_args!(
            "# Scopes: {}; sites: {}; expires: {expires}.",
            self.scopes().join(", "),
            self.sites().join(", ")
        ));
        if self.scopes.is_empty() {
            say(
                "# Without --scope, a key can report leads, as form handlers do, but not read them.",
            );
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

    /// The table to append to the configuration.
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
