//! CSV input with a header: looks up columns by name, parses cells and reports errors with their
//! line.

mod lines;

use anyhow::{Context, Result, anyhow, bail, ensure};
use csv::StringRecord;
use lines::Lines;
use std::io::BufRead;

/// The largest number of hours or conversions; floats are exact up to here.
const MOST: f64 = 1e15;
/// Separates touches.
const SEPARATOR: char = '>';

/// A table whose header has been read.
pub(crate) struct Table<R> {
    reader: csv::Reader<Lines<R>>,
    /// Column names for lookup: trimmed and in lower case.
    header: Vec<String>,
    written: StringRecord,
}

/// A column of the table.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    index: usize,
    /// The column's name.
    pub(crate) name: &'static str,
}

impl<R: BufRead> Table<R> {
    /// Reads the header.
    pub(crate) fn open(input: R) -> Result<Self> {
        let input = Lines::new(input);
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(input);
        let written = reader.headers().context("the header cannot be read")?.clone();
        let name = |text: &str| text.trim_start_matches('\u{feff}').trim().to_ascii_lowercase();
        let header: Vec<String> = written.iter().map(name).collect();
        ensure!(
            !header.is_empty(),
            "the input is empty; it should start with a header of column names"
        );
        ensure!(!reader.get_ref().has_ended(), "the header has a quote that is never closed");
        Ok(Self { reader, header, written })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.header.iter().any(|column| column == name)
    }

    /// The column names as written, without a byte order mark.
    pub(crate) fn written(&self) -> impl Iterator<Item = &str> {
        self.written.iter().map(|name| name.trim_start_matches('\u{feff}'))
    }

    /// Looks up an optional column.
    pub(crate) fn find(&self, name: &'static str) -> Result<Option<Column>> {
        let mut places = self.header.iter().enumerate().filter(|(_, column)| *column == name);
        let first = places.next();
        ensure!(places.next().is_none(), "the header has more than one column `{name}`");
        Ok(first.map(|(index, _)| Column { index, name }))
    }

    /// Looks up required columns; the error names all that are missing.
    pub(crate) fn need<const N: usize>(
        &self,
        names: [&'static str; N],
        why: &str,
    ) -> Result<[Column; N]> {
        let missing: Vec<&str> = names.into_iter().filter(|name| !self.has(name)).collect();
        ensure!(
            missing.is_empty(),
            "the header lacks {}: {why}; it has {}",
            missing.join(" and "),
            self.header.join(", ")
        );
        let mut columns = [Column { index: 0, name: "" }; N];
        for (column, name) in columns.iter_mut().zip(names) {
            *column = self.find(name)?.ok_or_else(|| anyhow!("the header lacks {name}"))?;
        }
        Ok(columns)
    }

    /// Passes every row to `take`; stops at the first error and adds the row's line to it.
    pub(crate) fn rows(mut self, mut take: impl FnMut(Row<'_>) -> Result<()>) -> Result<()> {
        let mut record = StringRecord::new();
        let width = self.header.len();
        loop {
            let read = self.reader.read_record(&mut record);
            let lines = self.reader.get_ref();
            // A quoted field may span lines; the row's number is that of its first line. If a quote
            // is never closed, the field includes the end of the last line.
            let breaks = record.iter().flat_map(str::bytes).filter(|byte| *byte == b'\n').count();
            let line = lines.count() + u64::from(lines.has_ended());
            let line = line.saturating_sub(breaks as u64);
            let taken = match read {
                Ok(false) => return Ok(()),
                Ok(true) if lines.has_ended() => Err(anyhow!("a quote is never closed")),
                Ok(true) if record.len() != width => {
                    Err(anyhow!("the header has {width} fields, but the row has {}", record.len()))
                }
                Ok(true) => take(Row(&record)),
                Err(error) if error.is_io_error() => {
                    return Err(error).context("the input cannot be read");
                }
                Err(_) => Err(anyhow!("not valid UTF-8")),
            };
            taken.with_context(|| format!("line {line}"))?;
        }
    }
}

/// A complete row.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a>(&'a StringRecord);

impl<'a> Row<'a> {
    pub(crate) fn text(self, column: Column) -> &'a str {
        self.0.get(column.index).unwrap_or_default().trim()
    }

    /// Every cell, unchanged.
    pub(crate) fn cells(self) -> impl Iterator<Item = &'a str> {
        self.0.iter()
    }

    /// The parts of a cell between the separators; at least one, and none empty.
    pub(crate) fn list(self, column: Column) -> Result<impl Iterator<Item = &'a str> + Clone> {
        let Column { name, .. } = column;
        let text = self.text(column);
        ensure!(!text.is_empty(), "{name} is empty");
        let parts = text.split(SEPARATOR).map(str::trim);
        if let Some(place) = parts.clone().position(str::is_empty) {
            bail!("{name} `{}` is empty at touch {place}, counted from 0", shortened(text));
        }
        Ok(parts)
    }

    pub(crate) fn number(self, column: Column) -> Result<f64> {
        read_number(self.text(column), column, 0.0)
    }

    /// Like [`Self::number`], but the cell may be empty.
    pub(crate) fn optional_number(self, column: Column) -> Result<Option<f64>> {
        let text = self.text(column);
        (!text.is_empty()).then(|| read_number(text, column, 0.0)).transpose()
    }

    /// A list of hours before something; negative means after it.
    pub(crate) fn hours(self, column: Column) -> Result<Vec<f64>> {
        self.list(column)?.map(|text| read_number(text, column, -MOST)).collect()
    }

    /// Like [`Self::hours`], but a single number, and the cell may be empty.
    pub(crate) fn optional_hours(self, column: Column) -> Result<Option<f64>> {
        let text = self.text(column);
        (!text.is_empty()).then(|| read_number(text, column, -MOST)).transpose()
    }

    pub(crate) fn flag(self, column: Column) -> Result<bool> {
        match self.text(column) {
            "0" => Ok(false),
            "1" => Ok(true),
            text => bail!("{} `{}` is neither 0 nor 1", column.name, shortened(text)),
        }
    }
}

fn read_number(text: &str, column: Column, least: f64) -> Result<f64> {
    let number = text.parse().ok().filter(|number| (least..=MOST).contains(number));
    let least = if least < 0.0 { "-1e15" } else { "0" };
    let wrong = || {
        let Column { name, .. } = column;
        anyhow!("{name} `{}` is not a number from {least} to 1e15", shortened(text))
    };
    number.ok_or_else(wrong)
}

/// Shortens a cell's text for an error message.
pub(crate) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
