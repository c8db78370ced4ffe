//! `clew key`: an API key, shown once, kept as a hash.

use crate::say::say;
use anyhow::{Context, Result, ensure};
use clap::Args;
use clew_core::secret::{KeyHash, new_api_key};
use collector::config::Config;
use figment::Figment;
use shared::ids::SiteId;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

#[derive(Debug, Args)]
pub(crate) struct Key {
    /// The site whose leads it opens.
    #[arg(long, value_parser = crate::init::site)]
    site: SiteId,
    /// What it is for.
    #[arg(long)]
    name: String,
}

impl Key {
    pub(crate) fn run(&self, file: Option<&Path>, config: &Config) -> Result<()> {
        let file = file.context(
            "there is no configuration yet: run `clew init` first, or name it with --config",
        )?;
        ensure!(config.site(&self.site).is_some(), "the configuration has no site `{}`", self.site);
        let key = new_api_key(rand::random());
        let table = format!(
            "\n[[keys]]\nname = {:?}\nsite = \"{}\"\nhash = \"{}\"\n",
            self.name,
            self.site,
            KeyHash::of(&key)
        );
        let text = std::fs::read_to_string(file)?;
        toml_holds(&format!("{text}{table}"))
            .context("--name: use letters, digits, spaces, - and _")?;
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
        Ok(())
    }
}

/// Whether a text is TOML at all, which a name with odd characters could spoil.
fn toml_holds(text: &str) -> Result<()> {
    use figment::providers::{Format, Toml};
    Figment::from(Toml::string(text)).extract::<figment::value::Dict>()?;
    Ok(())
}
