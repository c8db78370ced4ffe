//! What a statement is: its text, the shard on which it runs, and inserts of as many rows as there are.

use std::sync::LazyLock;

/// Where a statement runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shard {
    /// On the shard of the bucket that it names in this column.
    One(&'static str),
    /// Each row on the shard of its own bucket, in this column.
    Rows(&'static str),
    /// On every shard, without locks on rows that it only reads.
    Every,
    /// On a reference table, which every node has whole.
    Reference,
    /// On the node that is asked, about itself.
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

/// An insert of as many rows as there are.
#[derive(Debug)]
pub struct MultiRow {
    /// From `INSERT` to `VALUES`.
    pub head: &'static str,
    /// One row, a `?` for each parameter.
    pub row: &'static str,
    /// What follows the rows.
    pub tail: &'static str,
    /// Where it runs.
    pub shard: Shard,
    /// The texts for 1, 2, 4 … rows.
    pub(super) texts: LazyLock<Vec<String>>,
}

/// Rows of the longest text: a further doubling saves little, and every text is planned once a
/// connection.
pub(super) const MOST_ROWS: usize = 128;

impl MultiRow {
    /// How many parameters a row has.
    pub(super) fn width(&self) -> usize {
        self.row.matches('?').count()
    }

    /// The text with so many rows that is the longest to fit into `rows`, which is not 0.
    pub(super) fn fitting(&self, rows: usize) -> (usize, &str) {
        let power = rows.min(MOST_ROWS).ilog2();
        (1 << power, &self.texts[power as usize])
    }

    /// The text with exactly so many rows.
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
