//! `clew export` and `clew backup`: write the whole store to a file.

use crate::access::Access;
use crate::progress;
use crate::say::say;
use anyhow::{Context, Result, ensure};
use clap::Args;
use clew_store::Entity;
use collector::check::{Check, Report};
use collector::config::Config;
use collector::transfer::{self, Lines};
use flate2::Compression;
use flate2::write::GzEncoder;
use shared::time::rfc3339;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// File to write, compressed if its name ends in `.gz`; `-` for standard output.
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Folder to write the backup to.
    folder: PathBuf,
}

impl Export {
    pub(crate) fn run(&self, config: &Config) -> Result<()> {
        if self.file == Path::new("-") {
            let mut out = BufWriter::new(std::io::stdout().lock());
            write(config, &mut out)?;
            return Ok(out.flush()?);
        }
        let report = write_file(config, &self.file)?;
        print_report(&format!("wrote {}", self.file.display()), &report);
        Ok(())
    }
}

impl Backup {
    pub(crate) fn run(&self, config: &Config) -> Result<()> {
        ensure!(self.folder.is_dir(), "the folder {} does not exist", self.folder.display());
        let now = rfc3339(clew_core::Clock::system().now_ms());
        let stamp: String = now.chars().filter(|digit| digit.is_ascii_alphanumeric()).collect();
        let file = self.folder.join(format!("clew-{stamp}.ndjson.gz"));
        let report = write_file(config, &file)?;
        let read = read_back(&file)?;
        ensure!(
            read == report.digest,
            "{} was written but reads back differently: its digest is {read}, but the store's is {}",
            file.display(),
            report.digest
        );
        print_report(&format!("wrote {} and read it back", file.display()), &report);
        Ok(())
    }
}

fn print_report(what: &str, report: &Report) {
    let counts = &report.counts;
    say(format_args!(
        "{what}: {} visitors, {} page views, {} leads; digest {}",
        counts.visitors, counts.page_views, counts.leads, report.digest
    ));
}

fn write_file(config: &Config, file: &Path) -> Result<Report> {
    let mut report = None;
    transfer::write_whole(file, |out| {
        let mut out = BufWriter::with_capacity(1 << 16, out);
        report = Some(match file.extension().is_some_and(|end| end == "gz") {
            true => {
                let mut packed = GzEncoder::new(&mut out, Compression::fast());
                let report = write(config, &mut packed)?;
                packed.finish()?;
                report
            }
            false => write(config, &mut out)?,
        });
        Ok(out.flush()?)
    })?;
    report.context("nothing was written")
}

fn write(config: &Config, out: &mut dyn Write) -> Result<Report> {
    let (mut lines, mut check) = (Lines::default(), Check::default());
    out.write_all(&lines.head()?)?;
    everything(config, |entity| {
        check.take(entity)?;
        Ok(out.write_all(&lines.entity(entity)?)?)
    })?;
    out.write_all(&lines.end()?)?;
    Ok(check.finish())
}

fn read_back(file: &Path) -> Result<String> {
    let mut reader = transfer::open(file, |_| {})?;
    let mut check = Check::default();
    while let Some(entity) = reader.read_entity().with_context(|| file.display().to_string())? {
        check.take(&entity)?;
    }
    Ok(check.finish().digest)
}

/// Passes every entity of the configured store to `each`, with a progress bar.
pub(crate) fn everything(
    config: &Config,
    mut each: impl FnMut(&Entity) -> Result<()>,
) -> Result<()> {
    let access = Access::open(config)?;
    let bar = progress::count("entities");
    let done = access.everything(|entity| {
        bar.inc(1);
        each(&entity).map(|()| ControlFlow::Continue(()))
    });
    bar.finish_and_clear();
    done.and_then(|()| access.close())
}
