//! Support for the end-to-end tests: the application on port 0 with its own store on either
//! backend, builders for what browsers send, the story that every store must tell, and the
//! collector and PostgreSQL as processes.

#![expect(clippy::unwrap_used, reason = "test support may panic")]

pub mod settings;
pub mod postgres;
pub mod storage;
pub mod any_input;
pub mod app;
pub mod receiver;
pub mod wire;
pub mod visitors;
pub mod load;
pub mod story;
pub mod full;
pub mod process;
pub mod raw;
pub mod adapter;
pub mod crm;
pub mod crowd;
pub mod browser;
pub mod town;
