//! SQL statements: their text, the shard they run on, and multi-row inserts.

use std::sync::LazyLock;

/// Where a statement runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shard {
    /// On the shard of the bucket that it names in this column.
    One(&'static str),
    /// Each row on the shard of its own bucket, in this column.
    Rows(&'static str),
    /// On every shard, without locking rows that it only reads.
    Every,
    /// On a reference table, of which every node has a full copy.
    Reference,
    /// On the connected node, about the node itself.
    Node,
}

/// A statement with a fixed text.
#[derive(Debug)]
pub struct Statement {
    /// The text.
    pub sql: &'static str,
    /// Where it runs.
    pub shard: Shard,
}

/// An insert of any number of rows.
#[derive(Debug)]
pub struct MultiRow {
    /// From `INSERT` to `VALUES`.
    pub head: &'static str,
    /// The text of one row, with a `?` for each parameter.
    pub row: &'static str,
    /// The text after the rows.
    pub tail: &'static str,
    /// Where it runs.
    pub shard: Shard,
    /// The texts for 1, 2, 4 … rows.
    pub(super) texts: LazyLock<Vec<String>>,
}

/// The number of rows in the longest text. Doubling it again would save little, and every
/// connection plans every text.
pub(super) const MOST_ROWS: usize = 128;

impl MultiRow {
    /// The number of parameters in a row.
    pub(super) fn width(&self) -> usize {
        self.row.matches('?').count()
    }

    /// The longest prepared text with at most this many rows, and its number of rows. `rows` must
    /// not be 0.
    pub(super) fn fitting(&self, rows: usize) -> (usize, &str) {
        let power = rows.min(MOST_ROWS).ilog2();
        (1 << power, &self.texts[power as usize])
    }

    /// The text for exactly this many rows.
    pub(super) fn text(&self, rows: usize) -> String {
        let mut number = 0;
        let mut values = Vec::with_capacity(rows);
        for _ in 0..rows {
            let mut value = String::new();
            for character in self.row.chars() {
                value.push(character);
                if character == '?' {
                    value.pop();
                    number += 1;
                    value += &format!("${number}");
                }
            }
            values.push(value);
        }
        format!("{} {} {}", self.head, values.join(", "), self.tail)
    }
}
