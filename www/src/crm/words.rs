//! Formats values for people: channels, stages, times, durations, URLs.
//!
//! Style classes come only from fixed tables, never from received data.

use jiff::Timestamp;

/// A channel or a stage as a coloured badge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Badge {
    /// The style class of its colour.
    pub(crate) class: &'static str,
    pub(crate) label: String,
}

/// Name, colour, and GA4's English label.
const CHANNELS: [(&str, &str, &str); 21] = [
    ("direct", "tone-grey", "Direct"),
    ("cross_network", "tone-amber", "Cross-network"),
    ("paid_shopping", "tone-amber", "Paid Shopping"),
    ("paid_search", "tone-amber", "Paid Search"),
    ("paid_social", "tone-orange", "Paid Social"),
    ("paid_video", "tone-orange", "Paid Video"),
    ("display", "tone-orange", "Display"),
    ("paid_other", "tone-amber", "Paid Other"),
    ("organic_shopping", "tone-green", "Organic Shopping"),
    ("organic_social", "tone-blue", "Organic Social"),
    ("organic_video", "tone-blue", "Organic Video"),
    ("organic_search", "tone-green", "Organic Search"),
    ("ai_assistant", "tone-pink", "AI Assistant"),
    ("referral", "tone-teal", "Referral"),
    ("email", "tone-violet", "Email"),
    ("affiliates", "tone-teal", "Affiliates"),
    ("audio", "tone-orange", "Audio"),
    ("sms", "tone-violet", "SMS"),
    ("mobile_push", "tone-violet", "Mobile Push Notifications"),
    ("offline", "tone-grey", "Offline"),
    ("other", "tone-grey", "Other"),
];

/// Name, colour, label.
const STAGES: [(&str, &str, &str); 9] = [
    ("anonymous", "tone-grey", "Anonymous"),
    ("lead", "tone-blue", "Lead"),
    ("mql", "tone-violet", "MQL"),
    ("sql", "tone-pink", "SQL"),
    ("opportunity", "tone-amber", "Opportunity"),
    ("customer", "tone-green", "Customer"),
    ("advocate", "tone-teal", "Advocate"),
    ("lost", "tone-red", "Lost"),
    ("recycled", "tone-grey", "Recycled"),
];

pub(crate) fn channel(name: &str) -> Badge {
    badge(&CHANNELS, name)
}

pub(crate) fn stage(name: &str) -> Badge {
    badge(&STAGES, name)
}

/// A name that is not in the table is shown unchanged, in grey.
fn badge(table: &[(&str, &'static str, &str)], name: &str) -> Badge {
    match table.iter().find(|(known, ..)| *known == name) {
        Some((_, class, label)) => Badge { class, label: (*label).to_owned() },
        None => Badge { class: "tone-grey", label: name.to_owned() },
    }
}

/// The label of a conversion type.
pub(crate) fn conversion(name: &str) -> String {
    match name {
        "form" => "Form submitted".to_owned(),
        "call" => "Phone call".to_owned(),
        "chat" => "Chat".to_owned(),
        "booking" => "Meeting booked".to_owned(),
        "import" => "Imported".to_owned(),
        "api" => "Reported by API".to_owned(),
        other => other.to_owned(),
    }
}

/// `2 Nov 2026, 08:01`, in UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%-d %b %Y, %H:%M").to_string()
}

/// `08:01`, in UTC.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%H:%M").to_string()
}

/// `Monday, 2 November 2026`, in UTC.
pub(crate) fn day(at: Timestamp) -> String {
    at.strftime("%A, %-d %B %Y").to_string()
}

/// Unix milliseconds in the format of [`moment`].
pub(crate) fn moment_of_ms(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), moment)
}

/// A duration in its largest units: `45 s`, `2 min 05 s`, `3 h 20 min`, `19 days`.
pub(crate) fn duration(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {:02} s", seconds % 60),
        3600..86_400 => format!("{hours} h {:02} min", minutes % 60),
        86_400..172_800 => "1 day".to_owned(),
        _ => format!("{days} days"),
    }
}

/// `1 page`, `3 pages`.
pub(crate) fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// The path of a URL, or the text if it is not a web address.
pub(crate) fn path(address: &str) -> String {
    web_address(address).map_or_else(|| address.to_owned(), |url| url.path().to_owned())
}

/// The host of a referrer, or the text if it is not a web address.
pub(crate) fn host(address: &str) -> String {
    web_address(address)
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_else(|| address.to_owned())
}

fn web_address(address: &str) -> Option<url::Url> {
    url::Url::parse(address).ok().filter(|_| is_link(address))
}

/// Whether the text may become a link; anything else (`javascript:`) is shown as text only.
pub(crate) fn is_link(address: &str) -> bool {
    address.starts_with("https://") || address.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        let rows = [
            (0, "0 s"),
            (59, "59 s"),
            (125, "2 min 05 s"),
            (3600, "1 h 00 min"),
            (86_399, "23 h 59 min"),
            (86_400, "1 day"),
            (1_649_629, "19 days"),
        ];
        for (seconds, expected) in rows {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn addresses() {
        assert_eq!(path("https://www.example.com/blog/x?utm_source=y#z"), "/blog/x");
        assert_eq!(path("/already"), "/already");
        assert_eq!(path("javascript:alert(1)"), "javascript:alert(1)");
        assert_eq!(host("https://www.google.com/"), "www.google.com");
        assert_eq!(host("not an address"), "not an address");
        assert!(!is_link("javascript:alert(1)") && is_link("https://example.com/"));
    }

    #[test]
    fn names_that_are_not_known_are_shown_in_grey() {
        let hostile = channel("x\" onload=\"alert(1)");
        assert_eq!((hostile.class, hostile.label.as_str()), ("tone-grey", "x\" onload=\"alert(1)"));
    }

    #[test]
    fn times_are_utc() {
        let at: Timestamp = "2026-11-02T08:01:11Z".parse().unwrap();
        assert_eq!(moment(at), "2 Nov 2026, 08:01");
        assert_eq!(day(at), "Monday, 2 November 2026");
        assert_eq!(time(at), "08:01");
    }
}
