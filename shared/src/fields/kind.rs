//! What a field holds: its type, with its limit or its words.

/// A field's type; numbers in brackets are limits in Unicode characters.
#[derive(Clone, Copy, Debug)]
pub enum FieldKind {
    /// A text, cut with an ellipsis.
    Text(usize),
    /// An address, cut where it stays one.
    Url(usize),
    /// A word of a closed list.
    Enum(fn() -> Vec<&'static str>),
    /// An integer.
    Integer,
    /// Money as a text with the decimals of its currency; never a float.
    Decimal,
    /// RFC 3339 in UTC, whole seconds.
    Time,
    /// A text of several lines, as long as its target takes.
    LongText,
    /// JSON as text, as long as its target takes.
    Json,
}

impl FieldKind {
    /// The name in the catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Url(_) => "url",
            Self::Enum(_) => "enum",
            Self::Integer => "int",
            Self::Decimal => "decimal",
            Self::Time => "datetime",
            Self::LongText => "text",
            Self::Json => "json",
        }
    }

    /// The longest value in characters, where the field itself has a limit.
    pub fn max_length(self) -> Option<usize> {
        match self {
            Self::Text(limit) | Self::Url(limit) => Some(limit),
            _ => None,
        }
    }

    /// The words that a value is one of.
    pub fn values(self) -> Option<Vec<&'static str>> {
        match self {
            Self::Enum(words) => Some(words()),
            _ => None,
        }
    }
}
