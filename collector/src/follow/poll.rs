//! Polls a CRM for changes, to find those that no webhook reported.

use super::apply::apply;
use super::work::{FollowError, Work};
use clew_connect::crm::adapter::Polling;
use clew_connect::crm::record::RecordState;
use clew_core::clock::{CLOCKS_DIFFER_MS, is_ahead};
use clew_store::MemoKind;
use serde::{Deserialize, Serialize};

/// How far each poll reaches back before the last change seen, because a CRM may show a change
/// later than its timestamp.
const OVERLAP_MS: i64 = 120_000;
/// How far back the first poll reaches.
const FIRST_MS: i64 = 30 * 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// How far a connection's list of changes has been read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cursor {
    /// Time of the last change seen, Unix milliseconds.
    pub seen_ms: i64,
    /// When the last poll began, Unix milliseconds.
    pub polled_at_ms: i64,
    /// Where the next page begins, Unix milliseconds; `None` if the last poll is complete.
    pub more_from_ms: Option<i64>,
}

/// Polls the connection's lists that are due; returns how many records were read.
pub(super) async fn poll(work: &Work<'_>) -> Result<usize, FollowError> {
    let minutes = work.connection.config.poll_minutes;
    let polling = work.connection.crm.polling().filter(|_| minutes > 0);
    let Some(polling) = polling else { return Ok(0) };
    let mut looked = 0;
    for feed in polling.feeds() {
        looked += follow(work, polling, feed, i64::from(minutes) * MINUTE_MS).await?;
    }
    Ok(looked)
}

/// Reads a list page by page if it is due. The cursor is stored after each page, so an interrupted
/// poll continues where it stopped. Returns how many records were read.
async fn follow(
    work: &Work<'_>,
    polling: &dyn Polling,
    feed: &str,
    every_ms: i64,
) -> Result<usize, FollowError> {
    let (core, name) = (work.core, format!("{}/{feed}", work.connection.name()));
    let now_ms = core.now_ms();
    let remembered = core.recall::<Cursor>(MemoKind::Cursor, &name).await?;
    let mut stamp = remembered.stamp;
    // A cursor written while a clock was ahead would skip changes, so it is discarded.
    let sound = remembered.value.filter(|cursor| cursor.seen_ms <= now_ms + CLOCKS_DIFFER_MS);
    let mut cursor = match sound {
        Some(cursor) if cursor.more_from_ms.is_some() => cursor,
        Some(cursor) if is_ahead(cursor.polled_at_ms + every_ms, every_ms, now_ms) => return Ok(0),
        cursor => {
            let seen_ms = cursor.map_or(now_ms - FIRST_MS, |cursor| cursor.seen_ms);
            let more_from_ms = Some(seen_ms - OVERLAP_MS);
            Cursor { seen_ms, polled_at_ms: now_ms, more_from_ms }
        }
    };
    let mut looked = 0;
    while let Some(from_ms) = cursor.more_from_ms {
        // Half of the calls are reserved for hand-offs.
        if work.connection.caller.throttle.is_low(core.now_ms()) {
            break;
        }
        let page = polling.changed(feed, from_ms).await?;
        apply(work, &page.changes).await?;
        looked += page.changes.len();
        let times = page.changes.iter().filter_map(|change| match change {
            RecordState::Person(person) => Some(person.changed_at_ms),
            RecordState::Deal(deal) => Some(deal.changed_at_ms),
            RecordState::PersonGone(_) | RecordState::DealGone(_) => None,
        });
        cursor.seen_ms = times.fold(cursor.seen_ms, i64::max);
        cursor.more_from_ms = page.more_from_ms.filter(|more_from_ms| *more_from_ms > from_ms);
        stamp = core.remember(MemoKind::Cursor, &name, stamp, Some(&cursor)).await?;
        if stamp.is_none() {
            // Another collector took over polling: our lease had expired.
            break;
        }
    }
    Ok(looked)
}
