//! A store as a file: newline-delimited JSON, the same for every backend.
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
//! The digest is the XXH3-128 of every byte before the last line, so that a file which was cut short
//! or edited is known as such before anything of it is stored. It may be compressed with gzip.

use anyhow::{Context, Result, bail, ensure};
use base16ct::lower::encode_string;
use clew_store::Entity;
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use xxhash_rust::xxh3::Xxh3;

/// The format that is written and read.
const VERSION: u32 = 4;
/// No line is as long as this: a visitor's rows are limited, and so is each of them.
const LONGEST: u64 = 1 << 30;
/// How gzip files begin.
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

/// What a whole file is known by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Whole {
    /// How many entities it holds.
    pub entities: u64,
    /// The digest in its last line.
    pub digest: [u8; 16],
}

/// Makes the lines of a file.
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
    /// None that a correct serializer makes.
    pub fn head(&mut self) -> Result<Vec<u8>> {
        self.line(&Head { clew_export: VERSION })
    }

    /// An entity's line.
    ///
    /// # Errors
    /// None that a correct serializer makes.
    pub fn entity(&mut self, entity: &Entity) -> Result<Vec<u8>> {
        self.entities += 1;
        self.line(entity)
    }

    /// The last line.
    ///
    /// # Errors
    /// None that a correct serializer makes.
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

/// Reads a file's lines.
pub struct Reader<R> {
    lines: R,
    line: Vec<u8>,
    number: u64,
    digest: Xxh3,
    entities: u64,
    end: Option<Whole>,
}

/// Opens a file, compressed or not; `progress` sees its bytes as they are read.
///
/// # Errors
/// Where it cannot be opened.
pub fn open<P: Fn(u64) + 'static>(path: &Path, progress: P) -> Result<Reader<Box<dyn BufRead>>> {
    let cannot = || format!("{} cannot be read", path.display());
    let counted = Counted { file: File::open(path).with_context(cannot)?, progress };
    let mut bytes = BufReader::with_capacity(1 << 16, counted);
    let compressed = bytes.fill_buf().with_context(cannot)?.starts_with(&GZIP);
    let lines: Box<dyn BufRead> = match compressed {
        true => Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(bytes))),
        false => Box::new(bytes),
    };
    Ok(Reader::new(lines))
}

impl<R: BufRead> Reader<R> {
    /// Over the lines of a file.
    pub fn new(lines: R) -> Self {
        let (line, digest) = (Vec::new(), Xxh3::new());
        Self { lines, line, number: 0, digest, entities: 0, end: None }
    }

    /// The next entity; `None` behind the last one, once the file is known to be whole.
    ///
    /// # Errors
    /// A sentence with the line's number.
    pub fn read_entity(&mut self) -> Result<Option<Entity>> {
        if self.number == 0 {
            ensure!(self.read_line()?, "it is empty");
            let head: Head =
                serde_json::from_slice(&self.line).context("line 1: this is no export of Clew")?;
            let version = head.clew_export;
            ensure!(
                version == VERSION,
                "line 1: the format is {version}, this program reads {VERSION}"
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
            .with_context(|| format!("line {number}: this is nothing that a store holds"))?;
        self.digest.update(&self.line);
        self.entities += 1;
        Ok(Some(entity))
    }

    /// What the file is known by, once [`Self::read_entity`] has come to its end.
    pub fn whole(&self) -> Option<Whole> {
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
             {}, and says {} with {}",
            self.entities,
            encode_string(&digest),
            tail.end.entities,
            tail.end.digest
        );
        if self.read_line()? {
            bail!("line {}: there is something behind the last line", self.number);
        }
        self.end = Some(Whole { entities: self.entities, digest });
        Ok(())
    }

    fn read_line(&mut self) -> Result<bool> {
        self.line.clear();
        let number = self.number + 1;
        let read = (&mut self.lines).take(LONGEST).read_until(b'\n', &mut self.line);
        let read = read.with_context(|| format!("line {number}: it cannot be read on"))?;
        if read == 0 {
            return Ok(false);
        }
        ensure!(
            (read as u64) < LONGEST,
            "line {number}: it is longer than anything that a store holds"
        );
        ensure!(self.line.ends_with(b"\n"), "line {number}: the file is cut short in this line");
        self.number = number;
        Ok(true)
    }
}

/// Tells how many bytes were read.
struct Counted<P> {
    file: File,
    progress: P,
}

impl<P: Fn(u64)> Read for Counted<P> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        (self.progress)(read as u64);
        Ok(read)
    }
}

/// Writes a file so that it is there whole or not at all: beside its place, synced, then renamed.
///
/// # Errors
/// Where it cannot be written; nothing is left.
pub fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let cannot = || format!("{} cannot be written", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // It holds what is in the store: its owner's alone, as temporary files are.
    let file = tempfile::Builder::new().prefix(".clew-").tempfile_in(folder);
    let mut file = file.with_context(cannot)?;
    write(&mut Named { file: file.as_file_mut(), path })?;
    file.as_file().sync_all().with_context(cannot)?;
    file.persist(path).with_context(cannot)?;
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(cannot)
}

/// A file whose errors name it.
struct Named<'a> {
    file: &'a mut File,
    path: &'a Path,
}

impl Named<'_> {
    fn told<T>(&self, written: io::Result<T>) -> io::Result<T> {
        let path = self.path.display();
        written.map_err(|error| {
            io::Error::new(error.kind(), format!("{path} cannot be written: {error}"))
        })
    }
}

impl Write for Named<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes);
        self.told(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.flush();
        self.told(flushed)
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

    /// A change of a whole file, and what its reader says.
    fn check(change: impl Fn(String) -> String, expected: Result<u64, &str>) {
        let text = change(String::from_utf8(file()).unwrap());
        let mut reader = Reader::new(text.as_bytes());
        let read = loop {
            match reader.read_entity() {
                Ok(Some(_)) => {}
                Ok(None) => break Ok(reader.whole().unwrap().entities),
                Err(error) => break Err(format!("{error:#}")),
            }
        };
        match (&read, expected) {
            (Ok(entities), Ok(wanted)) => assert_eq!(*entities, wanted),
            (Err(told), Err(part)) => assert!(told.contains(part), "{told}"),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn whole_files_and_others() {
        check(|text| text, Ok(2));
        check(|_| String::new(), Err("it is empty"));
        check(|_| "hello\n".into(), Err("line 1: this is no export of Clew"));
        check(|text| text.replace("export\":4", "export\":9"), Err("the format is 9"));
        check(|text| text.replace("a@example", "c@example"), Err("line 4: the file was changed"));
        check(|text| text.replace("\"email\"", "\"colour\""), Err("line 2: this is nothing"));
        check(|text| text.replace("\"entities\":2", "\"entities\":3"), Err("line 4: the file was"));
        check(|text| text + "{}\n", Err("line 5: there is something behind"));
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
