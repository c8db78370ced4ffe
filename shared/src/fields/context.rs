//! Fields of the browser that converted, its consent, and the attribution of the conversion.

use super::facts::OfLead;
use super::kind::FieldKind;
use super::row::{Row, row};
use crate::attribution::Model;
use crate::context::VisitorContext;
use crate::device::DeviceType;
use serde_json::Value;

/// The fields of the browser that converted last, and of the attribution.
pub(super) const CONTEXT: [Row<OfLead>; 11] = [
    row(
        "device_type",
        FieldKind::Enum(|| DeviceType::ALL.map(DeviceType::as_str).to_vec()),
        "Device type",
        "The kind of device that converted last.",
        |facts| facts.device.as_ref().map(|device| device.device_type.as_str()).into(),
    ),
    row(
        "browser",
        FieldKind::Text(64),
        "Browser",
        "The browser that converted last, or the app that showed the page.",
        |facts| facts.device.as_ref().and_then(|device| device.browser.as_deref()).into(),
    ),
    row(
        "os",
        FieldKind::Text(64),
        "Operating system",
        "The operating system of that device.",
        |facts| facts.device.as_ref().and_then(|device| device.os.as_deref()).into(),
    ),
    row(
        "country",
        FieldKind::Text(2),
        "Country",
        "The country by ISO 3166-1; always `null`, because there is no geolocation yet.",
        |_| Value::Null,
    ),
    row(
        "language",
        FieldKind::Text(16),
        "Language",
        "The browser's language, such as `fr-FR`.",
        |facts| {
            let language = facts.browser.map(|browser| browser.language.as_str());
            language.filter(|language| !language.is_empty()).into()
        },
    ),
    row(
        "consent_analytics",
        FieldKind::Enum(|| CONSENT.to_vec()),
        "Consent to measuring",
        "The visitor's latest consent to measuring, as the page reported it.",
        |facts| facts.browser.map_or(UNKNOWN, consent_analytics).into(),
    ),
    row(
        "consent_ads",
        FieldKind::Enum(|| CONSENT.to_vec()),
        "Consent to advertising",
        "Always `denied` with Global Privacy Control or if measuring is denied; otherwise `unknown`, because pages report nothing more.",
        |facts| facts.browser.map_or(UNKNOWN, consent_ads).into(),
    ),
    row(
        "attribution_model",
        FieldKind::Enum(|| Model::NAMED.map(|(name, _)| name).to_vec()),
        "Attribution model",
        "The attribution model of the conversion.",
        |facts| facts.model.name().into(),
    ),
    row(
        "attributed_channel",
        FieldKind::Text(255),
        "Attributed channel",
        "The channel of the touch with the greatest credit under that model, the later one on a tie.",
        |facts| facts.winner.map(|touch| touch.label.channel.as_str()).into(),
    ),
    row(
        "attributed_source",
        FieldKind::Text(255),
        "Attributed source",
        "The source of that touch.",
        |facts| facts.winner.map(|touch| touch.label.source.as_str()).into(),
    ),
    row(
        "attributed_campaign",
        FieldKind::Text(255),
        "Attributed campaign",
        "The campaign of that touch.",
        |facts| facts.winner.and_then(|touch| touch.label.campaign.as_deref()).into(),
    ),
];

const GRANTED: &str = "granted";
const DENIED: &str = "denied";
const UNKNOWN: &str = "unknown";
const CONSENT: [&str; 3] = [GRANTED, DENIED, UNKNOWN];

fn consent_analytics(browser: &VisitorContext) -> &'static str {
    match browser.consent.as_str() {
        GRANTED => GRANTED,
        DENIED => DENIED,
        _ => UNKNOWN,
    }
}

/// Pages report consent to measuring only. Granting it does not grant advertising, but refusing it
/// refuses advertising too.
fn consent_ads(browser: &VisitorContext) -> &'static str {
    if browser.gpc || browser.consent == DENIED { DENIED } else { UNKNOWN }
}
