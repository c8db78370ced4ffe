//! What the tracker needs of a browser, as a trait: the real one is [`crate::web`], and tests have
//! one made of plain fields.

use alloc::string::String;

/// How a batch leaves the browser. The numbers are the loader's (`post`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transport {
    /// `fetch` with cookies: its answer acknowledges, and may renew the visitor's cookie.
    Fetch = 0,
    /// `sendBeacon`: survives the page, is never answered.
    Beacon = 1,
    /// `fetch` that neither sends nor accepts cookies, where nothing may be stored.
    Bare = 2,
}

/// Whether anybody is looking at the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Attention {
    /// In a background tab, behind a lock screen, or leaving.
    Hidden,
    /// On the screen, while the keyboard belongs to another window.
    Visible,
    /// On the screen and focused.
    Focused,
}

/// The browser, as far as the tracker knows it. Nothing here fails: what a browser refuses is empty.
pub(crate) trait Browser {
    /// Random bytes.
    fn dice(&self) -> [u8; 16];
    /// `document.cookie`.
    fn cookies(&self) -> String;
    /// Sets one cookie.
    fn set_cookie(&self, cookie: &str);
    /// Removes the visitor's cookie from every domain, and all that was stored.
    fn forget(&self);
    /// A value of localStorage.
    fn load(&self, key: &str) -> String;
    /// Stores a value; an empty one is removed.
    fn save(&self, key: &str, value: &str);
    /// The page's title.
    fn title(&self) -> String;
    /// Whether anybody is looking.
    fn attention(&self) -> Attention;
    /// The part of the page, in percent, that lies above the lower edge of the window.
    fn seen(&self) -> u8;
    /// Sends a batch; its answer comes back as [`crate::signal::Signal::Answer`].
    fn post(&self, batch: u32, transport: Transport, body: &str);
    /// Asks for one [`crate::signal::Signal::Wake`], in place of any asked for before.
    fn wake_after(&self, milliseconds: i64);
    /// Puts the token into the page's forms; an empty one takes it out.
    fn fill_forms(&self, token: &str);
    /// Answers everybody who asked by `clew('token', …)`.
    fn tell_token(&self, token: &str);
}
