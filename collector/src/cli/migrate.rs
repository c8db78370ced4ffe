//! `clew migrate`: brings a PostgreSQL store's schema up to date.

use super::say;
use crate::app::migrate_store;
use crate::config::Config;
use anyhow::Result;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// Distribute the tables over a Citus cluster; the url names its coordinator.
    #[arg(long)]
    citus: bool,
}

impl Migrate {
    pub(super) fn run(&self, config: &Config) -> Result<()> {
        let migrated = migrate_store(config, self.citus)?;
        for migration in &migrated.migrations {
            say(format_args!("ran {migration}"));
        }
        for table in &migrated.distributed {
            say(format_args!("distributed {table}"));
        }
        if migrated.migrations.is_empty() && migrated.distributed.is_empty() {
            say("nothing to do: the schema is up to date");
        }
        Ok(())
    }
}
