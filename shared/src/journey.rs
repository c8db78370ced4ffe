//! A lead's whole history: touches, visits, pages and conversions of all visitors joined to it.
//!
//! It is made on every read from the visitors' page views. It ends at a point in time, so the
//! history of a conversion stays the history that led to it.

mod history;
mod touches;

pub use history::{History, next_begin_ms, shown_from_ms};
pub use touches::TouchEntry;
