//! To be written.
use crate::config::Config;
use anyhow::Result;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Demo {}
impl Demo {
    pub(super) fn run(&self, _config: &Config) -> Result<()> {
        Ok(())
    }
}
