//! A loop that repeats work with pauses until it is stopped.

use clew_store::StoreError;
use std::time::Duration;
use tokio::sync::watch;

/// Repeats `work` until `stop` is set or the work returns `None`, which ends the loop. Pauses after
/// a run that did nothing or failed.
pub(super) async fn until_stopped(
    mut stop: watch::Receiver<bool>,
    pause: Duration,
    work: impl AsyncFn() -> Result<Option<usize>, StoreError>,
) {
    // An error is logged when it begins, changes or ends, not on every run.
    let mut logged = None;
    while !*stop.borrow() {
        let worked = match work().await {
            Ok(worked) => {
                if logged.take().is_some() {
                    tracing::info!("the outbox has recovered");
                }
                worked
            }
            Err(error) => {
                let error = error.to_string();
                if logged.as_ref() != Some(&error) {
                    tracing::error!(error, "the outbox failed");
                }
                logged = Some(error);
                Some(0)
            }
        };
        match worked {
            None => return,
            Some(0) => {}
            Some(_) => continue,
        }
        tokio::select! {
            () = wait(pause) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Waits.
pub(super) async fn wait(pause: Duration) {
    #[expect(clippy::disallowed_methods, reason = "the loops wait for time to pass")]
    tokio::time::sleep(pause).await;
}
