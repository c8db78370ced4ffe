//! Errors in a row of the table of sources.

use super::words::WordsError;
use crate::channel::Category;

/// Why a row is invalid.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum RowError {
    /// Fewer than three columns.
    #[error("should be source,category,names[,words[,charsets]]")]
    TooFewColumns,
    /// More columns than a row can have.
    #[error("has more than five columns")]
    TooManyColumns,
    /// The source is empty or has capitals.
    #[error("the source should be a name in lower case")]
    Source,
    /// An unknown category.
    #[error("`{0}` is not a category; use one of {categories}", categories = Category::NAMES.join(", "))]
    Category(String),
    /// The row has neither names nor search words.
    #[error("needs at least one name or search word")]
    NamesNothing,
    /// A name has capitals.
    #[error("`{0}` should be in lower case")]
    Capitals(String),
    /// A name looks like a host and is not one.
    #[error("`{0}` is not a host, an app or a part of a site")]
    Host(String),
    /// A name has characters that a value of `utm_source` would not have.
    #[error("`{0}` has characters that a tag's value does not have")]
    Tag(String),
    /// Google's table has a name twice.
    #[error("`{0}` is in the table twice")]
    Repeated(String),
    /// An earlier row of the same table has the name.
    #[error("`{name}` is in line {before}, too")]
    InLine {
        /// The name.
        name: String,
        /// The earlier row's line.
        before: usize,
    },
    /// The columns of search words are invalid.
    #[error(transparent)]
    Words(#[from] WordsError),
}
