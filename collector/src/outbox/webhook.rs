//! Webhooks: what is posted to them, how, and what a receiver's answer means.

mod client;
mod news;
mod body;
pub mod sample;
pub mod target;

pub use target::{Owner, WebhookServices, WebhookTarget};
