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
/// Pages that are read before something else has its turn: what webhooks named, other connections.
const PAGES: usize = 10;

/// How far a list of a connection was read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cursor {
    /// The last change that was seen, Unix milliseconds.
    pub seen_ms: i64,
    /// When it was asked for last, Unix milliseconds.
    pub polled_at_ms: i64,
    /// Where the next page begins, where the list was not read to its end, Unix milliseconds. Without
    /// it a long list that a limit cuts off would be begun anew each time, and never end.
    #[serde(default)]
    pub more_from_ms: Option<i64>,
}

/// Polls every list of the connection that it is time for; how many records were looked at.
pub(super) async fn work(work: &Work<'_>) -> Result<usize, Failure> {
    let wait_ms = i64::from(work.connection.config.poll_minutes) * MINUTE_MS;
    if wait_ms == 0 {
        return Ok(0);
    }
    let mut looked = 0;
    for feed in work.connection.crm.feeds() {
        let now_ms = work.app.clock.now_ms();
        let name = format!("{}/{feed}", work.connection.name());
        let memo = work.app.store.memo(MemoKind::Cursor, &name).await?;
        let known = memo.as_ref().and_then(|memo| serde_json::from_str::<Cursor>(&memo.value).ok());
        let mut cursor = known.unwrap_or(Cursor {
            seen_ms: now_ms - FIRST_MS,
            polled_at_ms: now_ms - wait_ms,
            more_from_ms: None,
        });
        if cursor.more_from_ms.is_none() && now_ms < cursor.polled_at_ms + wait_ms {
            continue;
        }
        let mut was = memo.map(|memo| memo.stamp);
        for _ in 0..PAGES {
            looked += page(work, feed, &mut cursor).await?;
            match keep(work, &name, was, &cursor).await? {
                // Somebody else reads it.
                None => return Ok(looked),
                stamp => was = stamp,
            }
            if cursor.more_from_ms.is_none() {
                break;
            }
        }
        if cursor.more_from_ms.is_some() {
            return Ok(looked);
        }
    }
    Ok(looked)
}

/// Reads the next page of a list; how many records.
async fn page(work: &Work<'_>, feed: &str, cursor: &mut Cursor) -> Result<usize, Failure> {
    let from_ms = cursor.more_from_ms.unwrap_or(cursor.seen_ms - OVERLAP_MS);
    let page = work.connection.crm.changed(feed, from_ms).await?;
    work.apply(&page.changes).await?;
    let times = page.changes.iter().filter_map(|change| match change {
        Change::Person(person) => Some(person.changed_at_ms),
        Change::Deal(deal) => Some(deal.changed_at_ms),
        Change::Gone(_) => None,
    });
    cursor.seen_ms = times.fold(cursor.seen_ms, i64::max);
    cursor.polled_at_ms = work.app.clock.now_ms();
    cursor.more_from_ms = page.more_from_ms.filter(|more_ms| *more_ms > from_ms);
    Ok(page.changes.len())
}

/// Keeps a cursor; its stamp, or `None` where another one was kept meanwhile.
async fn keep(
    work: &Work<'_>,
    name: &str,
    was: Option<u64>,
    cursor: &Cursor,
) -> Result<Option<u64>, StoreError> {
    let value = serde_json::to_string(cursor);
    let stamp = u64::from_be_bytes(work.app.dice.roll());
    let change = MemoChange {
        kind: MemoKind::Cursor,
        name: name.to_owned(),
        was,
        stamp,
        value: Some(value.map_err(|error| StoreError::Corrupt(error.to_string()))?),
    };
    Ok(work.app.store.change_memo(change).await?.then_some(stamp))
}
