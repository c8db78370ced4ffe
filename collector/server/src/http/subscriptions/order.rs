//! What a subscription should be, as a program orders it: checked, or refused with a sentence that does not repeat it.

use crate::http::api_key::Access;
use crate::problem::ApiError;
use clew_api::HookEventNames;
use clew_connect::outgoing::{AddressError, judge};
use clew_store::DeliveryKind;
use shared::limits;
use url::Url;

pub(super) fn target_url(key: &Access, text: &str) -> Result<Url, ApiError> {
    let wrong = |error: &dyn std::fmt::Display| ApiError::Invalid(format!("target_url: {error}."));
    if text.len() > limits::URL_BYTES {
        return Err(wrong(&"the address is too long"));
    }
    let url: Url = text.trim().parse().map_err(|_| wrong(&"it is not a URL"))?;
    judge(&url, key.settings.config.hooks.allow_private).map_err(|error| match error {
        // It quotes the host.
        AddressError::NotPublic(_) => wrong(&"it is not a public address"),
        AddressError::NotHttps | AddressError::Credentials => wrong(&error),
    })?;
    Ok(url)
}

pub(super) fn events(named: HookEventNames) -> Result<Vec<DeliveryKind>, ApiError> {
    let named = match named {
        HookEventNames::One(one) => vec![one],
        HookEventNames::Several(several) => several,
    };
    if named.is_empty() {
        return Err(ApiError::Invalid("event: name at least one event.".into()));
    }
    let mut events = named.iter().map(|text| event(text)).collect::<Result<Vec<_>, _>>()?;
    let mut seen = Vec::new();
    events.retain(|event| {
        !seen.contains(event) && {
            seen.push(*event);
            true
        }
    });
    Ok(events)
}

pub(super) fn event(text: &str) -> Result<DeliveryKind, ApiError> {
    let unknown = || {
        let names = DeliveryKind::ALL.map(DeliveryKind::as_str).join(", ");
        ApiError::Invalid(format!("event: not an event; use one of {names}."))
    };
    DeliveryKind::parse(text).ok_or_else(unknown)
}

pub(super) fn description(text: Option<String>) -> Result<Option<String>, ApiError> {
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if text.as_ref().is_some_and(|text| text.len() > limits::TEXT_BYTES) {
        let most = limits::TEXT_BYTES;
        return Err(ApiError::Invalid(format!("description: it is longer than {most} bytes.")));
    }
    Ok(text)
}
