//! Times at the border: Unix milliseconds inside, RFC 3339 in UTC outside.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// `2026-11-21T10:15:04Z`: whole seconds, the form of every time in the API. Times that no calendar
/// holds come out as the nearest that it does.
pub fn rfc3339(at_ms: i64) -> String {
    let second = at_ms.div_euclid(1000);
    let bounded = second.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(bounded).map(|at| at.to_string()).unwrap_or_default()
}

/// Reads an RFC 3339 time into Unix milliseconds; `None` where it is none.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// The same, and also a date, or a date and a time, which are taken to be in UTC.
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
