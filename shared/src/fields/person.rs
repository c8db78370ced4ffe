//! The fields of the person and of the last conversion.

use super::facts::OfLead;
use super::kind::FieldKind;
use super::row::{Row, row};
use crate::lead::ConversionKind;
use crate::time::rfc3339;
use sha2::{Digest, Sha256};

/// The first field of all.
pub(super) const LEAD_ID: Row<OfLead> = row(
    "lead_id",
    FieldKind::Text(36),
    "Lead id",
    "The lead's id, a UUIDv7; also its external id in every CRM.",
    |facts| facts.lead.id.to_text().into(),
);

/// The other fields of the person.
pub(super) const IDENTITY: [Row<OfLead>; 9] = [
    row(
        "visitor_id",
        FieldKind::Text(64),
        "Visitor id",
        "The id, from the first-party cookie, of the browser that converted last.",
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
        "The phone number in E.164 if its country is known, otherwise as typed.",
        |facts| facts.lead.contact.phone.as_deref().into(),
    ),
    row("first_name", FieldKind::Text(128), "First name", "The first name.", |facts| {
        facts.lead.contact.first_name.as_deref().into()
    }),
    row("last_name", FieldKind::Text(128), "Last name", "The last name.", |facts| {
        facts.lead.contact.last_name.as_deref().into()
    }),
    row(
        "full_name",
        FieldKind::Text(128),
        "Full name",
        "The full name as typed, otherwise first and last name.",
        |facts| facts.lead.contact.full_name.as_deref().into(),
    ),
    row("company", FieldKind::Text(255), "Company", "The company as typed.", |facts| {
        facts.lead.contact.company.as_deref().into()
    }),
    row("job_title", FieldKind::Text(255), "Job title", "The job title as typed.", |facts| {
        facts.lead.contact.job_title.as_deref().into()
    }),
];

/// The fields of the last conversion.
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
        "The kind of the last conversion.",
        |facts| facts.conversion.map(|conversion| word(conversion.kind)).into(),
    ),
    row("form_id", FieldKind::Text(255), "Form id", "The form's id on its page.", |facts| {
        facts.conversion.and_then(|conversion| conversion.form_id.as_deref()).into()
    }),
    row("form_name", FieldKind::Text(255), "Form name", "The form's display name.", |facts| {
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
        "The number of the person's conversions up to this one; 1 is the first.",
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
        // The test vector of their documentation, recomputed with sha256sum.
        let expected = "9fbdefe2837a03c9225be80e741f316f4d174d1732b719b6abb6477efc1ae9d2";
        assert_eq!(hash("lead@example.com"), expected);
        assert_eq!(hash(" Lead@EXAMPLE.com "), expected);
    }
}
