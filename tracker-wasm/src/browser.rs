//! The browser as a trait: what the tracker needs of it. [`crate::web`] is the real one; tests use
//! a fake.

use alloc::string::String;

/// How a batch is sent. The numbers are those of the loader's `post`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transport {
    /// `fetch` with cookies. Its response acknowledges the events and may renew the visitor's
    /// cookie.
    Fetch = 0,
    /// `sendBeacon`: outlives the page, but has no response.
    Beacon = 1,
    /// `fetch` without cookies, when nothing may be stored.
    Bare = 2,
}

/// Whether the visitor is looking at the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Attention {
    /// In a background tab, behind a lock screen, or leaving.
    Hidden,
    /// Visible, but another window has the focus.
    Visible,
    /// Visible and focused.
    Focused,
}

/// The browser as the tracker sees it. No call fails; what the browser refuses is empty.
pub(crate) trait Browser {
    /// Random bytes.
    fn random_bytes(&self) -> [u8; 16];
    /// `document.cookie`.
    fn cookies(&self) -> String;
    /// Sets one cookie.
    fn set_cookie(&self, cookie: &str);
    /// Removes the visitor's cookie from every domain, and everything stored.
    fn forget(&self);
    /// Reads a value from localStorage; empty if there is none.
    fn load(&self, key: &str) -> String;
    /// Stores a value in localStorage; an empty value removes the key.
    fn save(&self, key: &str, value: &str);
    /// The page's title.
    fn title(&self) -> String;
    /// Whether the visitor is looking.
    fn attention(&self) -> Attention;
    /// How much of the page, in percent, is above the lower edge of the window.
    fn seen(&self) -> u8;
    /// Sends a batch. The response arrives as [`crate::signal::Signal::Answer`].
    fn post(&self, batch: u32, transport: Transport, body: &str);
    /// Sets the timer for one [`crate::signal::Signal::Wake`]; it replaces an earlier timer.
    fn wake_after(&self, milliseconds: i64);
    /// Writes the token into the page's forms; an empty one clears it.
    fn fill_forms(&self, token: &str);
    /// Calls the callbacks of `clew('token', …)`.
    fn publish_token(&self, token: &str);
}
