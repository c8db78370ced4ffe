//! Exports: a whole store as newline-delimited JSON, in the same format for every backend.
//!
//! ```text
//! {"clew_export":4}
//! {"visitor":{"site":"demo","visitor":"…","record":{…},"events":[…]}}
//! {"lead":{"lead":{…},"conversions":[…],"deliveries":[…],"records":[…]}}
//! {"identity":{"site":"demo","kind":"email","value":"…","lead":"…"}}
//! {"used_key":{"site":"demo","key":"…","used":{…}}}
//! {"unmatched":{"site":"demo","names":[…],"record":{…},"crm_record":null}}
//! {"memo":{"kind":"cursor","name":"…","stamp":1,"value":"…"}}
//! {"end":{"entities":6,"digest":"…"}}
//! ```
//!
//! The digest is the XXH3-128 of all bytes before the last line, so that a truncated or edited file
//! is detected before anything is stored. Files may be compressed with gzip.

use anyhow::{Context, Result, bail, ensure};
use base16ct::lower::encode_string;
use clew_store::Entity;
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use xxhash_rust::xxh3::Xxh3;

/// The version of the format that is written and read.
const VERSION: u32 = 4;
/// An upper bound for lines: the number of a visitor's rows is limited, and so is the size of each.
const LONGEST: u64 = 1 << 30;
/// The first bytes of gzip files.
const GZIP: [u8; 2] = [0x1f, 0x8b];

#[derive(Serialize, Deserialize)]
struct Head {
    clew_export: u32,
}

#[derive(Serialize, Deserialize)]
struct Tail {
    end: End,
}

#[derive(Serialize, Deserialize)]
struct End {
    entities: u64,
    digest: String,
}

/// Identifies a complete file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExportSummary {
    /// The number of entities.
    pub entities: u64,
    /// The digest in its last line.
    pub digest: [u8; 16],
}

/// Writes the lines of a file.
pub struct Lines {
    digest: Xxh3,
    entities: u64,
}

impl Default for Lines {
    fn default() -> Self {
        Self { digest: Xxh3::new(), entities: 0 }
    }
}

impl Lines {
    /// The first line.
    ///
    /// # Errors
    /// If serialization fails, which should not happen.
    pub fn head(&mut self) -> Result<Vec<u8>> {
        self.line(&Head { clew_export: VERSION })
    }

    /// An entity's line.
    ///
    /// # Errors
    /// If serialization fails, which should not happen.
    pub fn entity(&mut self, entity: &Entity) -> Result<Vec<u8>> {
        self.entities += 1;
        self.line(entity)
    }

    /// The last line.
    ///
    /// # Errors
    /// If serialization fails, which should not happen.
    pub fn end(mut self) -> Result<Vec<u8>> {
        let (entities, digest) =
            (self.entities, encode_string(&self.digest.digest128().to_be_bytes()));
        self.line(&Tail { end: End { entities, digest } })
    }

    fn line(&mut self, value: &impl Serialize) -> Result<Vec<u8>> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.digest.update(&line);
        Ok(line)
    }
}

/// Reads the lines of a file.
pub struct Reader<R> {
    lines: R,
    line: Vec<u8>,
    number: u64,
    digest: Xxh3,
    entities: u64,
    end: Option<ExportSummary>,
}

/// Opens a file, compressed or not; `progress` is called with the number of bytes of each read.
///
/// # Errors
/// If it cannot be opened or read.
pub fn open<P: Fn(u64) + 'static>(path: &Path, progress: P) -> Result<Reader<Box<dyn BufRead>>> {
    let cannot = || format!("{} cannot be read", path.display());
    let counted = CountingReader { file: File::open(path).with_context(cannot)?, progress };
    let mut bytes = BufReader::with_capacity(1 << 16, counted);
    let compressed = bytes.fill_buf().with_context(cannot)?.starts_with(&GZIP);
    let lines: Box<dyn BufRead> = match compressed {
        true => Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(bytes))),
        false => Box::new(bytes),
    };
    Ok(Reader::new(lines))
}

impl<R: BufRead> Reader<R> {
    /// Reads from the lines of a file.
    pub fn new(lines: R) -> Self {
        let (line, digest) = (Vec::new(), Xxh3::new());
        Self { lines, line, number: 0, digest, entities: 0, end: None }
    }

    /// The next entity; `None` after the last one, once the file has been verified as complete.
    ///
    /// # Errors
    /// If a line is not valid; the error names its number.
    pub fn read_entity(&mut self) -> Result<Option<Entity>> {
        if self.number == 0 {
            ensure!(self.read_line()?, "it is empty");
            let head: Head =
                serde_json::from_slice(&self.line).context("line 1: this is not a Clew export")?;
            let version = head.clew_export;
            ensure!(
                version == VERSION,
                "line 1: the format is {version}, but this program reads {VERSION}"
            );
            self.digest.update(&self.line);
        }
        ensure!(
            self.read_line()?,
            "line {}: the file is cut short: its last line is missing",
            self.number + 1
        );
        if self.line.starts_with(b"{\"end\":") {
            return self.check_end().map(|()| None);
        }
        let number = self.number;
        let entity = serde_json::from_slice(&self.line)
            .with_context(|| format!("line {number}: this is not a valid entity"))?;
        self.digest.update(&self.line);
        self.entities += 1;
        Ok(Some(entity))
    }

