//! What comes back of a lead: stages that it entered and what became of its deals, as a program tells
//! them by API.
//!
//! A request is read into a record that cannot be wrong, the lead that it means is looked up, and the
//! store keeps the record once. By what it is known when it is told again is said by the caller
//! (`reference`, else the Idempotency-Key), or made of what it tells.

use crate::app::App;
use crate::conversion::view::{LeadView, find_lead};
use crate::error::ApiError;
use crate::outbox::destinations::destinations;
use crate::settings::Settings;
use crate::store::{NewRecord, Record, Recorded, StoreError, Unmatched};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::deal::{DealEvent, LedgerEntry};
use shared::ids::SiteId;
use shared::lead::IdentityKind;
use shared::lifecycle::{Origin, Stage, StageChange};
use shared::limits;
use shared::money::Money;
use shared::time::{parse_rfc3339, rfc3339};

/// The body of `POST /v1/leads/{id}/stage`. Unknown members are ignored.
#[derive(Debug, Deserialize)]
struct StageRequest {
    stage: String,
    at: Option<String>,
    reason: Option<String>,
    reference: Option<String>,
    crm: Option<String>,
}

/// The body of `POST /v1/revenue`. Unknown members are ignored.
#[derive(Debug, Deserialize)]
struct RevenueRequest {
    lead: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    crm: Option<String>,
    deal: String,
    kind: String,
    amount: Option<Value>,
    currency: Option<String>,
    at: Option<String>,
    reference: Option<String>,
}

/// What was kept.
pub struct Kept {
    /// The lead as it stands now.
    pub view: LeadView,
    /// Whether it had been told before.
    pub repeated: bool,
    /// The answer.
    pub answer: Value,
}

/// Keeps a stage that a lead entered.
///
/// # Errors
/// A sentence about what is wrong with the request, or the store's.
pub async fn stage(
    app: &App,
    settings: &Settings,
    site: &SiteId,
    lead: &str,
    body: &[u8],
    key: Option<&str>,
) -> Result<Kept, ApiError> {
    let request: StageRequest = read(body, "stage")?;
    let now_ms = app.clock.now_ms();
    let to: Stage = request.stage.parse().map_err(|error| invalid("stage", error))?;
    if to == Stage::Anonymous {
        let told = "a lead has named itself, so it is no stage of one";
        return Err(invalid("stage", format!("`anonymous`: {told}")));
    }
    let entered_at_ms = time(request.at.as_deref(), now_ms)?.unwrap_or(now_ms);
    let reference = reference(request.reference.as_deref(), key)?;
    let change = StageChange {
        to,
        entered_at_ms,
        recorded_at_ms: now_ms,
        by: Origin::Api,
        reason: text("reason", request.reason.as_deref(), limits::TEXT_BYTES)?,
        reference: reference.unwrap_or_else(|| format!("{} {entered_at_ms}", to.as_str())),
    };
    let crm_record = request.crm.as_deref().map(crm_record).transpose()?;
    let names = text("lead", Some(lead), limits::TEXT_BYTES)?.into_iter().collect();
    let told = Unmatched { site: site.clone(), names, record: Record::Stage(change), crm_record };
    let (view, repeated) = keep(app, settings, told).await?;
    let (stage, since_ms) = view.life_cycle.present();
    let answer = json!({
        "lead_id": view.lead.id,
        "repeated": repeated,
        "stage": stage,
        "stage_at": rfc3339(since_ms),
        "stages": view.life_cycle.to_json(),
    });
    Ok(Kept { view, repeated, answer })
}

