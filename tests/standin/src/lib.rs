//! Stand-ins for the CRMs that Clew talks to, each on a socket of this machine.
//!
//! They are strict: a stand-in refuses what the vendor refuses, with the vendor's status, body and
//! headers, so an adapter that passes here has followed the vendor's documentation. Records are
//! lost when a stand-in stops. Time is a value that tests move; nothing waits, unless a fault asks
//! for a delay. No product code depends on this crate.

mod exchange;
mod world;
mod fault;
mod journal;
mod webhook;
mod book;
mod crm;
mod starting;
mod state;
mod sender;
mod page;
mod control;
mod server;
mod standin;
mod vendors;

pub use crate::fault::{Fault, Limit, When};
pub use crate::journal::{Delivery, Logged};
pub use crate::standin::Standin;
pub use crate::starting::Starting;
pub use crate::vendors::{Vendor, signature};
pub use crate::webhook::Emit;
pub use crate::world::Settings;
