//! `clew export` and `clew backup`: everything in the store as a file.
//!
//! sled lets one process in: where a collector has the store, it is asked over its socket, and goes
//! on meanwhile; else the command opens the store itself.

use super::{progress, say};
use crate::app::{ensure_whole, open_existing_store, operator_socket};
use crate::check::{Check, Report};
use crate::config::Config;
use crate::server;
use crate::store::{Entity, StoreError};
use crate::transfer::{self, Lines, Reader};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use shared::time::rfc3339;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct Export {
    /// The file to write, compressed where its name ends in `.gz`; `-` for standard output.
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The folder to write into.
    folder: PathBuf,
}

impl Export {
    pub(super) fn run(&self, config: &Config) -> Result<()> {
        if self.file == Path::new("-") {
            let mut out = BufWriter::new(std::io::stdout().lock());
            write(config, &mut out)?;
            return Ok(out.flush()?);
        }
        let report = write_file(config, &self.file)?;
        tell(&format!("wrote {}", self.file.display()), &report);
        Ok(())
    }
}

impl Backup {
    pub(super) fn run(&self, config: &Config) -> Result<()> {
        ensure!(self.folder.is_dir(), "there is no folder {}", self.folder.display());
        let now = rfc3339(crate::clock::Clock::system().now_ms());
        let stamp: String = now.chars().filter(|digit| digit.is_ascii_alphanumeric()).collect();
        let file = self.folder.join(format!("clew-{stamp}.ndjson.gz"));
        let report = write_file(config, &file)?;
        let read = read_back(&file)?;
        ensure!(
            read == report.digest,
            "{} was written and does not read back the same: its digest is {read}, the store's {}",
            file.display(),
            report.digest
        );
        tell(&format!("wrote {} and read it back", file.display()), &report);
        Ok(())
    }
}

fn tell(what: &str, report: &Report) {
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

/// Hands over everything that the configured store holds, with progress.
pub(super) fn everything(
    config: &Config,
    mut each: impl FnMut(&Entity) -> Result<()>,
) -> Result<()> {
    let bar = progress::count("entities");
    let mut counted = |entity: &Entity| {
        bar.inc(1);
        each(entity)
    };
    let done = match open_existing_store(config) {
        Ok(store) => server::block_on(async {
            ensure_whole(&*store).await?;
            let mut entities = store.export();
            while let Some(entity) = entities.next().await {
                counted(&entity?)?;
            }
            Ok(store.close().await?)
        }),
        Err(error) if matches!(error.downcast_ref(), Some(StoreError::InUse(_))) => {
            let socket = operator_socket(config).context("the store has no collector to ask")?;
            ask_collector(&socket, counted)
        }
        Err(error) => Err(error),
    };
    bar.finish_and_clear();
    done
}

fn ask_collector(socket: &Path, mut each: impl FnMut(&Entity) -> Result<()>) -> Result<()> {
    let told = || {
        format!(
            "the store is in use, and nobody answers on {}: a collector that is stopping, or a command that \
             writes; try again when it has ended",
            socket.display()
        )
    };
    // Fails where it is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::blocking::Client::builder()
        .unix_socket(socket)
        .timeout(None)
        .build()
        .with_context(told)?;
    // The socket is the address; the host is there for form's sake.
    let answer = client.get("http://collector/export").send().with_context(told)?;
    let status = answer.status();
    if !status.is_success() {
        let problem: serde_json::Value = answer.json().unwrap_or_default();
        bail!(
            "the collector answered {status}: {}",
            problem["detail"].as_str().unwrap_or_default()
        );
    }
    let mut reader = Reader::new(BufReader::with_capacity(1 << 16, answer));
    let told = |error: anyhow::Error| {
        let cut_off = error.chain().any(|cause| cause.is::<std::io::Error>());
        error.context(match cut_off {
            true => "the collector's answer was cut off; its log says more",
            false => "the collector's answer cannot be read",
        })
    };
    while let Some(entity) = reader.read_entity().map_err(told)? {
        each(&entity)?;
    }
    Ok(())
}
