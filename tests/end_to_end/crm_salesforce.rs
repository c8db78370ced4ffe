//! The way to Salesforce and back, against the stand-in. Rows are those of the matrix of CRMs that
//! concern an adapter alone.

mod support;
mod push;
mod trouble;
mod back;
