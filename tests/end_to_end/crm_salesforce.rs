//! The way to Salesforce and back, against the stand-in. Rows are those of crm.md section 13.

mod support;
mod push;
mod trouble;
mod back;
