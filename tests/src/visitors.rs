//! Visitors with a history.

use crate::app::{NOW_MS, TestApp};
use crate::wire::{batch, engagement, new_event, new_visitor, view};
use serde_json::{Value, json};
use shared::limits::DAY_MS;

const MINUTE: i64 = 60_000;

/// A visitor that came from an ad, then directly. Returns its id and the token of its last
/// response.
pub async fn travelled(app: &TestApp) -> (String, String) {
    let visitor = new_visitor().to_text();
    let ad =
        "https://www.example.com/?utm_source=google&utm_medium=cpc&utm_campaign=brand&gclid=G1";
    let days_ago = NOW_MS - 3 * DAY_MS;
    let first = new_event(days_ago);
    let events = [
        view(first, days_ago, ad, "https://www.google.com/"),
        engagement(first, days_ago + 20_000, 20_000, 90),
    ];
    // Sent at that time: a page view is dated at most a day before its visitor was first heard of.
    app.app.core.clock.advance_ms(-3 * DAY_MS);
    app.send(batch(&visitor, days_ago, &events)).await;
    app.app.core.clock.advance_ms(3 * DAY_MS);
    let second = new_event(NOW_MS - MINUTE);
    let answer = app
        .send(batch(
            &visitor,
            NOW_MS,
            &[view(second, NOW_MS - MINUTE, "https://www.example.com/contact", "")],
        ))
        .await;
    (visitor, answer.json["token"].as_str().unwrap().to_owned())
}

/// A contact with an e-mail and a name.
pub fn contact(email: &str) -> Value {
    json!({ "email": email, "first_name": "First", "last_name": "Last" })
}
