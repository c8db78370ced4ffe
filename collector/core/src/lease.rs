//! Work that one collector at a time may do: its holder has a lease, which runs out when the holder
//! dies.

use crate::{Core, is_ahead};
use clew_store::{MemoKind, StoreError};
use serde::{Deserialize, Serialize};

/// How long a lease holds.
const HOLDS_MS: i64 = 30_000;
/// It is prolonged when no more than this is left of it.
const PROLONGED_MS: i64 = 20_000;

#[derive(Serialize, Deserialize)]
struct Lease {
    holder: u64,
    until_ms: i64,
}

/// Takes or prolongs the lease of a name; whether this collector has it now. A store that admits one
/// process needs no leases.
///
/// # Errors
/// The store's.
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
