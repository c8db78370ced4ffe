//! A person who was known before the attack: what strangers must not change, and what reading that
//! person's lead costs.

use crate::http::{Connection, batch_from, get, lead};
use clew_core::Clock;
use serde_json::{Value, json};
use shared::ids::VisitorId;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tests::wire::{batch, new_event, new_visitor, view};
use tokio::time::timeout;

/// The person's address, which strangers know.
pub(crate) const EMAIL: &str = "known@person.example";
const AD: &str =
    "https://www.example.com/?utm_source=google&utm_medium=cpc&utm_campaign=brand&gclid=G1";
const PATIENCE: Duration = Duration::from_secs(60);

/// What is known of the person.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Known {
    contact: Value,
    first_click: Vec<(String, Value)>,
}

/// The person's lead after the attack.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What is not as it was, in words.
    pub(crate) changed: Vec<String>,
    /// How long its answer took.
    pub(crate) took: Duration,
    /// How long its answer is.
    pub(crate) bytes: usize,
}

/// The person comes by an ad and becomes a lead.
pub(crate) async fn meet(address: SocketAddr) -> Known {
    convert(address, AD, "first").await.expect("the person's lead was not made");
    known(address).await.expect("the person's lead cannot be read").0
}

/// Reads the lead, and has the person convert in one more browser.
pub(crate) async fn find(address: SocketAddr, before: &Known) -> Found {
    let began = Instant::now();
    let Some((after, bytes)) = known(address).await else {
        let changed = vec!["its lead cannot be read".to_owned()];
        return Found { changed, took: began.elapsed(), bytes: 0 };
    };
    let (took, mut changed) = (began.elapsed(), Vec::new());
    for (field, value) in after.contact.as_object().into_iter().flatten() {
        if before.contact[field] != *value {
            changed.push(format!("{field} {value}"));
        }
    }
    for (new, old) in after.first_click.iter().zip(&before.first_click) {
        if new != old {
            changed.push(format!("{} {}", new.0, new.1));
        }
    }
    match convert(address, "https://www.example.com/again", "again").await {
        None => changed.push("its next lead was not stored".to_owned()),
        Some((visitor, answer)) => {
            let is_joined = |join: &Value| join["visitor"] == visitor.to_text();
            let visitors = answer["lead"]["visitors"].as_array();
            if !visitors.is_some_and(|visitors| visitors.iter().any(is_joined)) {
                changed.push("its next browser is not joined".to_owned());
            }
        }
    }
    Found { changed, took, bytes }
}

/// A new browser of the person's sees a page and sends a form.
async fn convert(address: SocketAddr, url: &str, key: &str) -> Option<(VisitorId, Value)> {
    let (mut connection, visitor) = (Connection::to(address), new_visitor());
    let now_ms = Clock::system().now_ms();
    let page = view(new_event(now_ms), now_ms, url, "");
    let page = batch_from("172.16.0.1", &batch(&visitor.to_text(), now_ms, &[page]));
    ask(&mut connection, &page).await?;
    let contact = json!({ "email": EMAIL, "first_name": "Known" });
    let body = json!({ "visitor": visitor, "contact": contact }).to_string();
    let (answer, _) = ask(&mut connection, &lead(key, &body)).await?;
    Some((visitor, answer))
}

async fn known(address: SocketAddr) -> Option<(Known, usize)> {
    let path = format!("/v1/leads/email:{EMAIL}");
    let (answer, bytes) = ask(&mut Connection::to(address), &get(&path)).await?;
    let fields = answer["fields"].as_object()?.iter();
    // How old it is changes by itself.
    let is_fixed = |name: &str| name.starts_with("first_click") && !name.contains("days");
    let first_click = fields.filter(|(name, _)| is_fixed(name));
    let first_click = first_click.map(|(name, value)| (name.clone(), value.clone())).collect();
    Some((Known { contact: answer["lead"]["contact"].clone(), first_click }, bytes))
}

/// A JSON answer of success, and its length.
async fn ask(connection: &mut Connection, request: &str) -> Option<(Value, usize)> {
    let answer = timeout(PATIENCE, connection.ask(request)).await.ok()?.ok()?;
    let is_success = (200..300).contains(&answer.status);
    is_success
        .then(|| serde_json::from_slice(&answer.body).ok())
        .flatten()
        .map(|json| (json, answer.body.len()))
}
