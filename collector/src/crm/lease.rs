//! Work that must be one at a time per connection: its holder has a lease, which runs out where the
//! holder dies.

use crate::app::App;
use crate::store::{MemoChange, MemoKind, StoreError};
use serde::{Deserialize, Serialize};

/// How long a lease holds.
const HOLDS_MS: i64 = 30_000;
/// It is prolonged when it holds no longer than this.
const PROLONGED_MS: i64 = 20_000;

#[derive(Serialize, Deserialize)]
struct Lease {
    holder: u64,
    until_ms: i64,
}

/// Takes or prolongs the lease of a name; whether this collector has it now. A store that lets one
/// process in needs none.
///
/// # Errors
/// The store's.
pub async fn hold(app: &App, name: &str) -> Result<bool, StoreError> {
    if !app.store.is_shared() {
        return Ok(true);
    }
    let now_ms = app.clock.now_ms();
    let memo = app.store.memo(MemoKind::Lease, name).await?;
    let lease: Option<Lease> =
        memo.as_ref().and_then(|memo| serde_json::from_str(&memo.value).ok());
    match lease {
        Some(lease) if lease.holder == app.holder && lease.until_ms > now_ms + PROLONGED_MS => {
            return Ok(true);
        }
        Some(lease) if lease.holder != app.holder && lease.until_ms > now_ms => return Ok(false),
        _ => {}
    }
    let lease = Lease { holder: app.holder, until_ms: now_ms + HOLDS_MS };
    let stamps = (memo.map(|memo| memo.stamp), u64::from_be_bytes(app.dice.roll()));
    let change = MemoChange::new(MemoKind::Lease, name, stamps, Some(&lease))?;
    app.store.change_memo(change).await
}
