//! The stand-ins on port 0: each endpoint with what it takes and what it refuses, each documented
//! error, the signature vectors, and the control API.

#![expect(clippy::unwrap_used, reason = "a test's support may fail the test")]

mod support;
mod hubspot;
mod hubspot_errors;
mod hubspot_webhooks;
mod salesforce;
mod salesforce_errors;
mod salesforce_outbound;
mod control;
mod pages;