/// Keeps what became of a deal.
///
/// # Errors
/// A sentence about what is wrong with the request, or the store's.
pub async fn revenue(
    app: &App,
    settings: &Settings,
    site: &SiteId,
    body: &[u8],
    key: Option<&str>,
) -> Result<Kept, ApiError> {
    let request: RevenueRequest = read(body, "deal")?;
    let now_ms = app.clock.now_ms();
    let deal = text("deal", Some(&request.deal), limits::DEAL_BYTES)?;
    let deal = deal.ok_or_else(|| invalid("deal", "it is empty"))?;
    let event: DealEvent = request.kind.parse().map_err(|error| invalid("kind", error))?;
    let amount = amount(event, request.amount.as_ref(), request.currency.as_deref())?;
    let at_ms = time(request.at.as_deref(), now_ms)?;
    let reference = reference(request.reference.as_deref(), key)?.unwrap_or_else(|| {
        let amount = amount.map(|amount| amount.to_string());
        let at = at_ms.map(|at_ms| at_ms.to_string());
        let words = [Some(deal.clone()), Some(event.as_str().to_owned()), amount, at];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    });
    let entry = LedgerEntry {
        deal: deal.clone(),
        event,
        amount,
        at_ms: at_ms.unwrap_or(now_ms),
        recorded_at_ms: now_ms,
        source: Origin::Api,
        reference,
    };
    let crm_record = request.crm.as_deref().map(crm_record).transpose()?;
    let record = Record::Deal(entry);
    let most = limits::TEXT_BYTES;
    let email = text("email", request.email.as_deref(), most)?;
    let phone = text("phone", request.phone.as_deref(), most)?;
    let names = [
        text("lead", request.lead.as_deref(), most)?,
        email.map(|email| format!("email:{email}")),
        phone.map(|phone| format!("phone:{phone}")),
        crm_record.as_ref().map(|record| format!("crm:{record}")),
        record.identity().map(|(_, deal)| format!("deal:{deal}")),
    ];
    let names = names.into_iter().flatten().collect();
    let told = Unmatched { site: site.clone(), names, record, crm_record };
    let (view, repeated) = keep(app, settings, told).await?;
    let told = view.deals_json(settings);
    let of_deal = |told: &&Value| told["deal"] == deal && told["source"] == Origin::Api.to_string();
    let answer = json!({
        "lead_id": view.lead.id,
        "repeated": repeated,
        "deal": told.iter().find(of_deal),
    });
    Ok(Kept { view, repeated, answer })
}

/// The lead by the first of the names that is known, as it stands with the record, and whether that
/// had been told before. What names nobody is kept and listed as such.
async fn keep(
    app: &App,
    settings: &Settings,
    told: Unmatched,
) -> Result<(LeadView, bool), ApiError> {
    let mut found = None;
    for name in &told.names {
        match find_lead(app, settings, &told.site, name).await {
            Err(ApiError::NotFound(_)) => {}
            lead => {
                found = Some(lead?.id);
                break;
            }
        }
    }
    let Some(lead) = found else {
        app.store.keep_unmatched(told).await?;
        return Err(ApiError::NotFound("lead; GET /v1/unmatched lists what was told"));
    };
    let Unmatched { site, record, crm_record, .. } = told;
    let destinations = match record.delivered_as() {
        Some(kind) => destinations(app, settings, &site, kind).await?,
        None => Vec::new(),
    };
    let due_at_ms = app.clock.now_ms();
    let new = NewRecord { lead, record, crm_record, destinations, due_at_ms };
    let repeated = match app.store.record(new).await? {
        Recorded::Kept { repeated } => repeated,
        Recorded::NoLead => return Err(ApiError::NotFound("lead")),
        Recorded::ReferenceUsed => {
            let told = "This reference was used for something else; use a new one.";
            return Err(ApiError::Conflict(told.into()));
        }
        Recorded::Taken(kind, other) => {
            let what = match kind {
                IdentityKind::Deal => "deal",
                _ => "record of the CRM",
            };
            return Err(ApiError::Conflict(format!("This {what} is that of the lead {other}.")));
        }
    };
    let view = LeadView::load(app, lead, None).await?;
    let missing = || StoreError::Corrupt("a lead that was just written to is missing".into());
    Ok((view.ok_or_else(missing)?, repeated))
}

