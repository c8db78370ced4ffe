//! The control API under `/__test`, with the same controls as the methods of [`crate::Standin`].

use crate::fault::{Fault, Limit};
use crate::sender;
use crate::state::{Shared, State};
use crate::webhook::Emit;
use crate::world::Settings;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The route table.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/reset", web::post().to(reset))
        .route("/log", web::get().to(async |shared: Data| show(json!(shared.lock().log))))
        .route("/deliveries", web::get().to(deliveries))
        .route("/records", web::get().to(records))
        .route("/records", web::post().to(put))
        .route("/newest/{kind}", web::get().to(newest))
        .route("/act", web::post().to(act))
        .route("/fail", web::post().to(fail))
        .route("/limit", web::post().to(limit))
        .route("/expire_tokens", web::post().to(expire_tokens))
        .route("/emit", web::post().to(emit))
        .route("/retry", web::post().to(retry))
        .route("/clock", web::post().to(clock))
        .route("/settings", web::post().to(settings))
        .default_service(web::to(async || refuse("no such control; see docs/crm-standin.md")));
}

type Data = web::Data<Shared>;

fn show(value: Value) -> HttpResponse {
    HttpResponse::Ok().json(value)
}

fn refuse(message: &str) -> HttpResponse {
    HttpResponse::BadRequest().json(json!({ "error": message }))
}

/// Parses the body. The error is the response to JSON that does not fit.
fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, String> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn outcome(result: Result<Value, String>) -> HttpResponse {
    result.map_or_else(|error| refuse(&error), show)
}

async fn reset(shared: Data) -> HttpResponse {
    shared.reset();
    show(json!({}))
}

async fn deliveries(shared: Data) -> HttpResponse {
    show(json!(shared.lock().deliveries))
}

async fn records(shared: Data) -> HttpResponse {
    let state = shared.lock();
    show(state.crm.records(&state.world))
}

/// The id of the newest record of a kind, as plain text for use in a shell.
async fn newest(shared: Data, kind: web::Path<String>) -> HttpResponse {
    let records = {
        let State { world, crm, .. } = &*shared.lock();
        crm.records(world)
    };
    let Some(last) = records[kind.as_str()].as_array().and_then(|all| all.last()) else {
        return refuse(&format!("there are no {kind}"));
    };
    match last[shared.profile().id].as_str() {
        Some(id) => HttpResponse::Ok().content_type("text/plain").body(id.to_owned()),
        None => refuse(&format!("{kind} have no ids")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    object: String,
    fields: Value,
}

async fn put(shared: Data, body: web::Bytes) -> HttpResponse {
    let put: Put = match parse(&body) {
        Ok(put) => put,
        Err(error) => return refuse(&error),
    };
    let State { world, crm, .. } = &mut *shared.lock();
    outcome(crm.put(world, &put.object, &put.fields).map(|id| json!({ "id": id })))
}

async fn act(shared: Data, body: web::Bytes) -> HttpResponse {
    let action: Value = match parse(&body) {
        Ok(action) => action,
        Err(error) => return refuse(&error),
    };
    let State { world, crm, .. } = &mut *shared.lock();
    outcome(crm.act(world, &action))
}

async fn fail(shared: Data, body: web::Bytes) -> HttpResponse {
    let fault: Fault = match parse(&body) {
        Ok(fault) => fault,
        Err(error) => return refuse(&error),
    };
    shared.lock().faults.push(fault);
    show(json!({}))
}

async fn limit(shared: Data, body: web::Bytes) -> HttpResponse {
    let limit: Limit = match parse(&body) {
        Ok(limit) => limit,
        Err(error) => return refuse(&error),
    };
    let State { world, crm, .. } = &mut *shared.lock();
    outcome(crm.limit(world, &limit).map(|()| json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expire {
    #[serde(default)]
    all: bool,
}

async fn expire_tokens(shared: Data, body: web::Bytes) -> HttpResponse {
    let expire: Expire = match parse(&body) {
        Ok(expire) => expire,
        Err(error) => return refuse(&error),
    };
    shared.lock().crm.expire_tokens(expire.all);
    show(json!({}))
}

async fn emit(shared: Data, body: web::Bytes) -> HttpResponse {
    let emit: Emit = match parse(&body) {
        Ok(emit) => emit,
        Err(error) => return refuse(&error),
    };
    let messages = match shared.messages(&emit) {
        Ok(messages) => messages,
        Err(error) => return refuse(&error),
    };
    outcome(sender::send(&shared, messages).await.map(|made| json!(made)))
}

async fn retry(shared: Data) -> HttpResponse {
    outcome(sender::retry(&shared).await.map(|made| json!(made)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    now_ms: Option<i64>,
    advance_ms: Option<i64>,
}

async fn clock(shared: Data, body: web::Bytes) -> HttpResponse {
    let change: ClockChange = match parse(&body) {
        Ok(change) => change,
        Err(error) => return refuse(&error),
    };
    let world = &mut shared.lock().world;
    let now_ms = change.now_ms.unwrap_or_else(|| world.now_ms());
    world.set_now(now_ms + change.advance_ms.unwrap_or_default());
    show(json!({ "now_ms": world.now_ms() }))
}

/// Changes the settings that the body names; all others stay as they are.
async fn settings(shared: Data, body: web::Bytes) -> HttpResponse {
    let change: Map<String, Value> = match parse(&body) {
        Ok(change) => change,
        Err(error) => return refuse(&error),
    };
    let world = &mut shared.lock().world;
    let mut all = json!(world.settings);
    for (name, value) in change {
        all[name.as_str()] = value;
    }
    match serde_json::from_value::<Settings>(all.clone()) {
        Ok(settings) => world.settings = settings,
        Err(error) => return refuse(&error.to_string()),
    }
    show(all)
}
