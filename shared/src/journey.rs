//! A lead's whole history: the touches, visits, pages and conversions of every visitor joined to it.
//!
//! Made on reading, from the visitors' page views; what is shown ends at a moment, so that the
//! history of a conversion stays the history that led to it.

mod history;
mod json;
mod touches;

pub use history::{History, next_begin_ms};
pub use json::{Cursor, conversion_json, page_json};
