//! The collector's work, without HTTP and without a command line: it takes what browsers send, keeps
//! journeys, makes leads, hands them off, and follows what becomes of them.
//!
//! The path of an event: [`ingest`] judges it, the store keeps it. The path of a lead: [`conversion`] turns
//! a form handler's call into one atomic step of the store, [`outbox`] delivers what that step wrote,
//! [`feedback`] and [`follow`] take what comes back. Each is a service that holds what it needs: the
//! [`Core`](clew_core::Core) and the services below it. ARCHITECTURE.md walks both paths.

#![forbid(unsafe_code)]

pub mod config;
pub mod signing;
pub mod token;
pub mod settings;
pub mod receivers;
pub mod subscription;
pub mod subscriptions;
pub mod recipients;
pub mod leads;
pub mod conversion;
pub mod limiter;
pub mod ingest;
pub mod recorder;
pub mod feedback;
pub mod outbox;
pub mod inbox;
pub mod follow;
pub mod operation;
pub mod transfer;
pub mod check;
