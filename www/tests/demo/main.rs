//! The demo over real sockets: its pages, its form handler against a collector that is played by a
//! few lines, and its CRM. The collector itself is in the workspace's end-to-end tests.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod crm;
mod form;
mod site;
mod support;
