//! Monitors the free space of the store's disk, and decides what is refused when it runs low.
//!
//! sled cannot continue after a failed write, so the disk must never get full. Page views are
//! refused first, because browsers keep them; the remaining space is for leads, settlements and
//! operators. Below a last reserve, nothing is written at all.

use crate::error::StoreError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a measurement is used. A fast disk takes about 40 MB in that time.
const COUNTS_FOR: Duration = Duration::from_millis(250);
/// The divisor for the last reserve: this fraction of [`Reserve::min_bytes`] is never used.
const LAST: u64 = 8;
/// Hysteresis: writes are accepted again once the free space exceeds the bound by this fraction of
/// it, so that the state does not change every second.
const MARGIN: u64 = 8;
const MIB: u64 = 1 << 20;

/// Thresholds of free bytes on the disk.
#[derive(Clone, Copy, Debug)]
pub struct Reserve {
    /// Below this, a warning is logged.
    pub warn_bytes: u64,
    /// Below this, page views are refused; below an eighth of it, everything is. 0: nothing is
    /// refused.
    pub min_bytes: u64,
}

/// Measures the free bytes.
#[derive(Clone, Debug)]
pub enum Disk {
    /// The disk that contains the folder.
    Real,
    /// A simulated disk; tests set the free bytes.
    Simulated(Arc<AtomicU64>),
}

impl Disk {
    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        match self {
            Self::Real => {
                let disk = rustix::fs::statvfs(folder)?;
                Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
            }
            Self::Simulated(free) => Ok(free.load(Ordering::Relaxed)),
        }
    }
}

/// What the disk has space for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Level {
    Nothing,
    AllButPageViews,
    AllWithWarning,
    All,
}

/// Monitors the disk of one folder.
pub(super) struct DiskSpace {
    disk: Disk,
    folder: PathBuf,
    reserve: Reserve,
    state: Mutex<State>,
}

struct State {
    measured: Option<Instant>,
    /// `None` if it cannot be measured.
    free_bytes: Option<u64>,
    level: Level,
    /// The reason, while the engine is shut.
    shut: Option<StoreError>,
}

impl DiskSpace {
    pub(super) fn new(disk: Disk, folder: PathBuf, reserve: Reserve) -> Self {
        let state = State { measured: None, free_bytes: None, level: Level::All, shut: None };
        Self { disk, folder, reserve, state: Mutex::new(state) }
    }

    /// Whether page views are accepted; the error says why not.
    pub(super) fn for_page_views(&self) -> Result<(), StoreError> {
        self.check(Level::AllWithWarning)
    }

    /// Whether other writes are accepted; the error says why not.
    pub(super) fn for_others(&self) -> Result<(), StoreError> {
        self.check(Level::AllButPageViews)
    }

    /// Free bytes on the disk; `None` if they cannot be measured.
    pub(super) fn free_bytes(&self) -> Option<u64> {
        self.measured().free_bytes
    }

    /// Whether there is enough space to reopen the engine.
    pub(super) fn is_enough_to_open(&self) -> bool {
        self.measured().level > Level::Nothing
    }

    /// Refuses everything while the engine is shut.
    pub(super) fn shut(&self, why: StoreError) {
        self.lock().shut = Some(why);
    }

    /// Accepts writes again, as far as the disk has space.
    pub(super) fn reopened(&self) {
        self.lock().shut = None;
    }

    fn check(&self, needed: Level) -> Result<(), StoreError> {
        let state = self.measured();
        if let Some(why) = &state.shut {
            return Err(why.clone());
        }
        if state.level >= needed {
            return Ok(());
        }
        let free = state.free_bytes.unwrap_or_default() / MIB;
        let min = self.reserve.min_bytes / MIB;
        Err(StoreError::Full(match state.level {
            Level::Nothing => format!(
                "{free} MiB are free on the store's disk, less than an eighth of store.min_free_mib ({min}): \
                 nothing is stored until there is more space"
            ),
            _ => format!(
                "{free} MiB are free on the store's disk, less than store.min_free_mib ({min}): page views \
                 are not stored until there is more space"
            ),
        }))
    }

