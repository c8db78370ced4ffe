//! Whether a user agent is a program's, and how that was seen. Flagged, never dropped.
//!
//! What is known stands in `shared/sources/bots.txt`: words that give programs away, grouped by what
//! the programs do; what every browser's user agent has one of; and names that only look like a
//! program's. An operator's own text in the same form goes in front. Nothing here looks at
//! what a visitor does: `navigator.webdriver`, prefetching and own traffic are steps at ingest.

use crate::limits;
use crate::wire::encode::cut;
use aho_corasick::AhoCorasick;
use thiserror::Error;

/// The project's own rows; its first lines say how they are written.
const BUILT_IN: &str = include_str!("../sources/bots.txt");
/// The section of what only looks like a program.
const EXCEPTIONS: &str = "not a program";
/// The section of how browsers begin.
const BROWSERS: &str = "browser";
/// The section of what browsers run on.
const PLATFORMS: &str = "platform";
/// The section of what is a browser by that word alone.
const ODD_BROWSERS: &str = "odd browser";
/// A shorter word would be found in anything, unless it is held to one end.
const SHORTEST: usize = 3;

/// Tells programs from people by their user agent; made once.
#[derive(Debug)]
pub struct Bots {
    /// Finds the words of all rows in one pass.
    words: AhoCorasick,
    /// What each word means, in the order of `words`.
    rows: Vec<Row>,
}

/// One word of the text.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Row {
    /// In lower case.
    word: String,
    /// Whether it counts at the beginning of the user agent alone.
    begins: bool,
    /// Whether it counts at its end alone.
    ends: bool,
    means: Means,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Means {
    /// It is a program, for this reason.
    Program(String),
    /// Words that touch this one do not count.
    Exception,
    /// Browsers have one of these,
    Browser,
    /// and one of these,
    Platform,
    /// or one of these.
    OddBrowser,
}

/// A line that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("line {line}: {what}")]
pub struct BadLine {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// A word that is too short, or not of visible ASCII characters.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("`{written}`: a word is {shortest} or more ASCII characters")]
struct BadWord {
    /// As it stands in the text.
    written: String,
    /// How long it should be at least.
    shortest: usize,
}

impl Bots {
    /// The project's own rows.
    ///
    /// # Panics
    /// Never: a test reads every row.
    pub fn built_in() -> Self {
        Self::with("").unwrap_or_else(|bad| {
            unreachable!("shared/sources/bots.txt: {bad}, which a test forbids")
        })
    }

    /// The project's own rows with an operator's in front of them.
    ///
    /// # Errors
    /// The first line of `text` that cannot be used.
    pub fn with(text: &str) -> Result<Self, BadLine> {
        let mut rows = parse(text)?;
        rows.extend(parse(BUILT_IN)?);
        let words = rows.iter().map(|row| row.word.as_bytes());
        let words = AhoCorasick::builder().ascii_case_insensitive(true).build(words);
        let words = words.map_err(|error| BadLine { line: 1, what: error.to_string() })?;
        Ok(Self { words, rows })
    }

    /// Why a user agent looks like a program's, such as `search engine: googlebot`; `None` for
    /// people. Where several rows say so, the first one in the file is the reason. The first
    /// [`limits::TEXT_BYTES`] bytes are read, which is also what is stored.
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
            match &row.means {
                Means::Program(_) => hits.push(found),
                Means::Exception => exceptions.push(found.span()),
                Means::Browser => browser = true,
                Means::Platform => platform = true,
                Means::OddBrowser => odd = true,
            }
        }
        let counts = |hit: &&aho_corasick::Match| {
            let excepted =
                |span: &aho_corasick::Span| span.start < hit.end() && hit.start() < span.end;
            !exceptions.iter().any(excepted)
        };
        let first = hits.iter().filter(counts).map(|hit| hit.pattern().as_usize()).min();
        match first.map(|first| &self.rows[first].means) {
            Some(Means::Program(reason)) => Some(reason),
            _ if odd || (browser && platform) => None,
            _ if browser => Some("no platform"),
            _ => Some("no browser"),
        }
    }
}

/// Reads rows: `[kind]` lines, and words under them.
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
                return Err(bad(format!("`{line}`: a kind is a-z, spaces and '-' in brackets")));
            }
            kind = Some(name);
            continue;
        }
        let Some(kind) = kind else {
            return Err(bad(format!("`{line}` stands under no kind, such as [crawler]")));
        };
        for word in line.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            rows.push(row(kind, word).map_err(|error| bad(error.to_string()))?);
        }
    }
    Ok(rows)
}

/// Reads one word.
fn row(kind: &str, written: &str) -> Result<Row, BadWord> {
    let (begins, word) = written.strip_prefix('^').map_or((false, written), |word| (true, word));
    let (ends, word) = word.strip_suffix('$').map_or((false, word), |word| (true, word));
    let shortest = if begins || ends { SHORTEST - 1 } else { SHORTEST };
    if word.len() < shortest || !word.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(BadWord { written: written.to_owned(), shortest });
    }
    let word = word.to_ascii_lowercase();
    let means = match kind {
        EXCEPTIONS => Means::Exception,
        BROWSERS => Means::Browser,
        PLATFORMS => Means::Platform,
        ODD_BROWSERS => Means::OddBrowser,
        _ => Means::Program(format!("{kind}: {word}")),
    };
    Ok(Row { word, begins, ends, means })
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

    /// No row of the file is a repeat, stands behind a word that it contains, or is excepted.
    #[test]
    fn every_built_in_word_is_a_reason() {
        let bots = Bots::built_in();
        let mut seen = std::collections::HashSet::new();
        for row in &bots.rows {
            let key = (std::mem::discriminant(&row.means), row.begins, row.ends, &row.word);
            assert!(seen.insert(key), "{} stands there twice", row.word);
            let text = match row.begins {
                true => format!("{} {CHROME}", row.word),
                false => format!("{CHROME} {}", row.word),
            };
            match &row.means {
                Means::Program(reason) => assert_eq!(bots.reason(&text), Some(reason.as_str())),
                Means::Exception => assert_eq!(bots.reason(&text), None, "{text}"),
                Means::OddBrowser => {
                    assert_eq!(bots.reason(&format!("{}/1", row.word)), None, "{text}")
                }
                Means::Platform => {
                    let text = format!("Mozilla/5.0 ({})", row.word);
                    assert_eq!(bots.reason(&text), None, "{text}");
                }
                Means::Browser => {
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
        check_bad("word", "line 1: `word` stands under no kind, such as [crawler]");
        check_bad("\n[Ours]", "line 2: `[Ours]`: a kind is a-z, spaces and '-' in brackets");
        check_bad("[]", "line 1: `[]`: a kind is a-z, spaces and '-' in brackets");
        check_bad("[a]\nok word, ab", "line 2: `ab`: a word is 3 or more ASCII characters");
        check_bad("[a]\n^x", "line 2: `^x`: a word is 2 or more ASCII characters");
        check_bad("[a]\nb\u{f6}t", "line 2: `b\u{f6}t`: a word is 3 or more ASCII characters");
    }

    proptest! {
        /// No text makes it panic, and upper case is no disguise.
        #[test]
        fn any_text(text in "\\PC{0,60}|(Mozilla/5\\.0 \\()?[a-zA-Z0-9 ;:./()+_-]{0,60}") {
            let bots = Bots::built_in();
            prop_assert_eq!(bots.reason(&text), bots.reason(&text.to_ascii_uppercase()));
        }
    }
}
