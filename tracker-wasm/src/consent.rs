//! Consent: what may be sent and stored, from the tag's `data-consent` and the visitor's decision.
//!
//! The tracker does not store decisions. The page's consent tool does, and reports them on every
//! page.

/// What the tag allows before the visitor has decided.
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
    /// Parses `data-consent`. An unknown value allows nothing: a typo must not count as permission.
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

    /// Applies a decision; words other than `granted` and `denied` change nothing.
    pub(crate) fn decide(&mut self, word: &str) {
        match word {
            "granted" => self.decision = Some(true),
            "denied" => self.decision = Some(false),
            _ => {}
        }
    }

    /// Whether the visitor denied consent: then not even memory may hold anything.
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

    /// The decision in the wire format.
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
