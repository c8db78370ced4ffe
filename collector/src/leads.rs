//! Leads: looking them up, loading them with their history, and presenting them.

mod hand_off;
pub mod find;
pub mod view;
pub mod load;

pub use find::{find, find_first};
pub use load::{LoadError, load, load_each};
pub use view::{FieldSelection, LeadView, Moment, UnknownConversion};
