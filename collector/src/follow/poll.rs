//! Asks a CRM for what changed: what a webhook should have told and did not.

use super::{Failure, Work};
use crate::crm::Change;
use crate::store::{MemoChange, MemoKind};
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
    /// When a poll was begun last, Unix milliseconds.
    pub polled_at_ms: i64,
    /// Where the next page of a poll begins that is not at its end.
    pub more_from_ms: Option<i64>,
}

/// Polls every list of the connection that it is time for; how many records were looked at.
pub(super) async fn work(work: &Work<'_>) -> Result<usize, Failure> {
    let minutes = work.connection.config.poll_minutes;
    if minutes == 0 {
        return Ok(0);
    }
    let mut looked = 0;
    for feed in work.connection.crm.feeds() {
        let name = format!("{}/{feed}", work.connection.name());
        looked += follow(work, feed, &name, i64::from(minutes) * MINUTE_MS).await?;
    }
    Ok(looked)
}

/// Reads a list page by page, if it is time to, and keeps after each how far it has come: a long one
/// that is broken off goes on where it was. How many records were looked at.
async fn follow(work: &Work<'_>, feed: &str, name: &str, every_ms: i64) -> Result<usize, Failure> {
    let app = work.app;
    let now_ms = app.clock.now_ms();
    let memo = app.store.memo(MemoKind::Cursor, name).await?;
    let cursor: Option<Cursor> =
        memo.as_ref().and_then(|memo| serde_json::from_str(&memo.value).ok());
    let mut stamp = memo.map(|memo| memo.stamp);
    let mut cursor = match cursor {
        Some(cursor) if cursor.more_from_ms.is_some() => cursor,
        Some(cursor) if now_ms < cursor.polled_at_ms + every_ms => return Ok(0),
        cursor => {
            let seen_ms = cursor.map_or(now_ms - FIRST_MS, |cursor| cursor.seen_ms);
            let more_from_ms = Some(seen_ms - OVERLAP_MS);
            Cursor { seen_ms, polled_at_ms: now_ms, more_from_ms }
        }
    };
    let mut looked = 0;
    while let Some(from_ms) = cursor.more_from_ms {
        // Hand-offs come first: half of the calls are theirs.
        if work.connection.crm.caller().throttle.is_low(app.clock.now_ms()) {
            break;
        }
        let page = work.connection.crm.changed(feed, from_ms).await?;
        work.apply(&page.changes).await?;
        looked += page.changes.len();
        let times = page.changes.iter().filter_map(|change| match change {
            Change::Person(person) => Some(person.changed_at_ms),
            Change::Deal(deal) => Some(deal.changed_at_ms),
            Change::PersonGone(_) | Change::DealGone(_) => None,
        });
        cursor.seen_ms = times.fold(cursor.seen_ms, i64::max);
        cursor.more_from_ms = page.more_from_ms.filter(|more_from_ms| *more_from_ms > from_ms);
        let stamps = (stamp, u64::from_be_bytes(app.dice.roll()));
        let change = MemoChange::new(MemoKind::Cursor, name, stamps, Some(&cursor))?;
        let next = change.stamp;
        if !app.store.change_memo(change).await? {
            // Another collector polls: its lease began where ours ran out.
            break;
        }
        stamp = Some(next);
    }
    Ok(looked)
}
