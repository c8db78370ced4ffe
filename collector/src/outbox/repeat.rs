//! A loop that works, pauses, and stops when it is told to.

use clew_store::StoreError;
use std::time::Duration;
use tokio::sync::watch;

/// Works again and again, and pauses where there was nothing to do, until it is told to stop or the
/// work says (`None`) that there will be no more.
pub(super) async fn until_stopped(
    mut stop: watch::Receiver<bool>,
    pause: Duration,
    work: impl AsyncFn() -> Result<Option<usize>, StoreError>,
) {
    // Logged when trouble begins, changes or ends: not at every look.
    let mut logged = None;
    while !*stop.borrow() {
        let worked = match work().await {
            Ok(worked) => {
                if logged.take().is_some() {
                    tracing::info!("the outbox works again");
                }
                worked
            }
            Err(error) => {
                let error = error.to_string();
                if logged.as_ref() != Some(&error) {
                    tracing::error!(error, "the outbox could not work");
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

/// Lets time pass.
pub(super) async fn wait(pause: Duration) {
    #[expect(clippy::disallowed_methods, reason = "the loops wait for time to pass")]
    tokio::time::sleep(pause).await;
}
