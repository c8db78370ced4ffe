//! Calls to other people's servers, and the CRMs that leads are handed off to.
//!
//! A vendor's words stay in its folder under [`crm`]; what all vendors share stands here: the HTTP
//! clients ([`outgoing`]), one request ([`transport`]), one call with a valid token and within its
//! limits ([`call`], [`token`], [`throttle`]), where tokens are kept ([`vault`]), and the connections of
//! the configuration ([`connection`]). Nothing here knows a lead's journey, the outbox or HTTP servers.

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

pub use connection::{Connection, Connections, Surroundings};
pub use error::CallError;
pub use outgoing::Outgoing;
