//! `clew import` and `clew restore`: an export into a store that holds nothing.
//!
//! The file is read through once before anything is stored, so that one that was cut short or edited
//! stores nothing. An import that is itself cut off goes on where it was, with the same file.

use crate::progress;
use crate::say::say;
use crate::store::open_store_to_import;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use clew_server::server;
use clew_store::{Holding, ImportPart, ImportState, Store};
use collector::config::Config;
use collector::transfer::{self, Whole};
use indicatif::ProgressBar;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Entities in one step of the store, and rows in them, whichever comes first.
const PART_ENTITIES: usize = 200;
const PART_ROWS: usize = 2_000;

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file that `clew export` or `clew backup` wrote.
    file: PathBuf,
}

impl Import {
    pub(crate) fn run(&self, config: &Config) -> Result<()> {
        let named = || format!("{} was not imported", self.file.display());
        let whole = verify(&self.file).with_context(named)?;
        let store = open_store_to_import(config)?;
        let before = server::block_on(async {
            let stored = self.store(&store, whole).await.with_context(named);
            // What went wrong first is what is told.
            let closed = store.close().await;
            stored.and_then(|before| closed.map(|()| before).with_context(named))
        })?;
        let went_on = match before {
            0 => String::new(),
            before => format!(", {before} of them by an import that was cut off"),
        };
        say(format_args!(
            "stored {} entities from {}{went_on}",
            whole.entities,
            self.file.display()
        ));
        Ok(())
    }

    /// Gives back how many were stored already.
    async fn store(&self, store: &Arc<dyn Store>, whole: Whole) -> Result<u64> {
        let before = match store.holding().await? {
            Holding::Nothing => 0,
            Holding::Import(state) if state.file == whole.digest => state.entities,
            Holding::Import(state) => bail!(
                "an import of another file was cut off after {} entities: go on with that file, or begin with \
                 an empty store",
                state.entities
            ),
            Holding::Something => {
                bail!(
                    "the store holds data already: name in store.url a folder or database that holds nothing"
                )
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
                let state = ImportState { file: whole.digest, entities: done };
                let entities = std::mem::take(&mut entities);
                rows = 0;
                store.import(ImportPart { entities, state, last: false }).await?;
            }
        }
        // Else it goes on with the file that it began with, or not at all.
        ensure!(reader.whole() == Some(whole), "it was exchanged for another file meanwhile");
        let state = ImportState { file: whole.digest, entities: done };
        store.import(ImportPart { entities, state, last: true }).await?;
        bar.finish_and_clear();
        Ok(before)
    }
}

/// Reads the whole file, and stores nothing.
fn verify(file: &Path) -> Result<Whole> {
    let bar = of_file(file, "reading")?;
    let counted = bar.clone();
    let mut reader = transfer::open(file, move |bytes| counted.inc(bytes))?;
    while reader.read_entity()?.is_some() {}
    bar.finish_and_clear();
    reader.whole().context("it has no end")
}

fn of_file(file: &Path, what: &str) -> Result<ProgressBar> {
    let length = std::fs::metadata(file).with_context(|| file.display().to_string())?.len();
    Ok(progress::bytes(length, what))
}
