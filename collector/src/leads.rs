//! Leads: looking them up, loading them with their history, and presenting them.

mod hand_off;
pub mod find;
pub mod view;
pub mod load;
pub mod duplicates;
pub mod merging;

pub use duplicates::{Duplicate, duplicates};
pub use find::{answering, find, find_first, named};
pub use load::{LoadError, load, load_each, records};
pub use view::{FieldSelection, LeadView, Moment, UnknownConversion};
