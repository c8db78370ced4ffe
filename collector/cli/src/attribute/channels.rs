//! The channels of a table.

use std::collections::HashMap;

/// Channels by their index.
#[derive(Debug, Default)]
pub(super) struct Channels {
    pub(super) names: Vec<String>,
    indices: HashMap<String, usize>,
}

impl Channels {
    pub(super) fn index(&mut self, name: &str) -> usize {
        if let Some(index) = self.indices.get(name) {
            return *index;
        }
        let index = self.names.len();
        self.names.push(name.to_owned());
        self.indices.insert(name.to_owned(), index);
        index
    }
}

/// Exports of other tools write it with and without parentheses.
pub(super) fn is_direct(name: &str) -> bool {
    ["direct", "(direct)"].iter().any(|direct| name.eq_ignore_ascii_case(direct))
}
