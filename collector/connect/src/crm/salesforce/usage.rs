//! How many of the daily calls are used, which every response states.

use super::error::{BUSY_MS, DAY_USED_UP_MS};

/// How many of the daily calls are used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Usage {
    /// Enough are left.
    Fine,
    /// More than nine tenths are used.
    Low,
    /// All are used.
    UsedUp,
}

impl Usage {
    /// The worst of all parts of a header such as `api-usage=25/5000;
    /// per-app-api-usage=17/250(appName=sample-app)`.
    pub(super) fn of(header: &str) -> Self {
        let parts = header.split(';').filter_map(|part| {
            let (used, rest) = part.split_once('=')?.1.split_once('/')?;
            let most = rest.split('(').next()?;
            Some((used.trim().parse::<u64>().ok()?, most.trim().parse::<u64>().ok()?))
        });
        let judged = parts.map(|(used, most)| match () {
            () if used >= most => Self::UsedUp,
            () if used.saturating_mul(10) > most.saturating_mul(9) => Self::Low,
            () => Self::Fine,
        });
        judged.max_by_key(|usage| *usage as u8).unwrap_or(Self::Fine)
    }

    /// For how long no work should begin.
    pub(super) fn rest_ms(self) -> Option<i64> {
        match self {
            Self::Fine => None,
            Self::Low => Some(BUSY_MS),
            Self::UsedUp => Some(DAY_USED_UP_MS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_of_the_day() {
        for (header, expected) in [
            ("api-usage=25/5000", Usage::Fine),
            ("api-usage=4500/5000", Usage::Fine),
            ("api-usage=4501/5000", Usage::Low),
            ("api-usage=5000/5000", Usage::UsedUp),
            ("api-usage=25/5000; per-app-api-usage=249/250(appName=sample-app)", Usage::Low),
            ("api-usage=1/0", Usage::UsedUp),
            ("", Usage::Fine),
            ("api-usage=x/y", Usage::Fine),
        ] {
            assert_eq!(Usage::of(header), expected, "{header}");
        }
    }
}
