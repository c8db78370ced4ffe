//! The rows by which the tables of fields declare them.

use super::kind::FieldKind;

/// A field as its table declares it; `F` says what its value is read off.
pub(super) struct Row<F> {
    pub(super) name: &'static str,
    pub(super) kind: FieldKind,
    pub(super) label: &'static str,
    pub(super) description: &'static str,
    pub(super) value: F,
}

/// Makes a row; a table is easier to read without the names of the members.
pub(super) const fn row<F: Copy>(
    name: &'static str,
    kind: FieldKind,
    label: &'static str,
    description: &'static str,
    value: F,
) -> Row<F> {
    Row { name, kind, label, description, value }
}
