//! The names, kinds and limits of the canonical fields, in the order of exports.
use std::sync::LazyLock;

/// A field's kind; numbers in brackets are limits in characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldKind {
    /// A text, a URL or a word of a closed list, cut at the limit.
    Text(usize),
    /// A text without a limit of its own.
    LongText,
    /// An integer.
    Integer,
    /// Money as a decimal string.
    Decimal,
    /// RFC 3339 in UTC, whole seconds.
    Time,
}

/// One field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// The public name.
    pub name: String,
    /// What it holds.
    pub kind: FieldKind,
}

const CLICK: &[(&str, FieldKind)] = &[
    ("source", FieldKind::Text(255)),
    ("medium", FieldKind::Text(255)),
    ("campaign", FieldKind::Text(255)),
    ("campaign_id", FieldKind::Text(64)),
    ("term", FieldKind::Text(255)),
    ("content", FieldKind::Text(255)),
    ("channel", FieldKind::Text(40)),
    ("channel_drilldown_1", FieldKind::Text(255)),
    ("channel_drilldown_2", FieldKind::Text(255)),
    ("channel_drilldown_3", FieldKind::Text(255)),
    ("channel_drilldown_4", FieldKind::Text(255)),
    ("landing_page", FieldKind::Text(2000)),
    ("landing_page_group", FieldKind::Text(255)),
    ("referrer", FieldKind::Text(2000)),
    ("referrer_domain", FieldKind::Text(255)),
    ("at", FieldKind::Time),
];

/// After the click families: `name:limit` for texts, `name:int`, `name:long`, `name:money`, `name:time`.
const REST: &str = "visitor_id:64 email:254 email_sha256:64 phone:32 first_name:128 last_name:128 \
    full_name:128 company:255 job_title:255 converted_at:time conversion_type:40 form_id:255 \
    form_name:255 conversion_page:2000 conversion_page_title:255 conversion_count:int \
    first_visit_at:time visits_count:int pageviews_count:int touchpoints_count:int \
    distinct_channels_count:int seconds_to_convert:int days_to_convert:int channel_path:1000 \
    source_path:1000 journey_summary:long journey_json:long journey_url:500 gclid:512 gbraid:512 \
    wbraid:512 msclkid:512 fbclid:512 li_fat_id:512 ttclid:512 fbc:512 fbp:512 click_id_at:time \
    ga_client_id:64 ga_session_id:32 ga_session_number:int device_type:40 browser:64 os:64 \
    country:2 language:16 consent_analytics:40 consent_ads:40 attribution_model:40 \
    attributed_channel:255 attributed_source:255 attributed_campaign:255 lead_stage:40 \
    lead_stage_at:time mql_at:time sql_at:time opportunity_at:time customer_at:time lost_at:time \
    opportunity_value:money revenue:money revenue_currency:3 closed_at:time deals_count:int \
    crm_provider:40 crm_record_type:32 crm_record_id:64 crm_deal_id:64 crm_record_url:500 \
    crm_sync_status:40 crm_synced_at:time fields_version:int";

/// All fields, in order.
pub fn catalogue() -> &'static [Field] {
    static CATALOGUE: LazyLock<Vec<Field>> = LazyLock::new(|| {
        let field = |name: String, kind| Field { name, kind };
        let mut all = vec![field("lead_id".to_owned(), FieldKind::Text(36))];
        for family in ["first_click", "last_click", "last_non_direct_click"] {
            all.extend(
                CLICK.iter().map(|(suffix, kind)| field(format!("{family}_{suffix}"), *kind)),
            );
        }
        all.extend(REST.split_whitespace().map(|entry| {
            let (name, kind) = entry.split_once(':').unwrap_or((entry, "long"));
            let kind = match kind {
                "int" => FieldKind::Integer,
                "long" => FieldKind::LongText,
                "money" => FieldKind::Decimal,
                "time" => FieldKind::Time,
                limit => limit.parse().map_or(FieldKind::LongText, FieldKind::Text),
            };
            field(name.to_owned(), kind)
        }));
        all
    });
    &CATALOGUE
}
