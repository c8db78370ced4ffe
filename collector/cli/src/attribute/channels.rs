//! The channels that occur in a table.

use std::collections::HashMap;

/// Channel names, each with the index at which it first occurred.
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

/// Whether a channel is direct. Other tools export the name with or without parentheses.
pub(super) fn is_direct(name: &str) -> bool {
    ["direct", "(direct)"].iter().any(|direct| name.eq_ignore_ascii_case(direct))
}
