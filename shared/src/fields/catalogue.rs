//! The catalogue of canonical fields, in the order of exports: each with its type, label,
//! description and how its value is read. A field is declared once, in the table of its group.

pub use super::field::Field;
pub use super::kind::FieldKind;

use super::facts::OfLead;
use super::field::ValueOf;
use super::row::Row;
use super::{click, click_ids, context, counts, lead_state, person};
use std::sync::LazyLock;

/// All fields, in order.
pub fn catalogue() -> &'static [Field] {
    static CATALOGUE: LazyLock<Vec<Field>> = LazyLock::new(|| {
        let of_lead = |group: &'static str, rows: &'static [Row<OfLead>]| {
            rows.iter().map(move |row| Field {
                name: row.name.to_owned(),
                kind: row.kind,
                label: row.label.to_owned(),
                description: row.description.to_owned(),
                group,
                value: ValueOf::Lead(row.value),
            })
        };
        let of_clicks = click::FAMILIES.iter().enumerate().flat_map(|(place, family)| {
            click::SUFFIXES.iter().map(move |row| Field {
                name: format!("{}_{}", family.name, row.name),
                kind: row.kind,
                label: format!("{} {}", family.label, row.label),
                description: row.description.replace("{touch}", family.touch),
                group: family.name,
                value: ValueOf::Click(place, row.value),
            })
        });
        of_lead("identity", &[person::LEAD_ID])
            .chain(of_clicks)
            .chain(of_lead("identity", &person::IDENTITY))
            .chain(of_lead("conversion", &person::CONVERSION))
            .chain(of_lead("journey", &counts::JOURNEY))
            .chain(of_lead("click_ids", &click_ids::CLICK_IDS))
            .chain(of_lead("context", &context::CONTEXT))
            .chain(of_lead("life_cycle", &lead_state::LIFE_CYCLE))
            .chain(of_lead("crm", &lead_state::CRM_LINK))
            .collect()
    });
    &CATALOGUE
}

/// Finds a field by name.
pub fn find(name: &str) -> Option<&'static Field> {
    catalogue().iter().find(|field| field.name == name)
}

/// The fields that a CRM gets by default: thirty, because CRM plans limit the number of fields.
pub const CORE: [&str; 30] = [
    "first_click_source",
    "first_click_medium",
    "first_click_campaign",
    "first_click_term",
    "first_click_content",
    "first_click_channel",
    "first_click_landing_page",
    "first_click_referrer_domain",
    "first_click_at",
    "last_click_source",
    "last_click_medium",
    "last_click_campaign",
    "last_click_term",
    "last_click_channel",
    "last_click_landing_page",
    "last_click_at",
    "last_non_direct_click_source",
    "last_non_direct_click_medium",
    "last_non_direct_click_campaign",
    "last_non_direct_click_channel",
    "conversion_page",
    "form_name",
    "converted_at",
    "visits_count",
    "days_to_convert",
    "channel_path",
    "gclid",
    "journey_url",
    "journey_summary",
    "lead_id",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// The public contract: names, types and limits in the order of exports. Change it only
    /// together with `FIELDS_VERSION`, or by adding to its end.
    const CONTRACT: &str = "lead_id:string(36) CLICK visitor_id:string(64) email:string(254) \
        email_sha256:string(64) phone:string(32) first_name:string(128) last_name:string(128) \
        full_name:string(128) company:string(255) job_title:string(255) converted_at:datetime \
        conversion_type:enum form_id:string(255) form_name:string(255) conversion_page:url(2000) \
        conversion_page_title:string(255) conversion_count:int first_visit_at:datetime \
        visits_count:int pageviews_count:int touchpoints_count:int distinct_channels_count:int \
        seconds_to_convert:int days_to_convert:int channel_path:string(1000) \
        source_path:string(1000) journey_summary:text journey_json:json journey_url:url(500) \
        gclid:string(512) gbraid:string(512) wbraid:string(512) msclkid:string(512) \
        fbclid:string(512) li_fat_id:string(512) ttclid:string(512) fbc:string(512) \
        fbp:string(512) click_id_at:datetime ga_client_id:string(64) ga_session_id:string(32) \
        ga_session_number:int device_type:enum browser:string(64) os:string(64) country:string(2) \
        language:string(16) consent_analytics:enum consent_ads:enum attribution_model:enum \
        attributed_channel:string(255) attributed_source:string(255) \
        attributed_campaign:string(255) lead_stage:enum lead_stage_at:datetime mql_at:datetime \
        sql_at:datetime opportunity_at:datetime customer_at:datetime lost_at:datetime \
        opportunity_value:decimal revenue:decimal revenue_currency:string(3) closed_at:datetime \
        deals_count:int crm_provider:enum crm_record_type:string(32) crm_record_id:string(64) \
        crm_deal_id:string(64) crm_record_url:url(500) crm_sync_status:enum \
        crm_synced_at:datetime fields_version:int";
    const CLICK: &str = "source:string(255) medium:string(255) campaign:string(255) \
        campaign_id:string(64) term:string(255) content:string(255) channel:enum \
        channel_drilldown_1:string(255) channel_drilldown_2:string(255) \
        channel_drilldown_3:string(255) channel_drilldown_4:string(255) landing_page:url(2000) \
        landing_page_group:string(255) referrer:url(2000) referrer_domain:string(255) at:datetime";

    fn type_text(kind: FieldKind) -> String {
        let limit = kind.max_length().map(|limit| format!("({limit})"));
        format!("{}{}", kind.name(), limit.unwrap_or_default())
    }

    #[test]
    fn the_list_is_the_contract() {
        let mut expected = Vec::new();
        for entry in CONTRACT.split_whitespace() {
            match entry {
                "CLICK" => {
                    for family in ["first_click", "last_click", "last_non_direct_click"] {
                        let named = |entry: &str| format!("{family}_{entry}");
                        expected.extend(CLICK.split_whitespace().map(named));
                    }
                }
                entry => expected.push(entry.to_owned()),
            }
        }
        let found: Vec<_> = catalogue()
            .iter()
            .map(|field| format!("{}:{}", field.name, type_text(field.kind)))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(found.len(), 121);
    }

    #[test]
    fn every_field_has_words_for_people() {
        let mut labels = HashSet::new();
        for field in catalogue() {
            assert!(labels.insert(&field.label), "{} is the label of two", field.label);
            assert!(field.label.chars().count() <= 42, "{}", field.label);
            let sentence = &field.description;
            assert!(sentence.ends_with('.') && !sentence.contains(['{', '|']), "{sentence}");
            assert!(sentence.starts_with(char::is_uppercase), "{sentence}");
            assert!(field.kind.values().is_none_or(|words| !words.is_empty()), "{}", field.name);
        }
    }

    /// The table in `docs/api.md` is this list; on failure the message shows what it should be.
    #[test]
    fn the_page_on_the_api_lists_every_field() {
        let page = include_str!("../../../docs/api.md");
        let mut table = String::new();
        for field in catalogue() {
            let Field { name, kind, description, .. } = field;
            table += &format!("| `{name}` | {} | {description} |\n", type_text(*kind));
        }
        assert!(page.contains(&table), "the table of fields in docs/api.md should be\n{table}");
    }
}
