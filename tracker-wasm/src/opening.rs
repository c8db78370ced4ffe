//! What the loader saw when it started: the tag, the browser's signals, and the URL and referrer of
//! the visit. The page may have changed its URL by the time the module is up.

use crate::pieces::pieces;

/// The loader's view of the page.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Opening<'a> {
    /// `data-site`.
    pub(crate) site: &'a str,
    /// `data-consent`, and the decision since then.
    pub(crate) consent: &'a str,
    pub(crate) decision: &'a str,
    /// The first page view's event id; the loader may have sent that event already.
    pub(crate) id: &'a str,
    /// One letter for each flag that is set; see [`Self::is`].
    pub(crate) flags: &'a str,
    /// `navigator.language`.
    pub(crate) language: &'a str,
    /// `location.hostname`.
    pub(crate) host: &'a str,
    pub(crate) address: &'a str,
    pub(crate) referrer: &'a str,
}

/// The visitor requests privacy with Global Privacy Control, or with Do Not Track.
pub(crate) const GPC: u8 = b'g';
pub(crate) const DNT: u8 = b'd';
/// The browser says that a program controls it.
pub(crate) const WEBDRIVER: u8 = b'w';
/// The tag allows reading the cookies of advertising and analytics tools.
pub(crate) const AD_COOKIES: u8 = b'a';
/// The page was loaded over https.
pub(crate) const SECURE: u8 = b's';
/// The page has finished loading.
pub(crate) const LOADED: u8 = b'l';

impl<'a> Opening<'a> {
    /// Reads the loader's lines, which are in the order of the fields. Passing one text takes less
    /// code than nine.
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
