//! The store's own threads: what is asked for from any runtime is done on these.

use crate::error::StoreError;
use tokio::runtime::{EnterGuard, Runtime};

/// Threads for connections and for the work on them. Let go without waiting, because that may be
/// done from within another runtime: what is under way then is cut off, as by a crash.
pub(super) struct Threads(Option<Runtime>);

impl Threads {
    pub(super) fn start() -> Result<Self, StoreError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("store")
            .enable_all()
            .build();
        Ok(Self(Some(runtime.map_err(|error| StoreError::Closed(error.to_string()))?)))
    }

    pub(super) fn runtime(&self) -> Result<&Runtime, StoreError> {
        self.0.as_ref().ok_or_else(|| StoreError::Closed("it is shut".into()))
    }

    /// What is spawned meanwhile is spawned there.
    pub(super) fn enter(&self) -> Result<EnterGuard<'_>, StoreError> {
        Ok(self.runtime()?.enter())
    }

    /// Waits for work, also from within another runtime; blocks.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.runtime()?.spawn(async move {
            // The receiver waits below.
            let _ = sender.send(work.await);
        });
        receiver.recv().unwrap_or_else(|_| Err(StoreError::Closed("its threads have ended".into())))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
