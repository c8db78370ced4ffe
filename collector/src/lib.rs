//! The collector's domain, without HTTP and without a command line: stores browsers' events and
//! journeys, creates leads, delivers them, and follows their progress.
//!
//! The path of an event: [`ingest`] judges it and the store keeps it. The path of a lead:
//! [`conversion`] turns a form handler's request into one atomic step of the store, [`outbox`]
//! makes the deliveries which that step wrote, and [`feedback`] and [`follow`] store the stages and
//! deals that come back. Each is a service that holds what it needs: the [`Core`](clew_core::Core)
//! and the services below it. ARCHITECTURE.md walks through both paths.

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
