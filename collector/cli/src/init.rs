//! `clew init`: writes a new configuration that is ready to serve one site.

use crate::say::say;
use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use collector::config::{Config, EXAMPLE};
use shared::ids::SiteId;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

/// The default configuration file.
pub(crate) const CONFIG: &str = "clew.toml";

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Name of the site, for `data-site`.
    #[arg(long, value_parser = site)]
    site: SiteId,
    /// Host of the site, including its subdomains. May be repeated.
    #[arg(long = "host", required = true)]
    hosts: Vec<String>,
    /// File to write; by default the one given by --config, or `clew.toml`.
    #[arg(long)]
    output: Option<PathBuf>,
}

/// Parses a site's name.
pub(crate) fn site(text: &str) -> Result<SiteId> {
    SiteId::parse(text).context("should be 1 to 32 characters of a-z, 0-9, '-' and '_'")
}

impl Init {
    pub(crate) fn run(self, named: Option<PathBuf>) -> Result<()> {
        let output = self.output.or(named).unwrap_or_else(|| CONFIG.into());
        let secret = STANDARD.encode(rand::random::<[u8; 32]>());
        let text = format!(
            "{EXAMPLE}\n# --- added by `clew init` ---\n\n[[token_keys]]\nid = 1\nsecret = \"{secret}\"\n\n\
             [[sites]]\nname = \"{}\"\nhosts = {:?}\n",
            self.site, self.hosts
        );
        Config::parse(&text, &[])?;
        let mut file = private_file(&output).with_context(|| {
            format!("cannot write {} (existing files are never overwritten)", output.display())
        })?;
        file.write_all(text.as_bytes())?;
        let output = output.display();
        let config = match output.to_string() {
            default if default == CONFIG => String::new(),
            named => format!("--config {named} "),
        };
        let site = self.site;
        say(format_args!(
            "Wrote {output}. Next: `clew {config}key --site {site} --name forms --scope leads:write`, then `clew {config}serve`."
        ));
        Ok(())
    }
}

/// Creates a file that only its owner can read, because it holds a secret.
fn private_file(path: &std::path::Path) -> std::io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
