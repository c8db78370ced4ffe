//! The wire format that the tracker and the collector share, and the rules that turn events into
//! journeys.
//!
//! This crate is pure: no I/O, no clock, no randomness. The current time (`now`) and random bytes
//! (`dice`) are arguments. `ids`, `limits` and `wire` need no std and are compiled into the browser
//! module; everything else is behind the feature `rules`.
//!
//! The modules, in the order in which data flows through them: a browser's batch ([`wire`]) carries
//! [`ids`] within [`limits`]. A page view's URL and referrer become evidence, evidence becomes a
//! label, labelled page views become visits and touches, and touches earn credit and money. Later
//! records about a lead become stages, deals and links to CRM records. All of it becomes a lead's
//! fields.

#![cfg_attr(not(feature = "rules"), no_std)]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

pub mod ids;
pub mod limits;
pub mod wire;

#[cfg(feature = "rules")]
pub mod ad_cookies;
#[cfg(feature = "rules")]
pub mod outcome;
#[cfg(feature = "rules")]
pub mod time;
#[cfg(feature = "rules")]
pub mod cut;
#[cfg(feature = "rules")]
mod host;
#[cfg(feature = "rules")]
mod rows;
#[cfg(feature = "rules")]
mod pattern;
#[cfg(feature = "rules")]
pub mod click_id;
#[cfg(feature = "rules")]
pub mod evidence;
#[cfg(feature = "rules")]
pub mod channel;
#[cfg(feature = "rules")]
pub mod source;
#[cfg(feature = "rules")]
pub mod bot;
#[cfg(feature = "rules")]
pub mod device;
#[cfg(feature = "rules")]
pub mod page_view;
#[cfg(feature = "rules")]
pub mod visit;
#[cfg(feature = "rules")]
pub mod context;
#[cfg(feature = "rules")]
pub mod lead;
#[cfg(feature = "rules")]
pub mod journey;
#[cfg(feature = "rules")]
pub mod why;
#[cfg(feature = "rules")]
pub mod attribution;
#[cfg(feature = "rules")]
pub mod money;
#[cfg(feature = "rules")]
pub mod lifecycle;
#[cfg(feature = "rules")]
pub mod deal;
#[cfg(feature = "rules")]
pub mod link;
#[cfg(feature = "rules")]
pub mod revenue;
#[cfg(feature = "rules")]
pub mod fields;

#[cfg(all(feature = "rules", any(test, feature = "testing")))]
#[expect(clippy::unwrap_used, reason = "a test's builder may fail the test")]
pub mod testing;