/// Something that was told of nobody who is known, as the API answers it.
pub fn unmatched_json(unmatched: &Unmatched) -> Value {
    let Unmatched { names, record, crm_record, .. } = unmatched;
    let mut told = match record {
        Record::Stage(change) => json!({
            "stage": change.to,
            "at": rfc3339(change.entered_at_ms),
            "recorded_at": rfc3339(change.recorded_at_ms),
            "by": change.by.to_string(),
            "reason": change.reason,
            "reference": change.reference,
        }),
        Record::Deal(entry) => json!({
            "deal": entry.deal,
            "kind": entry.event,
            "amount": entry.amount.map(Money::decimal),
            "currency": entry.amount.map(|amount| amount.currency),
            "at": rfc3339(entry.at_ms),
            "recorded_at": rfc3339(entry.recorded_at_ms),
            "by": entry.source.to_string(),
            "reference": entry.reference,
        }),
        Record::Link(link) => json!({ "link": link }),
    };
    told["id"] = unmatched.id().to_text().into();
    told["names"] = json!(names);
    told["crm"] = json!(crm_record);
    told
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8], what: &str) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::Malformed(format!("The body tells of no {what}: {error}.")))
}

fn invalid(member: &str, error: impl std::fmt::Display) -> ApiError {
    ApiError::Invalid(format!("{member}: {error}."))
}

/// A text of at most so many bytes, `None` where it is empty.
fn text(member: &str, value: Option<&str>, most: usize) -> Result<Option<String>, ApiError> {
    let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    if value.len() > most {
        return Err(invalid(member, format!("it is longer than {most} bytes")));
    }
    match value.chars().any(char::is_control) {
        true => Err(invalid(member, "it has characters that cannot be written")),
        false => Ok(Some(value.to_owned())),
    }
}

fn reference(told: Option<&str>, key: Option<&str>) -> Result<Option<String>, ApiError> {
    match text("reference", told, limits::IDEMPOTENCY_KEY_BYTES)? {
        Some(told) => Ok(Some(told)),
        None => text("Idempotency-Key", key, limits::IDEMPOTENCY_KEY_BYTES),
    }
}

fn time(at: Option<&str>, now_ms: i64) -> Result<Option<i64>, ApiError> {
    let Some(at) = at else { return Ok(None) };
    let none = || invalid("at", format!("`{at}` is no time, such as 2026-11-21T09:00:00Z"));
    let at_ms = parse_rfc3339(at).ok_or_else(none)?;
    if at_ms > now_ms + limits::EVENT_AHEAD_MS {
        return Err(invalid("at", format!("{at} is in the future")));
    }
    match at_ms < now_ms - limits::RECORD_AGE_MS {
        true => Err(invalid("at", format!("{at} is more than 20 years ago"))),
        false => Ok(Some(at_ms)),
    }
}

/// `provider:type:id`, such as `hubspot:contact:151`.
fn crm_record(told: &str) -> Result<String, ApiError> {
    let wrong = || invalid("crm", format!("`{told}` is not like hubspot:contact:151"));
    let record = text("crm", Some(told), limits::IDEMPOTENCY_KEY_BYTES)?.ok_or_else(wrong)?;
    let parts: Vec<&str> = record.splitn(3, ':').collect();
    match parts.len() == 3 && parts.iter().all(|part| !part.is_empty()) {
        true => Ok(record),
        false => Err(wrong()),
    }
}

