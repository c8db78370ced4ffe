//! The demo over real sockets: its pages, its form handler with a fake collector, and its CRM. The
//! workspace's end-to-end tests use the real collector.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod crm;
mod form;
mod site;
mod support;
