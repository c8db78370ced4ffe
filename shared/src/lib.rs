//! What tracker and collector agree on, and the rules that turn events into journeys.
//!
//! Pure: no I/O, no clock, no randomness; `now` and dice are arguments. The core (`ids`, `limits`,
//! `wire`) needs no std and ends up in the browser; everything else is behind the feature `rules`.
//!
//! The modules in the order in which data walks: a browser's words ([`wire`]) carry [`ids`] within
//! [`limits`]; a page view's URL and referrer become evidence, evidence becomes a label, labelled
//! page views become visits and touches, and those become a lead's fields.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(any(feature = "rules", test))]
extern crate std;

pub mod ids;
pub mod limits;
pub mod wire;
