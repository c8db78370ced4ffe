//! The rows of the tables that declare fields.

use super::kind::FieldKind;

/// A field as declared in its table; `F` is the function that reads its value.
pub(super) struct Row<F> {
    pub(super) name: &'static str,
    pub(super) kind: FieldKind,
    pub(super) label: &'static str,
    pub(super) description: &'static str,
    pub(super) value: F,
}

/// Builds a row; tables are easier to read without member names.
pub(super) const fn row<F: Copy>(
    name: &'static str,
    kind: FieldKind,
    label: &'static str,
    description: &'static str,
    value: F,
) -> Row<F> {
    Row { name, kind, label, description, value }
}
