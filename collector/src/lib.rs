//! The collector: takes what browsers report, keeps journeys, makes leads, hands them off.
//!
//! The way of an event: [`http`] receives it, [`ingest`] judges it, [`store`] keeps it. The way of a
//! lead: [`http`] receives a form handler's call, [`conversion`] turns it into one atomic step of the
//! [`store`], [`outbox`] delivers what that step wrote, [`feedback`] takes what comes back. ARCHITECTURE.md walks both.

#![forbid(unsafe_code)]

pub mod config;
pub mod settings;
pub mod app;
pub mod server;
pub mod error;
pub mod http;
pub mod ingest;
pub mod conversion;
pub mod feedback;
pub mod subscription;
pub mod follow;
pub mod store;
pub mod transfer;
pub mod check;
pub mod reclassify;
pub mod crm;
pub mod outbox;
pub mod outgoing;
pub mod metrics;
pub mod clock;
pub mod secret;
pub mod token;
pub mod seal;
pub mod tracker;
pub mod cli;
