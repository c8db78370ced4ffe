//! Each CRM's name for a field and the form of its values, for all code that reads fields for a
//! CRM, pushes them to it, or declares them there.
//!
//! `docs/api.md` lists names, forms and lengths under "Fields for a CRM". Unknown values are never
//! sent to a CRM, so that they cannot clear a value there.

pub use super::crm::{Crm, UnknownCrm};

use super::field::Field;
use super::kind::FieldKind;
use crate::cut;
use crate::time::parse_rfc3339;
use serde_json::{Value, json};
use std::fmt;
use std::str::FromStr;

impl Crm {
    /// The longest multi-line text that the CRM accepts, for the summary and the journey as JSON.
    /// monday's limit has not been verified; Act-On's is unknown and assumed to be the same.
    pub fn long_text(self) -> usize {
        match self {
            Self::Hubspot => 65_536,
            Self::Pipedrive => 65_000,
            Self::Salesforce => 32_768,
            Self::Zoho => 32_000,
            Self::Webhook => crate::limits::WEBHOOK_JOURNEY_BYTES,
            Self::Monday | Self::Acton => 2_000,
            Self::Waalaxy => WAALAXY,
        }
    }

    /// The CRM's name for a field: a property name where we choose it (HubSpot, Salesforce), the
    /// name derived from the label (Zoho), otherwise the label that people see and that identifies
    /// the field.
    pub fn field_name(self, prefix: &Prefix, field: &Field) -> String {
        let Prefix(prefix) = prefix;
        match self {
            Self::Hubspot => format!("{prefix}_{}", field.name),
            Self::Salesforce => {
                let name = capitalised(&format!("{prefix}_{}", field.name));
                let short = name.replace("Last_Non_Direct_Click", "Last_ND_Click");
                format!("{}__c", short.replace("Channel_Drilldown", "Channel_DD"))
            }
            Self::Pipedrive => format!("{}: {}", capitalised(prefix), field.label),
            Self::Zoho => capitalised(&format!("{prefix}_{}", field.name)),
            Self::Monday | Self::Acton => field.label.clone(),
            Self::Waalaxy | Self::Webhook => field.name.clone(),
        }
    }

    /// Encodes a value for the CRM; `None` if the value is unknown.
    pub fn encode(self, field: &Field, value: Value) -> Option<Value> {
        let text = match value {
            Value::Null => return None,
            Value::String(text) => text,
            // All other values are integers; they stay numbers unless the CRM wants text.
            number => match self {
                Self::Salesforce | Self::Pipedrive | Self::Zoho | Self::Webhook => {
                    return Some(number);
                }
                _ => number.to_string(),
            },
        };
        Some(match (self, field.kind) {
            (Self::Hubspot, FieldKind::Time) => milliseconds(&text)?.into(),
            (Self::Zoho, FieldKind::Time) => text.replace('Z', "+00:00").into(),
            (Self::Monday, FieldKind::Time) => {
                let (date, time) = text.trim_end_matches('Z').split_once('T')?;
                json!({ "date": date, "time": time })
            }
            (Self::Monday, FieldKind::Url(_)) => json!({ "url": text, "text": text }),
            (Self::Monday, FieldKind::LongText | FieldKind::Json) => json!({ "text": text }),
            (Self::Waalaxy, FieldKind::Url(_)) => cut::url(text, WAALAXY)?.into(),
            (Self::Waalaxy, _) => cut::text(text, WAALAXY).into(),
            // Money stays text, too: a JSON number would pass through a float.
            _ => text.into(),
        })
    }
}

/// The longest value of a Waalaxy variable.
const WAALAXY: usize = 1_000;

/// HubSpot's time format: Unix milliseconds as text, like all its values.
fn milliseconds(time: &str) -> Option<String> {
    parse_rfc3339(time).map(|at_ms| at_ms.to_string())
}

/// Turns `clew_first_click` into `Clew_First_Click`.
fn capitalised(name: &str) -> String {
    let mut begins = true;
    let letters = name.chars().map(|letter| {
        let letter = if begins { letter.to_ascii_uppercase() } else { letter };
        begins = letter == '_';
        letter
    });
    letters.collect()
}

/// The prefix of our field names in a CRM: a lower-case letter, then up to six more lower-case
/// letters or digits, so that every CRM accepts every name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prefix(String);

/// The error of an invalid prefix.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` should be 1 to 7 characters of a-z and 0-9, starting with a letter")]
pub struct PrefixError(String);

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let good = (1..=LONGEST_PREFIX).contains(&text.len())
            && text.starts_with(|letter: char| letter.is_ascii_lowercase())
            && text.bytes().all(plain);
        good.then(|| Self(text.to_owned())).ok_or_else(|| PrefixError(text.to_owned()))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Salesforce's names have at most 40 characters; the longest of ours takes 33 without the prefix.
