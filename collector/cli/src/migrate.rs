//! `clew migrate`: updates a PostgreSQL store's schema.

use crate::say::say;
use crate::store::migrate_store;
use anyhow::Result;
use clap::Args;
use collector::config::Config;

#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// Distribute the tables over a Citus cluster; store.url has to name its coordinator.
    #[arg(long)]
    citus: bool,
}

impl Migrate {
    pub(crate) fn run(&self, config: &Config) -> Result<()> {
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
