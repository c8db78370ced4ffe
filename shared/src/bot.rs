//! Whether a user agent is a program's, and how that was seen. Flagged, never dropped.
//!
//! A first list of tokens; it grows into a table of its own.

/// Tokens in lower case; the first that occurs is the reason.
const TOKENS: &[&str] = &[
    "headless",
    "bot",
    "crawl",
    "spider",
    "slurp",
    "preview",
    "facebookexternalhit",
    "lighthouse",
    "pingdom",
    "uptime",
    "monitor",
    "curl/",
    "wget/",
    "python-",
    "go-http-client",
    "java/",
    "okhttp",
    "libwww",
    "scrapy",
    "phantomjs",
    "puppeteer",
    "playwright",
    "selenium",
    "gptbot",
    "claude-web",
];

/// Why the user agent looks like a program's; `None` for people.
pub fn reason(user_agent: &str) -> Option<&'static str> {
    if user_agent.trim().is_empty() {
        return Some("no user agent");
    }
    let lower = user_agent.to_lowercase();
    // A phone brand whose name ends like a crawler's.
    let lower = lower.replace("cubot", "");
    TOKENS.iter().copied().find(|token| lower.contains(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(user_agent: &str, expected: Option<&str>) {
        assert_eq!(reason(user_agent), expected, "{user_agent}");
    }

    #[test]
    fn people_and_programs() {
        check(
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
            None,
        );
        check(
            "Mozilla/5.0 (Linux; Android 13; CUBOT P80) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36",
            None,
        );
        check(
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            Some("bot"),
        );
        check(
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/156.0.0.0",
            Some("headless"),
        );
        check("curl/8.5.0", Some("curl/"));
        check(" ", Some("no user agent"));
    }
}
