//! The store's own threads. Work started from any runtime runs on these.

use crate::error::StoreError;
use tokio::runtime::{EnterGuard, Runtime};

/// The threads for connections and their work. Dropping it does not wait, because it may be dropped
/// inside another runtime: running work is then cut off, as in a crash.
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
        self.0.as_ref().ok_or_else(|| StoreError::Closed("it is closed".into()))
    }

    /// While the guard lives, tasks are spawned on these threads.
    pub(super) fn enter(&self) -> Result<EnterGuard<'_>, StoreError> {
        Ok(self.runtime()?.enter())
    }

    /// Waits for work, even from within another runtime. Blocks.
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
