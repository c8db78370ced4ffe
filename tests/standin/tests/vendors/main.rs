//! The stand-ins on port 0: what each endpoint accepts and refuses, every documented error, the
//! signature vectors, and the control API.

#![expect(clippy::unwrap_used, reason = "test support may panic")]

mod support;
mod hubspot;
mod hubspot_errors;
mod hubspot_webhooks;
mod salesforce;
mod salesforce_errors;
mod salesforce_outbound;
mod control;
mod pages;