/// What a deal comes to by an event; of a refund what was paid back, negative.
fn amount(
    event: DealEvent,
    amount: Option<&Value>,
    currency: Option<&str>,
) -> Result<Option<Money>, ApiError> {
    if matches!(event, DealEvent::Reopened | DealEvent::Lost) {
        return Ok(None);
    }
    let told = match amount {
        Some(Value::String(told)) => told.trim(),
        Some(Value::Null) | None => {
            return Err(invalid("amount", format!("`{}` needs one", event.as_str())));
        }
        Some(_) => {
            let why = "it should be a text such as \"1200.00\"; a number may have been rounded";
            return Err(invalid("amount", why));
        }
    };
    let currency =
        currency.ok_or_else(|| invalid("currency", "an amount needs one, such as EUR"))?;
    let currency = currency.trim().parse().map_err(|error| invalid("currency", error))?;
    let mut money = Money::parse(told, currency).map_err(|error| invalid("amount", error))?;
    match event {
        DealEvent::Refunded if money.minor > 0 => money.minor = -money.minor,
        DealEvent::Refunded => {
            return Err(invalid("amount", "of a refund it is what was paid back, above 0"));
        }
        _ if money.minor < 0 => {
            let why = "it is below 0; what was paid back is told as `refunded`";
            return Err(invalid("amount", why));
        }
        _ => {}
    }
    Ok(Some(money))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<T>(result: Result<T, ApiError>) -> Result<T, String> {
        result.map_err(|error| error.to_string())
    }

    /// Minor units, or a part of what is told.
    fn check_amount(
        event: DealEvent,
        written: &Value,
        currency: &str,
        expected: Result<Option<i64>, &str>,
    ) {
        let found = told(amount(event, Some(written), Some(currency)));
        match (found.map(|money| money.map(|money| money.minor)), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{written}"),
            (Err(found), Err(part)) => assert!(found.contains(part), "{found}"),
            other => panic!("{written}: {other:?}"),
        }
    }

    #[test]
    fn amounts() {
        use DealEvent::{Lost, Opened, Refunded, Won};
        check_amount(Won, &json!("1200.00"), "EUR", Ok(Some(120_000)));
        check_amount(Won, &json!("1200"), "jpy", Ok(Some(1_200)));
        check_amount(Opened, &json!("0"), "EUR", Ok(Some(0)));
        check_amount(Refunded, &json!("5"), "EUR", Ok(Some(-500)));
        check_amount(Lost, &json!(5), "?", Ok(None));
        check_amount(Won, &json!(1200.0), "EUR", Err("amount: it should be a text"));
        check_amount(Won, &json!(1200), "EUR", Err("amount: it should be a text"));
        check_amount(Won, &Value::Null, "EUR", Err("amount: `won` needs one"));
        check_amount(Won, &json!("-5"), "EUR", Err("amount: it is below 0"));
        check_amount(Refunded, &json!("-5"), "EUR", Err("paid back, above 0"));
        check_amount(Refunded, &json!("0"), "EUR", Err("paid back, above 0"));
        check_amount(Won, &json!("1.234"), "EUR", Err("more decimals than EUR has"));
        check_amount(Won, &json!("1,2"), "EUR", Err("amount: `1,2` is no amount"));
        check_amount(Won, &json!("1"), "EURO", Err("currency: `EURO` is no currency code"));
    }

    #[test]
    fn times_and_names() {
        let now_ms = parse_rfc3339("2026-11-21T10:00:00Z").unwrap();
        let at = |at| told(time(Some(at), now_ms));
        assert_eq!(at("2026-11-21T11:00:00+01:00"), Ok(Some(now_ms)));
        assert!(at("2026-11-21T12:00:00Z").unwrap_err().contains("in the future"));
        assert!(at("1990-01-01T00:00:00Z").unwrap_err().contains("more than 20 years ago"));
        assert!(at("soon").unwrap_err().contains("`soon` is no time"));
        assert_eq!(told(crm_record(" hubspot:contact:151 ")), Ok("hubspot:contact:151".into()));
        for wrong in ["", "hubspot", "hubspot:151", "hubspot::151", "a:b:c\nd"] {
            assert!(crm_record(wrong).is_err(), "{wrong}");
        }
        assert_eq!(told(reference(Some(" "), Some("key"))), Ok(Some("key".into())));
        assert!(reference(Some(&"x".repeat(256)), None).is_err());
    }
}
