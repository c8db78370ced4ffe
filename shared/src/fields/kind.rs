//! The types of fields, with their limits or values.

use crate::channel::Channel;

/// A field's type. Numbers are limits in Unicode characters.
#[derive(Clone, Copy, Debug)]
pub enum FieldKind {
    /// A text; longer ones are cut and end with an ellipsis.
    Text(usize),
    /// A URL; longer ones are cut so that they stay valid.
    Url(usize),
    /// One of a fixed list of values.
    Enum(fn() -> Vec<&'static str>),
    /// A channel: a built-in one, or one of the operator's own.
    Channel,
    /// An integer.
    Integer,
    /// Money as text with the decimals of its currency; never a float.
    Decimal,
    /// A time as RFC 3339 in UTC, in whole seconds.
    Time,
    /// A text of several lines, as long as the target accepts.
    LongText,
    /// JSON as text, as long as the target accepts.
    Json,
}

impl FieldKind {
    /// The type's name in the catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Url(_) => "url",
            Self::Enum(_) | Self::Channel => "enum",
            Self::Integer => "int",
            Self::Decimal => "decimal",
            Self::Time => "datetime",
            Self::LongText => "text",
            Self::Json => "json",
        }
    }

    /// The maximum length in characters, if the field has a limit of its own.
    pub fn max_length(self) -> Option<usize> {
        match self {
            Self::Text(limit) | Self::Url(limit) => Some(limit),
            _ => None,
        }
    }

    /// The possible values, if there is a list; of channels, the built-in ones.
    pub fn values(self) -> Option<Vec<&'static str>> {
        match self {
            Self::Enum(words) => Some(words()),
            Self::Channel => Some(Channel::ALL.map(Channel::as_str).to_vec()),
            _ => None,
        }
    }
}
