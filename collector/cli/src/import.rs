//! `clew import` and `clew restore`: import an export into an empty store.
//!
//! The whole file is verified before anything is stored, so a truncated or edited file stores
//! nothing. An interrupted import continues where it stopped when it is run again with the same
//! file.

use crate::progress;
use crate::say::say;
use crate::store::open_store_to_import;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use clew_server::server;
use clew_store::{Contents, ImportPart, ImportState, Store};
use collector::config::Config;
use collector::transfer::{self, ExportSummary};
use indicatif::ProgressBar;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Entities, and rows in them, that one step of the store takes, whichever limit comes first.
const PART_ENTITIES: usize = 200;
const PART_ROWS: usize = 2_000;

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// File written by `clew export` or `clew backup`.
    file: PathBuf,
}

impl Import {
    pub(crate) fn run(&self, config: &Config) -> Result<()> {
        let named = || format!("{} was not imported", self.file.display());
        let summary = verify(&self.file).with_context(named)?;
        let store = open_store_to_import(config)?;
        let before = server::block_on(async {
            let stored = self.store(&store, summary).await.with_context(named);
            // The first error is the one that is reported.
            let closed = store.close().await;
            stored.and_then(|before| closed.map(|()| before).with_context(named))
        })?;
        let went_on = match before {
            0 => String::new(),
            before => format!(", {before} of them in an earlier, interrupted import"),
        };
        say(format_args!(
            "stored {} entities from {}{went_on}",
            summary.entities,
            self.file.display()
        ));
        Ok(())
    }

    /// Stores the file; returns how many entities an interrupted import had already stored.
    async fn store(&self, store: &Arc<dyn Store>, summary: ExportSummary) -> Result<u64> {
        let before = match store.contents().await? {
            Contents::Nothing => 0,
            Contents::Import(state) if state.file == summary.digest => state.entities,
            Contents::Import(state) => bail!(
                "an import of a different file was interrupted after {} entities: continue with that file, or \
                 use an empty store",
                state.entities
            ),
            Contents::Something => {
                bail!("the store already holds data: set store.url to an empty folder or database")
            }
        };
        let bar = of_file(&self.file, "storing")?;
        let counted = bar.clone();
        let mut reader = transfer::open(&self.file, move |bytes| counted.inc(bytes))?;
        let (mut done, mut rows, mut entities) = (0, 0, Vec::new());
        while let Some(entity) = reader.read_entity()? {
            done += 1;
            if done <= before {
                continue;
            }
            rows += entity.rows();
            entities.push(entity);
            if entities.len() >= PART_ENTITIES || rows >= PART_ROWS {
                let state = ImportState { file: summary.digest, entities: done };
                let entities = std::mem::take(&mut entities);
                rows = 0;
                store.import(ImportPart { entities, state, last: false }).await?;
            }
        }
        // Without the last part, the import can only continue with the file that it began with.
        ensure!(
            reader.summary() == Some(summary),
            "the file was replaced during the import; run it again with the original file"
        );
        let state = ImportState { file: summary.digest, entities: done };
        store.import(ImportPart { entities, state, last: true }).await?;
        bar.finish_and_clear();
        Ok(before)
    }
}

/// Reads and checks the whole file without storing anything.
fn verify(file: &Path) -> Result<ExportSummary> {
    let bar = of_file(file, "reading")?;
    let counted = bar.clone();
    let mut reader = transfer::open(file, move |bytes| counted.inc(bytes))?;
    while reader.read_entity()?.is_some() {}
    bar.finish_and_clear();
    reader.summary().context("the file is incomplete: its last line is missing")
}

fn of_file(file: &Path, what: &str) -> Result<ProgressBar> {
    let length = std::fs::metadata(file).with_context(|| file.display().to_string())?.len();
    Ok(progress::bytes(length, what))
}
