//! What may be sent and what may be stored: the tag's `data-consent`, and what the visitor decided.
//!
//! It keeps no record of a decision: the page's consent tool does, and tells it on every page.

/// What the tag allows while nobody has been asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Full,
    Cookieless,
    None,
}

/// The state of consent on this page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Consent {
    mode: Mode,
    decision: Option<bool>,
}

impl Consent {
    /// Reads `data-consent`. A word that is not known allows nothing: a typing error must not be
    /// taken for a permission.
    pub(crate) fn new(mode: &str, decision: &str) -> Self {
        let mode = match mode {
            "" | "full" => Mode::Full,
            "cookieless" => Mode::Cookieless,
            _ => Mode::None,
        };
        let mut consent = Self { mode, decision: None };
        consent.decide(decision);
        consent
    }

    /// Takes a decision; other words than the two change nothing.
    pub(crate) fn decide(&mut self, word: &str) {
        match word {
            "granted" => self.decision = Some(true),
            "denied" => self.decision = Some(false),
            _ => {}
        }
    }

    /// Whether the visitor said no: nothing is even remembered.
    pub(crate) fn refused(self) -> bool {
        self.decision == Some(false)
    }

    /// Whether batches may leave the browser.
    pub(crate) fn may_send(self) -> bool {
        self.decision.unwrap_or(self.mode != Mode::None)
    }

    /// Whether the cookie and localStorage may be used.
    pub(crate) fn may_store(self) -> bool {
        self.decision.unwrap_or(self.mode == Mode::Full)
    }

    /// The decision as the wire says it.
    pub(crate) fn word(self) -> &'static str {
        match self.decision {
            None => "",
            Some(true) => "granted",
            Some(false) => "denied",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed() {
        let check = |mode: &str, decisions: &[&str], send: bool, store: bool, word: &str| {
            let mut consent = Consent::new(mode, "");
            decisions.iter().for_each(|decision| consent.decide(decision));
            let got = (consent.may_send(), consent.may_store(), consent.word());
            assert_eq!(got, (send, store, word), "{mode} {decisions:?}");
        };
        check("", &[], true, true, "");
        check("full", &[], true, true, "");
        check("cookieless", &[], true, false, "");
        check("none", &[], false, false, "");
        check("nnoe", &[], false, false, "");
        check("none", &["granted"], true, true, "granted");
        check("cookieless", &["granted"], true, true, "granted");
        check("full", &["denied"], false, false, "denied");
        check("none", &["granted", "denied"], false, false, "denied");
        check("full", &["denied", "granted"], true, true, "granted");
        check("none", &["perhaps"], false, false, "");
    }
}
