//! Asks a CRM for what changed: what a webhook should have told and did not.

use super::{Failure, Work};
use crate::crm::Change;
use crate::store::{MemoChange, MemoKind, StoreError};
use serde::{Deserialize, Serialize};

/// Changes are asked for from so long before the last one that was seen: a CRM may show a change
/// later than its time says.
const OVERLAP_MS: i64 = 120_000;
/// How far back the first poll goes.
const FIRST_MS: i64 = 30 * 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// How far a list of a connection was read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cursor {
    /// The last change that was seen, Unix milliseconds.
    pub seen_ms: i64,
    /// When it was asked for last, Unix milliseconds.
    pub polled_at_ms: i64,
}

/// Polls every list of the connection that it is time for; how many records were looked at.
pub(super) async fn work(work: &Work<'_>) -> Result<usize, Failure> {
    let minutes = work.connection.config.poll_minutes;
    if minutes == 0 {
        return Ok(0);
    }
    let mut looked = 0;
    for feed in work.connection.crm.feeds() {
        let now_ms = work.app.clock.now_ms();
        let name = format!("{}/{feed}", work.connection.name());
        let memo = work.app.store.memo(MemoKind::Cursor, &name).await?;
        let cursor: Option<Cursor> =
            memo.as_ref().and_then(|memo| serde_json::from_str(&memo.value).ok());
        if let Some(cursor) = &cursor
            && now_ms < cursor.polled_at_ms + i64::from(minutes) * MINUTE_MS
        {
            continue;
        }
        let seen_ms = cursor.map_or(now_ms - FIRST_MS, |cursor| cursor.seen_ms);
        let (read, seen_ms) = follow(work, feed, seen_ms).await?;
        looked += read;
        let cursor = Cursor { seen_ms, polled_at_ms: now_ms };
        let value = serde_json::to_string(&cursor);
        let change = MemoChange {
            kind: MemoKind::Cursor,
            name,
            was: memo.map(|memo| memo.stamp),
            stamp: u64::from_be_bytes(work.app.dice.roll()),
            value: Some(value.map_err(|error| StoreError::Corrupt(error.to_string()))?),
        };
        work.app.store.change_memo(change).await?;
    }
    Ok(looked)
}

/// Reads a list to its end; how many records, and the time of the last change.
async fn follow(work: &Work<'_>, feed: &str, mut seen_ms: i64) -> Result<(usize, i64), Failure> {
    let (mut looked, mut from_ms) = (0, seen_ms - OVERLAP_MS);
    loop {
        let page = work.connection.crm.changed(feed, from_ms).await?;
        work.apply(&page.changes).await?;
        looked += page.changes.len();
        let times = page.changes.iter().filter_map(|change| match change {
            Change::Person(person) => Some(person.changed_at_ms),
            Change::Deal(deal) => Some(deal.changed_at_ms),
            Change::Gone(_) => None,
        });
        seen_ms = times.fold(seen_ms, i64::max);
        match page.more_from_ms {
            Some(more_from_ms) if more_from_ms > from_ms => from_ms = more_from_ms,
            _ => return Ok((looked, seen_ms)),
        }
    }
}
