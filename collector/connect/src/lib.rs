//! Calls to other people's servers, and the CRMs that leads are handed off to.
//!
//! A vendor's code and terms stay in its folder under [`crm`]. This crate's other modules are what
//! all vendors share: the HTTP clients ([`outgoing`]), a single request ([`transport`]), a call
//! with a valid token and within rate limits ([`call`], [`token`], [`throttle`]), the storage of
//! tokens ([`vault`]), and the configured connections ([`connection`]). Nothing here knows about
//! journeys, the outbox or HTTP servers.

#![forbid(unsafe_code)]

pub mod error;
pub mod outgoing;
pub mod transport;
pub mod vault;
pub mod token;
pub mod throttle;
pub mod call;
pub mod crm;
pub mod connection;

pub use connection::{Connection, Connections, SharedSettings};
pub use error::CallError;
pub use outgoing::Outgoing;
