//! Detects bots by their user agent and says why. Bots are flagged, never dropped.
//!
//! The words are in `shared/sources/bots.txt`: words that identify programs, grouped by the kind of
//! program; words that every browser's user agent contains; and names that only look like a
//! program's. An operator's own words, in the same format, come first. This module does not look at
//! what a visitor does: `navigator.webdriver`, prefetching and own traffic are steps of ingest.

use crate::limits;
use crate::wire::encode::cut;
use aho_corasick::AhoCorasick;
use thiserror::Error;

/// The built-in rows; the first lines of the file describe the format.
const BUILT_IN: &str = include_str!("../sources/bots.txt");
/// The section of words that only look like a program.
const EXCEPTIONS: &str = "not a program";
/// The section of words that browsers begin with.
const BROWSERS: &str = "browser";
/// The section of systems that browsers run on.
const PLATFORMS: &str = "platform";
/// The section of addresses, which programs and apps put into their user agents.
const ADDRESSES: &str = "crawler address";
/// The section of words that alone identify a browser.
const ODD_BROWSERS: &str = "odd browser";
/// The shortest word; shorter ones would match almost anything. One that is tied to an end may be a
/// character shorter.
const SHORTEST: usize = 3;

/// Tells bots from people by their user agent. Built once.
#[derive(Debug)]
pub struct Bots {
    /// Finds the words of all rows in one pass.
    words: AhoCorasick,
    /// The row of each word, in the order of `words`.
    rows: Vec<Row>,
}

/// One word of the text.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Row {
    /// The word in lower case.
    word: String,
    /// Whether it counts only at the beginning of the user agent.
    begins: bool,
    /// Whether it counts only at the end.
    ends: bool,
    meaning: Meaning,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Meaning {
    /// A program, for this reason.
    Program(String),
    /// A program, for this reason, unless it is an app's own browser.
    Address(String),
    /// Words that overlap this one do not count.
    Exception,
    /// A browser has one of these
    Browser,
    /// and one of these,
    Platform,
    /// or only one of these.
    OddBrowser,
}

/// An invalid line.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("line {line}: {what}")]
pub struct BadLine {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// A word that is too short or has characters other than visible ASCII.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("`{written}`: use a word of {shortest} or more ASCII characters")]
struct BadWord {
    /// The word as written.
    written: String,
    /// The minimum length.
    shortest: usize,
}

impl Bots {
    /// The built-in rows.
    ///
    /// # Panics
    /// Never: a test reads every row.
    pub fn built_in() -> Self {
        Self::with("").unwrap_or_else(|bad| {
            unreachable!("shared/sources/bots.txt: {bad}, which a test forbids")
        })
    }

    /// The built-in rows, with an operator's in front of them.
    ///
    /// # Errors
    /// [`BadLine`] for the first invalid line of `text`.
    pub fn with(text: &str) -> Result<Self, BadLine> {
        let mut rows = parse(text)?;
        rows.extend(parse(BUILT_IN)?);
        let words = rows.iter().map(|row| row.word.as_bytes());
        let words = AhoCorasick::builder().ascii_case_insensitive(true).build(words);
        let words = words.map_err(|error| BadLine { line: 1, what: error.to_string() })?;
        Ok(Self { words, rows })
    }

    /// Why a user agent looks like a bot's, such as `search engine: googlebot`; `None` for people.
    /// If several rows match, the first one in the file is the reason. Only the first
    /// [`limits::TEXT_BYTES`] bytes are read; no more is stored.
    pub fn reason(&self, user_agent: &str) -> Option<&str> {
        let user_agent = cut(user_agent, limits::TEXT_BYTES).trim();
        if user_agent.is_empty() {
            return Some("no user agent");
        }
        let (mut browser, mut platform, mut odd) = (false, false, false);
        let mut hits = Vec::new();
        let mut exceptions = Vec::new();
        for found in self.words.find_overlapping_iter(user_agent) {
            let row = &self.rows[found.pattern().as_usize()];
            if (row.begins && found.start() > 0) || (row.ends && found.end() < user_agent.len()) {
                continue;
            }
            match &row.meaning {
                Meaning::Address(_) if is_web_view(user_agent) => {}
                Meaning::Program(_) | Meaning::Address(_) => hits.push(found),
                Meaning::Exception => exceptions.push(found.span()),
                Meaning::Browser => browser = true,
                Meaning::Platform => platform = true,
                Meaning::OddBrowser => odd = true,
            }
        }
        let counts = |hit: &&aho_corasick::Match| {
            let excepted =
                |span: &aho_corasick::Span| span.start < hit.end() && hit.start() < span.end;
            !exceptions.iter().any(excepted)
        };
        let first = hits.iter().filter(counts).map(|hit| hit.pattern().as_usize()).min();
        match first.map(|first| &self.rows[first].meaning) {
            Some(Meaning::Program(reason) | Meaning::Address(reason)) => Some(reason),
            _ if odd || (browser && platform) => None,
            _ if browser => Some("no platform"),
            _ => Some("no browser"),
        }
    }
}

/// Whether the user agent is that of an app's own browser: Android marks them, and on Apple's
/// phones they lack the name of Safari.
fn is_web_view(user_agent: &str) -> bool {
    let has = |word| user_agent.contains(word);
    has("; wv)") || ((has("iPhone") || has("iPad")) && has("Mobile/") && !has("Safari/"))
}

/// Parses rows: `[kind]` lines, and words under them.
fn parse(text: &str) -> Result<Vec<Row>, BadLine> {
    let mut rows = Vec::new();
    let mut kind = None;
    for (index, line) in text.lines().map(str::trim).enumerate() {
        let bad = |what: String| BadLine { line: index + 1, what };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let plain = |byte: u8| byte.is_ascii_lowercase() || b" -".contains(&byte);
            if name.is_empty() || !name.bytes().all(plain) {
                return Err(bad(format!("`{line}`: use only a-z, spaces and '-' in a kind")));
            }
            kind = Some(name);
            continue;
        }
        let Some(kind) = kind else {
            return Err(bad(format!("`{line}` comes before any kind; add one such as [crawler]")));
        };
        for word in line.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            rows.push(row(kind, word).map_err(|error| bad(error.to_string()))?);
        }
    }
    Ok(rows)
}

