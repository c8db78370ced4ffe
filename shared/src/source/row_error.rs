//! What can be wrong with a row of the table of sources.

use super::words::WordsError;
use crate::channel::Category;

/// Why a row cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum RowError {
    /// There are fewer than three columns.
    #[error("should be source,category,names[,words[,charsets]]")]
    TooFewColumns,
    /// There are more columns than a row has.
    #[error("has more than five columns")]
    TooManyColumns,
    /// The source is empty or has capitals.
    #[error("the source should be a name in lower case")]
    Source,
    /// The category is unknown.
    #[error("`{0}` is no category; there is {categories}", categories = Category::NAMES.join(", "))]
    Category(String),
    /// The row has neither names nor search words.
    #[error("names nothing")]
    NamesNothing,
    /// A name has capitals.
    #[error("`{0}` should be in lower case")]
    Capitals(String),
    /// A name is written like a host and is not one.
    #[error("`{0}` is no host, app or part of a site")]
    Host(String),
    /// A name has characters that no value of `utm_source` would have.
    #[error("`{0}` is no name that a tag would have")]
    Tag(String),
    /// Google's table has a name twice.
    #[error("`{0}` stands there twice")]
    Repeated(String),
    /// An earlier row of the same table has the name.
    #[error("`{name}` stands in line {before} too")]
    InLine {
        /// The name.
        name: String,
        /// The earlier row's line.
        before: usize,
    },
    /// The columns about search words.
    #[error(transparent)]
    Words(#[from] WordsError),
}
