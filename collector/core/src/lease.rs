//! Leases for work that only one collector may do at a time. A lease expires if its holder dies.

use crate::{Core, is_ahead};
use clew_store::{MemoKind, StoreError};
use serde::{Deserialize, Serialize};

/// How long a lease lasts.
const HOLDS_MS: i64 = 30_000;
/// A lease is renewed once this much of it or less is left.
const PROLONGED_MS: i64 = 20_000;

#[derive(Serialize, Deserialize)]
struct Lease {
    holder: u64,
    until_ms: i64,
}

/// Takes or renews a lease by name. Returns whether this collector holds it now. A store that only
/// one process can open needs no leases, so the result is always `true`.
///
/// # Errors
/// If the store fails.
pub async fn hold(core: &Core, name: &str) -> Result<bool, StoreError> {
    if !core.store.is_shared() {
        return Ok(true);
    }
    let now_ms = core.now_ms();
    let lease = core.recall::<Lease>(MemoKind::Lease, name).await?;
    match lease.value {
        Some(held) if is_ahead(held.until_ms, HOLDS_MS, now_ms) => {
            if held.holder != core.holder {
                return Ok(false);
            }
            if held.until_ms > now_ms + PROLONGED_MS {
                return Ok(true);
            }
        }
        _ => {}
    }
    let mine = Lease { holder: core.holder, until_ms: now_ms + HOLDS_MS };
    let taken = core.remember(MemoKind::Lease, name, lease.stamp, Some(&mine)).await?;
    Ok(taken.is_some())
}
