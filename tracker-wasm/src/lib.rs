//! The tracker: what runs in a visitor's browser.
//!
//! `loader.js` starts it and hands it every word that it is to hear; [`hear`] is the only way in
//! after [`begin`]. What it says goes through the loader's `Host`, which also catches whatever is
//! thrown: nothing leaves the tracker, and a module that trapped is never called again.
//!
//! In the order of the data: a word becomes a `signal`, the `tracker` settles what it means for
//! `consent`, `identity`, the `page` and its `engagement`, events wait in the `queue`, and
//! the `schedule` says when a batch goes. All of that is plain Rust that knows the browser only as
//! the trait in `browser`; `web` is the real one and the only user of web-sys.

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

/// The one tracker of the page. A browser runs a module on one thread only.
static TRACKER: OneThread<RefCell<Option<Tracker<Web>>>> = OneThread(RefCell::new(None));

struct OneThread<T>(T);

#[expect(unsafe_code, reason = "WebAssembly without threads has nobody to share with")]
// SAFETY: the module is built without atomics, and the loader calls it from the page's thread.
unsafe impl<T> Sync for OneThread<T> {}

/// Starts the tracker on a page that the loader saw opened a while ago, at `opened` in Unix
/// milliseconds. `opening` is what `Opening::read` reads.
#[wasm_bindgen]
pub fn begin(host: Host, opened: f64, opening: &str) {
    let (opening, now) = (Opening::read(opening), js_sys::Date::now());
    let tracker = Tracker::start(Web::new(host), &opening, opened as i64, now as i64);
    if let Ok(mut place) = TRACKER.0.try_borrow_mut() {
        *place = Some(tracker);
    }
}

/// Tells the tracker what happened, and when. What the other arguments mean is said by
/// `Signal::read`.
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
    // The loader does not call while a call is under way, so the tracker is free.
    if let Ok(mut place) = TRACKER.0.try_borrow_mut()
        && let Some(tracker) = place.as_mut()
    {
        tracker.hear(signal, now as i64);
    }
}