    /// The complete file's identity, once [`Self::read_entity`] has reached its end.
    pub fn summary(&self) -> Option<ExportSummary> {
        self.end
    }

    fn check_end(&mut self) -> Result<()> {
        let number = self.number;
        let tail: Tail = serde_json::from_slice(&self.line)
            .with_context(|| format!("line {number}: the last line cannot be read"))?;
        let digest = self.digest.digest128().to_be_bytes();
        ensure!(
            tail.end.entities == self.entities && tail.end.digest == encode_string(&digest),
            "line {number}: the file was changed after it was written: it holds {} entities with the digest \
             {}, but its last line says {} with {}",
            self.entities,
            encode_string(&digest),
            tail.end.entities,
            tail.end.digest
        );
        if self.read_line()? {
            bail!("line {}: there is data after the last line", self.number);
        }
        self.end = Some(ExportSummary { entities: self.entities, digest });
        Ok(())
    }

    fn read_line(&mut self) -> Result<bool> {
        self.line.clear();
        let number = self.number + 1;
        let read = (&mut self.lines).take(LONGEST).read_until(b'\n', &mut self.line);
        let read = read.with_context(|| format!("line {number}: it cannot be read"))?;
        if read == 0 {
            return Ok(false);
        }
        ensure!((read as u64) < LONGEST, "line {number}: it is longer than any valid line");
        ensure!(self.line.ends_with(b"\n"), "line {number}: the file is cut short in this line");
        self.number = number;
        Ok(true)
    }
}

/// A file that reports how many bytes were read.
struct CountingReader<P> {
    file: File,
    progress: P,
}

impl<P: Fn(u64)> Read for CountingReader<P> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        (self.progress)(read as u64);
        Ok(read)
    }
}

/// Writes a file completely or not at all: to a temporary file in the same folder, synced, then
/// renamed.
///
/// # Errors
/// If it cannot be written; nothing is left behind.
pub fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let cannot = || format!("{} cannot be written", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // Temporary files are accessible only to their owner, as an export should be.
    let file = tempfile::Builder::new().prefix(".clew-").tempfile_in(folder);
    let mut file = file.with_context(cannot)?;
    write(&mut NamedFile { file: file.as_file_mut(), path })?;
    file.as_file().sync_all().with_context(cannot)?;
    file.persist(path).with_context(cannot)?;
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(cannot)
}

/// A file whose errors name it.
struct NamedFile<'a> {
    file: &'a mut File,
    path: &'a Path,
}

impl NamedFile<'_> {
    fn name_file<T>(&self, written: io::Result<T>) -> io::Result<T> {
        let path = self.path.display();
        written.map_err(|error| {
            io::Error::new(error.kind(), format!("{path} cannot be written: {error}"))
        })
    }
}

impl Write for NamedFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes);
        self.name_file(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.flush();
        self.name_file(flushed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::ids::{LeadId, SiteId};
    use shared::lead::IdentityKind;

    fn file() -> Vec<u8> {
        let mut lines = Lines::default();
        let mut file = lines.head().unwrap();
        for name in ["a", "b"] {
            let entity = Entity::Identity {
                site: SiteId::parse("demo").unwrap(),
                kind: IdentityKind::Email,
                value: format!("{name}@example.com"),
                lead: LeadId::new(0, [1; 10]),
            };
            file.extend(lines.entity(&entity).unwrap());
        }
        file.extend(lines.end().unwrap());
        file
    }

    /// Changes a complete file; expects the number of entities, or a part of the error.
    fn check(change: impl Fn(String) -> String, expected: Result<u64, &str>) {
        let text = change(String::from_utf8(file()).unwrap());
        let mut reader = Reader::new(text.as_bytes());
        let read = loop {
            match reader.read_entity() {
                Ok(Some(_)) => {}
                Ok(None) => break Ok(reader.summary().unwrap().entities),
                Err(error) => break Err(format!("{error:#}")),
            }
        };
        match (&read, expected) {
            (Ok(entities), Ok(wanted)) => assert_eq!(*entities, wanted),
            (Err(message), Err(part)) => assert!(message.contains(part), "{message}"),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn whole_files_and_others() {
        check(|text| text, Ok(2));
        check(|_| String::new(), Err("it is empty"));
        check(|_| "hello\n".into(), Err("line 1: this is not a Clew export"));
        check(|text| text.replace("export\":4", "export\":9"), Err("the format is 9"));
        check(|text| text.replace("a@example", "c@example"), Err("line 4: the file was changed"));
        check(|text| text.replace("\"email\"", "\"colour\""), Err("line 2: this is not a valid"));
        check(|text| text.replace("\"entities\":2", "\"entities\":3"), Err("line 4: the file was"));
        check(|text| text + "{}\n", Err("line 5: there is data after"));
        let cut = |lines: usize| {
            move |text: String| text.split_inclusive('\n').take(lines).collect::<String>()
        };
        check(cut(3), Err("line 4: the file is cut short"));
        check(cut(1), Err("line 2: the file is cut short"));
        check(|text| text[..text.len() - 10].into(), Err("line 4: the file is cut short in"));
        check(|text| text[..text.len() / 2].into(), Err("the file is cut short in this line"));
        let without_second = |text: String| {
            text.split_inclusive('\n')
                .enumerate()
                .filter(|(i, _)| *i != 1)
                .map(|(_, l)| l)
                .collect()
        };
        check(without_second, Err("line 3: the file was changed"));
    }
}
