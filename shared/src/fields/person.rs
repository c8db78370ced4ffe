//! Who converted, and how: the fields of the person and of the last conversion.

use super::facts::OfLead;
use super::kind::FieldKind;
use super::row::{Row, row};
use crate::lead::ConversionKind;
use crate::time::rfc3339;
use sha2::{Digest, Sha256};

/// The field that stands before all others.
pub(super) const LEAD_ID: Row<OfLead> = row(
    "lead_id",
    FieldKind::Text(36),
    "Lead id",
    "The lead's id, a UUIDv7: the external id in every CRM.",
    |facts| facts.lead.id.to_text().into(),
);

/// The rest of the person.
pub(super) const IDENTITY: [Row<OfLead>; 9] = [
    row(
        "visitor_id",
        FieldKind::Text(64),
        "Visitor id",
        "The browser that converted last, by the id in its first-party cookie.",
        |facts| facts.visitor.map(|visitor| visitor.to_text()).into(),
    ),
    row(
        "email",
        FieldKind::Text(254),
        "Email",
        "The e-mail address as typed, trimmed, its domain in lower case.",
        |facts| facts.lead.contact.email.as_deref().into(),
    ),
    row(
        "email_sha256",
        FieldKind::Text(64),
        "Email SHA-256",
        "SHA-256 of the e-mail address, trimmed and in lower case, in hexadecimal digits.",
        |facts| facts.lead.contact.email.as_deref().map(hash).into(),
    ),
    row(
        "phone",
        FieldKind::Text(32),
        "Phone",
        "The phone number in E.164 where its country is known, else as typed.",
        |facts| facts.lead.contact.phone.as_deref().into(),
    ),
    row("first_name", FieldKind::Text(128), "First name", "The given name.", |facts| {
        facts.lead.contact.first_name.as_deref().into()
    }),
    row("last_name", FieldKind::Text(128), "Last name", "The family name.", |facts| {
        facts.lead.contact.last_name.as_deref().into()
    }),
    row(
        "full_name",
        FieldKind::Text(128),
        "Full name",
        "The whole name as typed, else given and family name.",
        |facts| facts.lead.contact.full_name.as_deref().into(),
    ),
    row("company", FieldKind::Text(255), "Company", "The employer as typed.", |facts| {
        facts.lead.contact.company.as_deref().into()
    }),
    row("job_title", FieldKind::Text(255), "Job title", "The position as typed.", |facts| {
        facts.lead.contact.job_title.as_deref().into()
    }),
];

/// The last conversion.
pub(super) const CONVERSION: [Row<OfLead>; 7] = [
    row(
        "converted_at",
        FieldKind::Time,
        "Converted at",
        "When the last conversion reached the collector.",
        |facts| facts.conversion.map(|conversion| rfc3339(conversion.at_ms)).into(),
    ),
    row(
        "conversion_type",
        FieldKind::Enum(kinds),
        "Conversion type",
        "What kind of act the last conversion was.",
        |facts| facts.conversion.map(|conversion| word(conversion.kind)).into(),
    ),
    row("form_id", FieldKind::Text(255), "Form id", "The form's id in its page.", |facts| {
        facts.conversion.and_then(|conversion| conversion.form_id.as_deref()).into()
    }),
    row("form_name", FieldKind::Text(255), "Form name", "The form's name for people.", |facts| {
        facts.conversion.and_then(|conversion| conversion.form_name.as_deref()).into()
    }),
    row(
        "conversion_page",
        FieldKind::Url(2000),
        "Conversion page",
        "The page of the last conversion, without campaign tags, click ids and fragment.",
        |facts| facts.conversion.and_then(|conversion| conversion.page_url.as_deref()).into(),
    ),
    row(
        "conversion_page_title",
        FieldKind::Text(255),
        "Conversion page title",
        "The title of the last conversion's page.",
        |facts| facts.conversion.and_then(|conversion| conversion.page_title.as_deref()).into(),
    ),
    row(
        "conversion_count",
        FieldKind::Integer,
        "Conversions",
        "How many conversions the person has had up to this one; 1 is the first.",
        |facts| facts.history.conversions.len().into(),
    ),
];

/// Every kind of conversion with its word.
const KINDS: [(ConversionKind, &str); 6] = [
    (ConversionKind::Form, "form"),
    (ConversionKind::Call, "call"),
    (ConversionKind::Chat, "chat"),
    (ConversionKind::Booking, "booking"),
    (ConversionKind::Import, "import"),
    (ConversionKind::Api, "api"),
];

fn kinds() -> Vec<&'static str> {
    KINDS.iter().map(|(_, word)| *word).collect()
}

fn word(kind: ConversionKind) -> Option<&'static str> {
    KINDS.iter().find(|(known, _)| *known == kind).map(|(_, word)| *word)
}

fn hash(email: &str) -> String {
    base16ct::lower::encode_string(&Sha256::digest(email.trim().to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn kinds_of_conversions_have_the_words_of_the_api() {
        for (kind, word) in KINDS {
            assert_eq!(serde_json::to_value(kind).unwrap(), Value::from(word));
        }
    }

    #[test]
    fn addresses_are_hashed_as_advertising_platforms_do() {
        // The vector of their documents, recomputed by sha256sum.
        let expected = "9fbdefe2837a03c9225be80e741f316f4d174d1732b719b6abb6477efc1ae9d2";
        assert_eq!(hash("lead@example.com"), expected);
        assert_eq!(hash(" Lead@EXAMPLE.com "), expected);
    }
}
