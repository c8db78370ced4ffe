//! The tracker: the WebAssembly module that runs in a visitor's browser.
//!
//! `loader.js` starts the module with [`begin`] and then passes it every signal through [`hear`],
//! the only other entry point. The module acts through the loader's `Host`. The loader catches
//! everything that is thrown, so nothing reaches the page, and never calls a module again that has
//! trapped.
//!
//! In the order of the data: a call of [`hear`] becomes a `signal`; the `tracker` decides what it
//! means for `consent`, `identity`, the `page` and its `engagement`; events wait in the `queue`;
//! and the `schedule` says when a batch is sent. All of that is plain Rust that knows the browser
//! only through the trait in `browser`. `web` implements it and is the only user of web-sys.

#![cfg_attr(target_arch = "wasm32", no_std)]
#![warn(missing_docs)]

extern crate alloc;

mod browser;
mod consent;
mod engagement;
#[cfg(test)]
mod fake;
mod identity;
#[cfg(target_arch = "wasm32")]
mod memory;
mod opening;
mod page;
mod pieces;
mod queue;
mod schedule;
mod signal;
mod tracker;
mod web;

use core::cell::RefCell;
use opening::Opening;
use signal::Signal;
use tracker::Tracker;
use wasm_bindgen::prelude::wasm_bindgen;
use web::{Host, Web};
use web_sys::Element;

/// The page's only tracker. Browsers run a module on one thread only.
static TRACKER: OneThread<RefCell<Option<Tracker<Web>>>> = OneThread(RefCell::new(None));

struct OneThread<T>(T);

#[expect(unsafe_code, reason = "WebAssembly without threads has nobody to share with")]
// SAFETY: the module is built without atomics, and the loader calls it from the page's thread.
unsafe impl<T> Sync for OneThread<T> {}

/// Starts the tracker on a page that the loader saw open at `opened`, Unix milliseconds. `opening`
/// has the lines that `Opening::read` reads.
#[wasm_bindgen]
pub fn begin(host: Host, opened: f64, opening: &str) {
    let (opening, now) = (Opening::read(opening), js_sys::Date::now());
    let tracker = Tracker::start(Web::new(host), &opening, opened as i64, now as i64);
    if let Ok(mut place) = TRACKER.0.try_borrow_mut() {
        *place = Some(tracker);
    }
}

/// Tells the tracker what happened at `now`, Unix milliseconds. `Signal::read` explains the other
/// arguments.
#[wasm_bindgen]
pub fn hear(
    word: u32,
    now: f64,
    status: u32,
    batch: u32,
    first: &str,
    second: &str,
    target: Option<Element>,
) {
    let form = target.and_then(|element| web::form_name(&element));
    let signal = Signal::read(word, status, batch, first, second, form.as_deref());
    // The loader never calls during another call, so the tracker is free.
    if let Ok(mut place) = TRACKER.0.try_borrow_mut()
        && let Some(tracker) = place.as_mut()
    {
        tracker.hear(signal, now as i64);
    }
}
