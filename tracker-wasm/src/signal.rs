//! The signals that the loader passes to the module, as a type.
//!
//! A signal arrives as a number. DOM events have the numbers of their places in [`EVENTS`] and
//! [`FLOODS`]; the loader's own signals have those of its constants.

/// The DOM events that the loader listens to.
pub(crate) const EVENTS: &str = "visibilitychange focus blur pagehide load online focusin submit";
/// Frequent events, numbered from [`SCROLL`], of which one is passed on per [`FLOODS_EVERY_MS`].
pub(crate) const FLOODS: &str = "scroll pointerdown pointermove wheel keydown touchmove timeupdate";
pub(crate) const FLOODS_EVERY_MS: u32 = 250;
/// The number of the first of [`FLOODS`].
pub(crate) const SCROLL: u32 = 8;

/// A signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signal<'a> {
    /// The visitor moved, typed, touched, or plays media.
    Input,
    /// Something scrolled.
    Scroll,
    /// The page's visibility or focus changed.
    Attention,
    /// The page is being left, for good or into the back/forward cache.
    Leave,
    /// The page came back from the back/forward cache, at this address.
    Restored(&'a str),
    /// The page has finished loading.
    Loaded,
    /// The network is back.
    Online,
    /// The timer ran out.
    Wake,
    /// The page's script changed the URL to this one, or the visitor went back or forward within
    /// the page.
    Navigate(&'a str),
    /// A field of the form with this name was focused.
    FormFocus(&'a str),
    /// The form with this name is being submitted.
    FormSubmit(&'a str),
    /// A batch got a response or failed.
    Answer {
        /// Which batch.
        batch: u32,
        /// The HTTP status, or 0 without a response.
        status: u32,
        /// The sealed token in the response, or empty.
        token: &'a str,
        /// How many seconds the collector asked to wait, or 0.
        retry_after: u32,
    },
    /// `clew('consent', word)`.
    Consent(&'a str),
    /// The page is being left for this host, in this tab or another.
    Depart(&'a str),
    /// `clew('event', name, props)`, props as JSON.
    Custom(&'a str, &'a str),
    /// `clew('identify', contact)`, as JSON.
    Identify(&'a str),
}

impl<'a> Signal<'a> {
    /// Decodes a signal. `status` and `batch` belong to responses, `first` and `second` are texts,
    /// and `form` is the name of the form that contains a DOM event's target.
    pub(crate) fn read(
        word: u32,
        status: u32,
        batch: u32,
        first: &'a str,
        second: &'a str,
        form: Option<&'a str>,
    ) -> Self {
        match (word, form) {
            (0..=2, _) => Self::Attention,
            (3, _) => Self::Leave,
            (4, _) => Self::Loaded,
            (5, _) => Self::Online,
            (6, Some(form)) => Self::FormFocus(form),
            (7, Some(form)) => Self::FormSubmit(form),
            (SCROLL, _) => Self::Scroll,
            (20, _) => Self::Wake,
            (21, _) => Self::Navigate(first),
            (22, _) => Self::Restored(first),
            (23, _) => Self::answer(batch, status, first, second),
            (24, _) => Self::Consent(first),
            (25, _) => Self::Custom(first, second),
            (26, _) => Self::Identify(second),
            (27, _) => Self::Depart(first),
            _ => Self::Input,
        }
    }

    /// `wait` is the header `Retry-After`. A date, which proxies may send, is ignored.
    fn answer(batch: u32, status: u32, token: &'a str, wait: &str) -> Self {
        Self::Answer { batch, status, token, retry_after: wait.parse().unwrap_or(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(event: &str) -> u32 {
        let place = |list: &str| list.split(' ').position(|known| known == event);
        let place = place(EVENTS).or_else(|| Some(place(FLOODS)? + SCROLL as usize));
        place.expect("a known event") as u32
    }

    #[test]
    fn dom_events() {
        assert_eq!(EVENTS.split(' ').count(), SCROLL as usize);
        let check = |event: &str, form: Option<&str>, expected: Signal<'_>| {
            assert_eq!(Signal::read(number(event), 0, 0, "", "", form), expected, "{event}");
        };
        check("visibilitychange", None, Signal::Attention);
        check("focus", None, Signal::Attention);
        check("blur", None, Signal::Attention);
        check("pagehide", None, Signal::Leave);
        check("load", None, Signal::Loaded);
        check("online", None, Signal::Online);
        check("focusin", None, Signal::Input);
        check("focusin", Some("contact"), Signal::FormFocus("contact"));
        check("submit", Some(""), Signal::FormSubmit(""));
        check("scroll", None, Signal::Scroll);
        check("pointerdown", None, Signal::Input);
        check("timeupdate", None, Signal::Input);
    }

    #[test]
    fn the_loaders_words() {
        let loader = include_str!("../loader.js");
        let check = |name: &str, expected: Signal<'_>| {
            let word = loader.split_once(&std::format!("const {name} = ")).expect("in the loader");
            let word = word.1.split_whitespace().next().and_then(|word| word.parse().ok());
            let got = Signal::read(word.expect("a number"), 202, 3, "a", "b", None);
            assert_eq!(got, expected, "{name}");
        };
        check("WAKE", Signal::Wake);
        check("NAVIGATE", Signal::Navigate("a"));
        check("RESTORED", Signal::Restored("a"));
        check("ANSWER", Signal::Answer { batch: 3, status: 202, token: "a", retry_after: 0 });
        check("CONSENT", Signal::Consent("a"));
        check("EVENT", Signal::Custom("a", "b"));
        check("IDENTIFY", Signal::Identify("b"));
        check("DEPART", Signal::Depart("a"));
    }

    #[test]
    fn retry_after() {
        let check = |wait: &str, expected: u32| {
            let answer = Signal::read(23, 429, 3, "", wait, None);
            let expected =
                Signal::Answer { batch: 3, status: 429, token: "", retry_after: expected };
            assert_eq!(answer, expected, "{wait}");
        };
        check("", 0);
        check("60", 60);
        check("-1", 0);
        check("1.5", 0);
        check("99999999999", 0);
        check("Sat, 21 Nov 2026 10:15:04 GMT", 0);
    }
}