const LONGEST_PREFIX: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::catalogue::{catalogue, find};
    use std::collections::HashSet;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn names() {
        for (crm, name, expected) in [
            (Crm::Hubspot, "first_click_source", "clew_first_click_source"),
            (Crm::Salesforce, "first_click_source", "Clew_First_Click_Source__c"),
            (Crm::Salesforce, "last_non_direct_click_at", "Clew_Last_ND_Click_At__c"),
            (
                Crm::Salesforce,
                "last_non_direct_click_channel_drilldown_4",
                "Clew_Last_ND_Click_Channel_DD_4__c",
            ),
            (Crm::Salesforce, "email_sha256", "Clew_Email_Sha256__c"),
            (Crm::Pipedrive, "first_click_source", "Clew: First click source"),
            (Crm::Zoho, "first_click_source", "Clew_First_Click_Source"),
            (Crm::Monday, "first_click_source", "First click source"),
            (Crm::Acton, "first_click_source", "First click source"),
            (Crm::Waalaxy, "first_click_source", "first_click_source"),
            (Crm::Webhook, "first_click_source", "first_click_source"),
        ] {
            let found = crm.field_name(&prefix("clew"), find(name).unwrap());
            assert_eq!(found, expected, "{crm:?}");
        }
    }

    #[test]
    fn every_crm_takes_every_name() {
        for (crm, longest, most) in [
            (Crm::Hubspot, 46, 100),
            (Crm::Salesforce, 37 + 3, 40 + 3),
            (Crm::Pipedrive, 48, 255),
            (Crm::Zoho, 46, 50),
            (Crm::Monday, 42, 255),
        ] {
            for (prefix, more) in [(prefix("clew"), 0), (prefix("abcdefg"), 3)] {
                let fields = catalogue().iter();
                let names: Vec<_> = fields.map(|field| crm.field_name(&prefix, field)).collect();
                let unique: HashSet<_> = names.iter().map(|name| name.to_lowercase()).collect();
                assert_eq!(unique.len(), 121, "{crm:?}");
                let length = names.iter().map(|name| name.chars().count()).max().unwrap();
                let more = if crm == Crm::Monday { 0 } else { more };
                assert_eq!(length, longest + more, "{crm:?}");
                assert!(length <= most, "{crm:?}");
                for name in names {
                    let good = match crm {
                        Crm::Hubspot => {
                            let plain =
                                |byte: u8| b"_".contains(&byte) || byte.is_ascii_lowercase();
                            name.bytes().all(|byte| plain(byte) || byte.is_ascii_digit())
                        }
                        Crm::Salesforce | Crm::Zoho => {
                            let name = name.trim_end_matches("__c");
                            let plain = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
                            name.bytes().all(plain) && !name.contains("__") && !name.ends_with('_')
                        }
                        _ => !name.contains(char::is_control),
                    };
                    assert!(good, "{crm:?} {name}");
                }
            }
        }
    }

    #[test]
    fn values() {
        use Crm::*;
        let time = "2026-11-02T08:01:11Z";
        let link = "https://a.example/";
        for (crm, name, value, expected) in [
            (Hubspot, "first_click_at", json!(time), json!("1793606471000")),
            (Hubspot, "visits_count", json!(3), json!("3")),
            (Hubspot, "revenue", json!("1200.00"), json!("1200.00")),
            (Salesforce, "first_click_at", json!(time), json!(time)),
            (Salesforce, "visits_count", json!(3), json!(3)),
            (Pipedrive, "first_click_at", json!(time), json!(time)),
            (Zoho, "first_click_at", json!(time), json!("2026-11-02T08:01:11+00:00")),
            (Zoho, "first_click_source", json!("Zara"), json!("Zara")),
            (
                Monday,
                "first_click_at",
                json!(time),
                json!({ "date": "2026-11-02", "time": "08:01:11" }),
            ),
            (Monday, "visits_count", json!(3), json!("3")),
            (Monday, "conversion_page", json!(link), json!({ "url": link, "text": link })),
            (Monday, "journey_summary", json!("a\nb"), json!({ "text": "a\nb" })),
            (Monday, "first_click_channel", json!("direct"), json!("direct")),
            (Acton, "visits_count", json!(3), json!("3")),
            (Waalaxy, "visits_count", json!(3), json!("3")),
            (Webhook, "visits_count", json!(3), json!(3)),
            (Webhook, "first_click_at", json!(time), json!(time)),
        ] {
            assert_eq!(crm.encode(find(name).unwrap(), value), Some(expected), "{crm:?} {name}");
        }
        for crm in Crm::ALL {
            assert_eq!(crm.encode(&catalogue()[0], Value::Null), None);
            assert_eq!(crm.as_str().parse(), Ok(crm));
        }
        let long = Waalaxy.encode(find("journey_json").unwrap(), "ä".repeat(1_001).into());
        assert_eq!(long.unwrap().as_str().unwrap().chars().count(), 1_000);
        assert!(
            "dynamics".parse::<Crm>().unwrap_err().to_string().contains("use one of hubspot, ")
        );
    }

    #[test]
    fn prefixes() {
        for good in ["clew", "c", "abc4567"] {
            assert_eq!(prefix(good).to_string(), good);
        }
        for bad in ["", "Clew", "4clew", "clew_", "cl ew", "abcdefgh", "ä"] {
            assert!(bad.parse::<Prefix>().is_err(), "{bad}");
        }
    }
}
