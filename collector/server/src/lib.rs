//! The collector's HTTP side: the application that wires the services, the routes and the servers.
//!
//! Only this crate uses actix-web, and only [`problem`] and [`http`] choose status codes. A handler
//! names the services it needs, extracts its input, calls one of them and responds.

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