/// Parses one word.
fn row(kind: &str, written: &str) -> Result<Row, BadWord> {
    let (begins, word) = written.strip_prefix('^').map_or((false, written), |word| (true, word));
    let (ends, word) = word.strip_suffix('$').map_or((false, word), |word| (true, word));
    let shortest = if begins || ends { SHORTEST - 1 } else { SHORTEST };
    if word.len() < shortest || !word.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(BadWord { written: written.to_owned(), shortest });
    }
    let word = word.to_ascii_lowercase();
    let meaning = match kind {
        EXCEPTIONS => Meaning::Exception,
        BROWSERS => Meaning::Browser,
        PLATFORMS => Meaning::Platform,
        ODD_BROWSERS => Meaning::OddBrowser,
        ADDRESSES => Meaning::Address(format!("crawler: {word}")),
        _ => Meaning::Program(format!("{kind}: {word}")),
    };
    Ok(Row { word, begins, ends, meaning })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

    fn check(user_agent: &str, expected: Option<&str>) {
        let found = Bots::built_in();
        assert_eq!(found.reason(user_agent), expected, "{user_agent}");
    }

    #[test]
    fn programs() {
        for (user_agent, reason) in [
            ("", "no user agent"),
            (" \t", "no user agent"),
            ("-", "no browser"),
            ("Mozilla/5.0", "no platform"),
            ("Mozilla/5.0 (compatible; Unheard/1.0)", "no platform"),
            ("Unheard/1.0 (Linux)", "no browser"),
            ("curl/8.5.0", "http library: curl"),
            ("CURL/8.5.0", "http library: curl"),
            ("python-requests/2.32.3", "http library: python"),
            ("Go-http-client/2.0", "http library: go-http-client"),
            ("Shop/7 CFNetwork/1496.0.7 Darwin/23.5.0", "http library: cfnetwork"),
            ("WhatsApp/2.24.17 A", "link preview: whatsapp"),
            ("facebookexternalhit/1.1", "link preview: facebookexternalhit"),
            (
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                "search engine: googlebot",
            ),
            (
                "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
                "ai crawler: gptbot",
            ),
            (
                "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
                "seo tool: ahrefs",
            ),
            ("Mozilla/5.0 (compatible; Nobody; +http://nobody.example)", "crawler: http://"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1 (https://nobody.example)",
                "crawler: https://",
            ),
            ("Mozilla/5.0 zgrab/0.x", "security scanner: zgrab"),
        ] {
            check(user_agent, Some(reason));
        }
        check(&CHROME.replace("Chrome/", "HeadlessChrome/"), Some("headless browser: headless"));
        check(&format!("{CHROME} Chrome-Lighthouse"), Some("headless browser: chrome-lighthouse"));
        check(&format!("{CHROME} PingdomTMS/2020.2"), Some("monitor: pingdom"));
    }

    #[test]
    fn people() {
        let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148";
        let android = "Mozilla/5.0 (Linux; Android 14; {}) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/142.0.0.0 Mobile Safari/537.36";
        for user_agent in [
            CHROME,
            iphone,
            "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/AP1A)",
            &format!("{CHROME} Edg/142.0.0.0"),
            // Apps put an address into the user agent of their own browser.
            &format!("{iphone} Shop/1.2 (https://shop.example)"),
            "Mozilla/5.0 (Linux; Android 13; SM-S918N; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.6099.210 Mobile Safari/537.36 Shop/3.1 (+http://www.shop.example/app)",
            &format!("{CHROME} Electron/37.2.0"),
            &format!("{iphone} Instagram 400.0.0.0 (iPhone16,2; iOS 18_6)"),
            &format!("{iphone} [FBAN/FBIOS;FBAV/530.0;FBDV/iPhone16,2]"),
            &format!("{iphone} MicroMessenger/8.0.60 NetType/WIFI Language/en"),
            &format!("{iphone} Safari Line/15.0.0"),
            &format!("{iphone} [LinkedInApp]/9.31"),
            &iphone.replace("Mobile/", "GSA/391.0 Mobile/"),
            &android.replace("{}", "CUBOT_X18_Plus"),
            &android.replace("{}", "CUBOT P80"),
            &android.replace("{}", "SM-S921B Build/UP1A; wv"),
            "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; Banca Caboto s.p.a.; rv:11.0) like Gecko",
            "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0)",
            "Mozilla/5.0 (compatible; Konqueror/4.4; Linux) KHTML/4.4.5 (like Gecko)",
            "Opera/9.80 (Android; Opera Mini/7.5.33361/191.291; U; en) Presto/2.12.423 Version/12.16",
            "Nokia6300/2.0 (05.50) Profile/MIDP-2.0 Configuration/CLDC-1.1",
            "Mozilla/5.0 (Mobile; Nokia_2720_Flip; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5.2",
            "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/94.0.4606.128 Safari/537.36",
            "Mozilla/5.0 (PlayStation; PlayStation 5/9.00) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/605.1.15",
        ] {
            check(user_agent, None);
        }
    }

    /// No row of the file is a repeat, comes after a word that it contains, or is an exception of
    /// another.
    #[test]
    fn every_built_in_word_is_a_reason() {
        let bots = Bots::built_in();
        let mut seen = std::collections::HashSet::new();
        for row in &bots.rows {
            let key = (std::mem::discriminant(&row.meaning), row.begins, row.ends, &row.word);
            assert!(seen.insert(key), "{} is in the file twice", row.word);
            let text = match row.begins {
                true => format!("{} {CHROME}", row.word),
                false => format!("{CHROME} {}", row.word),
            };
            match &row.meaning {
                Meaning::Program(reason) | Meaning::Address(reason) => {
                    assert_eq!(bots.reason(&text), Some(reason.as_str()))
                }
                Meaning::Exception => assert_eq!(bots.reason(&text), None, "{text}"),
                Meaning::OddBrowser => {
                    assert_eq!(bots.reason(&format!("{}/1", row.word)), None, "{text}")
                }
                Meaning::Platform => {
                    let text = format!("Mozilla/5.0 ({})", row.word);
                    assert_eq!(bots.reason(&text), None, "{text}");
                }
                Meaning::Browser => {
                    let text = format!("{}5.0 (X11; Linux)", row.word);
                    assert_eq!(bots.reason(&text), None, "{text}");
                }
            }
        }
    }

    #[test]
    fn an_operators_words_go_in_front() {
        let bots =
            Bots::with("[ours]\ngooglebot, ^intranet\n\n# fine\n[odd browser]\nKioskBrowser")
                .unwrap();
        assert_eq!(bots.reason("Googlebot/2.1"), Some("ours: googlebot"));
        assert_eq!(bots.reason("Intranet probe"), Some("ours: intranet"));
        assert_eq!(bots.reason("kioskbrowser/1.0"), None);
        assert_eq!(bots.reason("bingbot"), Some("search engine: bingbot"));
        let ends = Bots::with("[ours]\nsafari/537.36 x$").unwrap();
        assert_eq!(ends.reason(&format!("{CHROME} x")), Some("ours: safari/537.36 x"));
        assert_eq!(ends.reason(&format!("{CHROME} xy")), None);
        let excepted = Bots::with("[not a program]\nheadlesschrome/1").unwrap();
        assert_eq!(excepted.reason(&CHROME.replace("Chrome/", "HeadlessChrome/")), None);
    }

    fn check_bad(text: &str, expected: &str) {
        assert_eq!(Bots::with(text).map(drop).map_err(|bad| bad.to_string()), Err(expected.into()));
    }

    #[test]
    fn bad_lines() {
        check_bad("word", "line 1: `word` comes before any kind; add one such as [crawler]");
        check_bad("\n[Ours]", "line 2: `[Ours]`: use only a-z, spaces and '-' in a kind");
        check_bad("[]", "line 1: `[]`: use only a-z, spaces and '-' in a kind");
        check_bad("[a]\nok word, ab", "line 2: `ab`: use a word of 3 or more ASCII characters");
        check_bad("[a]\n^x", "line 2: `^x`: use a word of 2 or more ASCII characters");
        check_bad("[a]\nb\u{f6}t", "line 2: `b\u{f6}t`: use a word of 3 or more ASCII characters");
    }

    proptest! {
        /// No text makes it panic, and case does not matter.
        #[test]
        fn any_text(text in "\\PC{0,60}|(Mozilla/5\\.0 \\()?[a-zA-Z0-9 ;:./()+_-]{0,60}") {
            let bots = Bots::built_in();
            prop_assert_eq!(bots.reason(&text), bots.reason(&text.to_ascii_uppercase()));
        }
    }
}
