//! The collector behind HTTP: the application that wires its services, the routes, and the server.
//!
//! Only this crate knows actix-web, and only [`problem`] and [`http`] give status codes. Handlers name the
//! services that they use, extract, call one of them, and answer.

#![forbid(unsafe_code)]

pub mod app;
pub mod server;
pub mod files;
mod sockets;
mod request_id;
pub mod problem;
pub mod http;
pub mod tracker;

pub use app::App;
