//! Salesforce's adapter against the stand-in, in both directions. The rows are those of the CRM
//! test matrix that concern only an adapter.

mod support;
mod push;
mod trouble;
mod back;