    fn measured(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        let is_fresh =
            |measured: Instant| matches!(self.disk, Disk::Real) && measured.elapsed() < COUNTS_FOR;
        if !state.measured.is_some_and(is_fresh) {
            state.measured = Some(Instant::now());
            state.free_bytes = self.disk.free_bytes(&self.folder).ok();
            let level = self.level(state.free_bytes, state.level);
            if level != state.level {
                report(level, state.level, state.free_bytes.unwrap_or_default() / MIB);
                state.level = level;
            }
        }
        state
    }

    /// The level for this many free bytes. To rise above the present level takes an extra margin.
    fn level(&self, free_bytes: Option<u64>, present: Level) -> Level {
        // If it cannot be measured, the first failing write shows it.
        let Some(free) = free_bytes else { return present };
        let Reserve { warn_bytes, min_bytes } = self.reserve;
        let bounds = [
            (min_bytes / LAST, Level::Nothing),
            (min_bytes, Level::AllButPageViews),
            (warn_bytes, Level::AllWithWarning),
        ];
        let is_below = |(bound, level): &(u64, Level)| {
            let margin = if present <= *level { bound / MARGIN } else { 0 };
            free < bound.saturating_add(margin)
        };
        bounds.into_iter().find(is_below).map_or(Level::All, |(_, level)| level)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn report(level: Level, before: Level, free_mib: u64) {
    match level {
        Level::Nothing => tracing::error!(
            free_mib,
            "the store's disk is nearly full: nothing is stored until there is more space"
        ),
        Level::AllButPageViews => tracing::error!(
            free_mib,
            "the store's disk is nearly full: page views are not stored until there is more space; leads \
             and deliveries continue"
        ),
        Level::AllWithWarning => {
            tracing::warn!(free_mib, "the store's disk is low on space");
            if before < level {
                tracing::info!("page views are stored again");
            }
        }
        Level::All => tracing::info!(free_mib, "the store's disk has enough space again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_at_so_many_free_bytes() {
        let free = Arc::new(AtomicU64::new(0));
        let disk_space = |warn_bytes, min_bytes| {
            let disk = Disk::Simulated(Arc::clone(&free));
            DiskSpace::new(disk, "/".into(), Reserve { warn_bytes, min_bytes })
        };
        let check = |disk_space: &DiskSpace, free_mib: u64, page_views: bool, others: bool| {
            free.store(free_mib * MIB, Ordering::Relaxed);
            let taken = (disk_space.for_page_views().is_ok(), disk_space.for_others().is_ok());
            assert_eq!(taken, (page_views, others), "{free_mib} MiB");
        };
        let guarded = disk_space(2_048 * MIB, 512 * MIB);
        check(&guarded, 5_000, true, true);
        check(&guarded, 2_000, true, true);
        check(&guarded, 512, true, true);
        check(&guarded, 511, false, true);
        check(&guarded, 512, false, true);
        check(&guarded, 575, false, true);
        check(&guarded, 576, true, true);
        check(&guarded, 63, false, false);
        check(&guarded, 71, false, false);
        check(&guarded, 72, false, true);
        check(&guarded, 0, false, false);
        check(&guarded, 5_000, true, true);
        check(&disk_space(0, 0), 0, true, true);
    }

    #[test]
    fn what_shuts_the_engine_is_the_reason() {
        let disk_space =
            DiskSpace::new(Disk::Real, "/".into(), Reserve { warn_bytes: 0, min_bytes: 0 });
        assert!(disk_space.free_bytes().is_some());
        disk_space.shut(StoreError::Full("why".into()));
        assert_eq!(disk_space.for_others().unwrap_err().to_string(), "why");
        disk_space.reopened();
        assert!(disk_space.for_page_views().is_ok());
    }
}
