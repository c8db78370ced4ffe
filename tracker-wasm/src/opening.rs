//! What the loader saw when it started: the tag, the browser's signals, and the address that brought
//! the visitor, which the page may have rewritten by the time the module is up.

use crate::pieces::pieces;

/// The loader's view of the page.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Opening<'a> {
    /// `data-site`.
    pub(crate) site: &'a str,
    /// `data-consent`, and what was decided since.
    pub(crate) consent: &'a str,
    pub(crate) decision: &'a str,
    /// The first page view's event id, which the loader may have sent already.
    pub(crate) id: &'a str,
    /// One letter for each thing that is so; see [`Self::is`].
    pub(crate) flags: &'a str,
    /// `navigator.language`.
    pub(crate) language: &'a str,
    /// `location.hostname`.
    pub(crate) host: &'a str,
    pub(crate) address: &'a str,
    pub(crate) referrer: &'a str,
}

/// The visitor asks for privacy by Global Privacy Control, or by Do Not Track.
pub(crate) const GPC: u8 = b'g';
pub(crate) const DNT: u8 = b'd';
/// A program drives the browser, as the browser itself says.
pub(crate) const WEBDRIVER: u8 = b'w';
/// The tag allows the cookies of advertising and analytics tools to be read.
pub(crate) const AD_COOKIES: u8 = b'a';
/// The page came over https.
pub(crate) const SECURE: u8 = b's';
/// The page has all its parts already.
pub(crate) const LOADED: u8 = b'l';

impl<'a> Opening<'a> {
    /// Reads the loader's lines, which come in the order of the fields; one text is smaller to hand
    /// over than nine.
    pub(crate) fn read(lines: &'a str) -> Self {
        let mut lines = pieces(lines, b'\n');
        let mut next = || lines.next().unwrap_or_default();
        Self {
            site: next(),
            consent: next(),
            decision: next(),
            id: next(),
            flags: next(),
            language: next(),
            host: next(),
            address: next(),
            referrer: next(),
        }
    }

    /// Whether a flag is set.
    pub(crate) fn is(&self, flag: u8) -> bool {
        self.flags.bytes().any(|letter| letter == flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_in_order() {
        let opening = Opening::read("demo\nnone\n\nid\ngs\nfr\na.example\nhttps://a.example/");
        let got = [opening.site, opening.consent, opening.decision, opening.id, opening.host];
        assert_eq!(got, ["demo", "none", "", "id", "a.example"]);
        let flags = [GPC, DNT, SECURE, LOADED].map(|flag| opening.is(flag));
        assert_eq!(flags, [true, false, true, false]);
        assert_eq!((opening.address, opening.referrer), ("https://a.example/", ""));
    }
}
