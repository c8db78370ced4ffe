//! Groups a lead's fields as on a CRM's contact page.
//!
//! Fields without a value are not shown. A field that no group lists is shown under *Other*, so
//! that new fields of the contract become visible.

use crate::crm::words::{self, Badge};
use jiff::Timestamp;
use serde_json::{Map, Value};

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug)]
pub(crate) struct Row {
    /// The canonical name.
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) shown: Shown,
}

/// How a value is shown.
#[derive(Debug)]
pub(crate) enum Shown {
    Text(String),
    /// Ids and hashes, in small monospaced type.
    Code(String),
    Badge(Badge),
    Link {
        address: String,
        text: String,
    },
}

/// The fields of a group: those with this prefix, or those of this list in this order.
enum Members {
    Family(&'static str),
    Names(&'static [&'static str]),
}

use Members::{Family, Names};

const GROUPS: [(&str, Members); 11] = [
    (
        "Identity",
        Names(&[
            "full_name",
            "first_name",
            "last_name",
            "email",
            "phone",
            "company",
            "job_title",
            "lead_id",
            "visitor_id",
            "email_sha256",
        ]),
    ),
    ("First click", Family("first_click_")),
    ("Last click", Family("last_click_")),
    ("Last non-direct click", Family("last_non_direct_click_")),
    (
        "Conversion",
        Names(&[
            "converted_at",
            "conversion_type",
            "form_name",
            "form_id",
            "conversion_page",
            "conversion_page_title",
            "conversion_count",
        ]),
    ),
    (
        "Journey counts",
        Names(&[
            "first_visit_at",
            "visits_count",
            "pageviews_count",
            "touchpoints_count",
            "distinct_channels_count",
            "seconds_to_convert",
            "days_to_convert",
            "channel_path",
            "source_path",
            "journey_summary",
            "journey_url",
        ]),
    ),
    (
        "Click ids",
        Names(&[
            "gclid",
            "gbraid",
            "wbraid",
            "msclkid",
            "fbclid",
            "li_fat_id",
            "ttclid",
            "fbc",
            "fbp",
            "click_id_at",
            "ga_client_id",
            "ga_session_id",
            "ga_session_number",
        ]),
    ),
    (
        "Attribution",
        Names(&[
            "attribution_model",
            "attributed_channel",
            "attributed_source",
            "attributed_campaign",
        ]),
    ),
    (
        "Lifecycle",
        Names(&[
            "lead_stage",
            "lead_stage_at",
            "mql_at",
            "sql_at",
            "opportunity_at",
            "customer_at",
            "lost_at",
            "opportunity_value",
            "revenue",
            "revenue_currency",
            "closed_at",
            "deals_count",
        ]),
    ),
    (
        "Context",
        Names(&[
            "device_type",
            "browser",
            "os",
            "country",
            "language",
            "consent_analytics",
            "consent_ads",
        ]),
    ),
    // Takes the remaining fields: every name has the empty prefix.
    ("Other", Family("")),
];

/// The order within a family of click fields.
const CLICK_ORDER: [&str; 16] = [
    "channel",
    "source",
    "medium",
    "campaign",
    "campaign_id",
    "term",
    "content",
    "landing_page",
    "landing_page_group",
    "referrer",
    "referrer_domain",
    "at",
    "channel_drilldown_1",
    "channel_drilldown_2",
    "channel_drilldown_3",
    "channel_drilldown_4",
];

/// Words with a spelling other than sentence case.
const SPELLINGS: [(&str, &str); 9] = [
    ("id", "ID"),
    ("url", "URL"),
    ("sha256", "SHA-256"),
    ("crm", "CRM"),
    ("ga", "GA"),
    ("os", "OS"),
    ("mql", "MQL"),
    ("sql", "SQL"),
    ("pageviews", "page views"),
];

pub(crate) fn groups(fields: &Map<String, Value>) -> Vec<Group> {
    // The touches as JSON are for programs; the page shows them in the timeline.
    let mut left: Vec<&String> = fields.keys().filter(|name| *name != "journey_json").collect();
    let mut groups = Vec::new();
    for (title, members) in &GROUPS {
        let mut taken = Vec::new();
        left.retain(|name| {
            let member = match members {
                Family(prefix) => name.starts_with(prefix),
                Names(names) => names.contains(&name.as_str()),
            };
            if member {
                taken.push(*name);
            }
            !member
        });
        taken.sort_by_key(|name| position(members, name));
        let prefix = if let Family(prefix) = members { prefix } else { "" };
        let row = |name: &&String| {
            let label = label(name.strip_prefix(prefix).unwrap_or(name));
            Some(Row { name: (*name).clone(), label, shown: shown(name, fields.get(*name)?)? })
        };
        let rows: Vec<Row> = taken.iter().filter_map(row).collect();
        if !rows.is_empty() {
            groups.push(Group { title, rows });
        }
    }
    groups
}

