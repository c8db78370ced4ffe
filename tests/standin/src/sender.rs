//! Sends webhooks, and keeps those that the receiver does not accept for another attempt.

use crate::journal::Delivery;
use crate::state::Shared;
use crate::webhook::{Message, Sealed};
use std::collections::BTreeMap;
use std::time::Duration;

/// After this many attempts a vendor gives up.
const MOST_ATTEMPTS: u32 = 11;

/// Sends messages one after the other. Those that the receiver does not accept wait for [`retry`].
pub(crate) async fn send(shared: &Shared, messages: Vec<Message>) -> Result<Vec<Delivery>, String> {
    let mut made = Vec::new();
    for mut message in messages {
        let (url, Sealed { headers, body }, at_ms) = {
            let state = shared.lock();
            let url = state.world.settings.target_url.clone();
            let url =
                url.ok_or("no target_url is set; POST /__test/settings {\"target_url\":…}")?;
            let sealed = state.crm.seal(&state.world, &message, &url);
            (url, sealed, state.world.now_ms())
        };
        let mut request = shared.client.post(&url).timeout(Duration::from_secs(5));
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let (status, answer) = match request.body(body.clone()).send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                (Some(status), response.text().await.unwrap_or_default())
            }
            Err(error) => (None, error.to_string()),
        };
        let mut state = shared.lock();
        let acknowledged = status.is_some_and(|status| state.crm.is_acknowledged(status, &answer));
        let attempt = message.attempt;
        let headers = headers.into_iter().collect::<BTreeMap<_, _>>();
        let delivery =
            Delivery { at_ms, url, headers, body, attempt, status, answer, acknowledged };
        state.deliveries.push(delivery.clone());
        message.attempt += 1;
        if !acknowledged && message.attempt < MOST_ATTEMPTS {
            state.waiting.push(message);
        }
        drop(state);
        made.push(delivery);
    }
    Ok(made)
}

/// Sends everything that was not accepted again. Real vendors wait in between; here a call triggers
/// it.
pub(crate) async fn retry(shared: &Shared) -> Result<Vec<Delivery>, String> {
    let waiting = std::mem::take(&mut shared.lock().waiting);
    send(shared, waiting).await
}
