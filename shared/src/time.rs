//! Times are Unix milliseconds internally and RFC 3339 in UTC externally; this module converts
//! them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Formats a time like `2026-11-21T10:15:04Z`, in whole seconds, as the API does everywhere. A time
/// outside of the calendar's range becomes the nearest one in it.
pub fn rfc3339(at_ms: i64) -> String {
    let second = at_ms.div_euclid(1000);
    let bounded = second.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(bounded).map(|at| at.to_string()).unwrap_or_default()
}

/// Parses an RFC 3339 time to Unix milliseconds; `None` if the text is not one.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// Like [`parse_rfc3339`], but also accepts a date, or a date and time, without an offset; these
/// are UTC.
pub fn parse_utc(text: &str) -> Option<i64> {
    let civil = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok();
    parse_rfc3339(text).or_else(|| Some(civil()?.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        assert_eq!(rfc3339(1_795_256_104_999), "2026-11-21T10:15:04Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59Z");
        assert_eq!(parse_rfc3339("2026-11-21T11:15:04+01:00"), Some(1_795_256_104_000));
        assert_eq!(parse_rfc3339("yesterday"), None);
        assert_eq!(parse_utc("2026-11-21T11:15:04+01:00"), Some(1_795_256_104_000));
        assert_eq!(parse_utc("2026-11-21T10:15:04"), Some(1_795_256_104_000));
        assert_eq!(parse_utc("2026-11-21 10:15:04"), Some(1_795_256_104_000));
        assert_eq!(parse_utc("2026-11-21"), Some(1_795_219_200_000));
        assert_eq!(parse_utc("21.11.2026"), None);
        assert!(rfc3339(i64::MAX).starts_with("9999-"));
    }
}
