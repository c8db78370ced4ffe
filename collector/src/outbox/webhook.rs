//! Webhooks: the bodies, the requests, and what a receiver's response means.

mod client;
mod lead_event;
mod body;
pub mod sample;
pub mod target;

pub use target::{Owner, WebhookServices, WebhookTarget};