fn position(members: &Members, name: &str) -> usize {
    let (names, name): (&[&str], &str) = match members {
        Family(prefix) => (&CLICK_ORDER, name.strip_prefix(prefix).unwrap_or(name)),
        Names(names) => (names, name),
    };
    names.iter().position(|known| *known == name).unwrap_or(usize::MAX)
}

fn label(name: &str) -> String {
    if name == "at" {
        return "When".to_owned();
    }
    let name =
        name.strip_prefix("channel_").filter(|rest| rest.starts_with("drilldown_")).unwrap_or(name);
    let spell = |word: &str| {
        let known = SPELLINGS.iter().find(|(plain, _)| *plain == word);
        known.map_or_else(|| word.to_owned(), |(_, spelling)| (*spelling).to_owned())
    };
    let words: Vec<String> = name.split('_').map(spell).collect();
    let text = words.join(" ");
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

/// `None` for null and empty text.
fn shown(name: &str, value: &Value) -> Option<Shown> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) if text.is_empty() => return None,
        Value::String(text) => text.clone(),
        Value::Bool(flag) => return Some(Shown::Text(if *flag { "Yes" } else { "No" }.to_owned())),
        other => return Some(Shown::Text(other.to_string())),
    };
    let is_id = ["_id", "clid", "braid", "sha256", "fbc", "fbp"];
    Some(match name {
        _ if name.ends_with("channel") => Shown::Badge(words::channel(&text)),
        "lead_stage" => Shown::Badge(words::stage(&text)),
        _ if name.ends_with("_at") => Shown::Text(
            text.parse::<Timestamp>().map_or(text, |at| format!("{} UTC", words::moment(at))),
        ),
        _ if name != "form_id" && is_id.iter().any(|end| name.ends_with(end)) => Shown::Code(text),
        _ if words::is_link(&text) => {
            let short = text.split_once("://").map_or(&*text, |(_, rest)| rest).to_owned();
            Shown::Link { address: text, text: short }
        }
        _ => Shown::Text(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(fields: &Value, expected: &[&str]) {
        let lines: Vec<String> = groups(fields.as_object().unwrap())
            .iter()
            .flat_map(|group| group.rows.iter().map(move |row| (group.title, row)))
            .map(|(title, row)| format!("{title}: {}", row.label))
            .collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn fields_find_their_groups() {
        check(
            &json!({
                "gclid": "TEST-1",
                "last_click_source": "google",
                "last_non_direct_click_source": "google",
                "first_click_at": "2026-11-02T08:01:11Z",
                "first_click_channel": "paid_search",
                "email": "lead@example.com",
                "revenue": null,
                "company": "",
                "brand_new_field": true,
                "lead_id": "l",
            }),
            &[
                "Identity: Email",
                "Identity: Lead ID",
                "First click: Channel",
                "First click: When",
                "Last click: Source",
                "Last non-direct click: Source",
                "Click ids: Gclid",
                "Other: Brand new field",
            ],
        );
    }

    #[test]
    fn values_are_shown_by_their_kind() {
        let rows = [
            ("first_click_channel", json!("paid_search"), "Badge"),
            ("lead_stage", json!("mql"), "Badge"),
            ("journey_url", json!("https://track.example.com/x"), "Link"),
            ("journey_url", json!("javascript:alert(1)"), "Text"),
            ("gclid", json!("TEST"), "Code"),
            ("form_id", json!("contact"), "Text"),
            ("converted_at", json!("2026-11-21T10:15:00Z"), "Text(\"21 Nov 2026, 10:15 UTC\")"),
            ("converted_at", json!("some day"), "Text(\"some day\")"),
            ("visits_count", json!(3), "Text(\"3\")"),
        ];
        for (name, value, expected) in rows {
            let text = format!("{:?}", shown(name, &value).unwrap());
            assert!(text.starts_with(expected), "{name}: {text}");
        }
    }
}
