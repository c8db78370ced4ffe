//! Feedback about leads: the stages they entered and what happened to their deals, as programs report it by
//! API ([`request`]) or by webhook ([`inbound`]).
//!
//! A request is parsed into a valid record, its lead is looked up, and the store keeps the record once. A
//! reference makes repeats harmless: the caller's, or one derived from the record.

mod error;
mod read;
mod keep;
pub mod inbound;
pub mod request;

pub use error::FeedbackError;
pub use keep::Feedback;
