//! The canonical fields of a lead: one list of names for the API, the webhooks and every CRM.
//!
//! [`build`] fills all of them from a lead and its history; what is not known is `null`. The names
//! are public, `fields_version` rises when one changes or goes.

pub mod catalogue;
mod click;

use crate::journey::{History, cut_touches};
use crate::lead::{Conversion, Lead};
use crate::limits::DAY_MS;
use crate::time::rfc3339;
use crate::visit::Touch;
use catalogue::{FieldKind, catalogue};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The version of the names.
pub const FIELDS_VERSION: u32 = 1;

/// What the fields are made of.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The person.
    pub lead: &'a Lead,
    /// The history up to the last conversion.
    pub history: &'a History,
    /// The state of those of the lead's deliveries that most need an eye, where it has any.
    pub sync_status: Option<&'a str>,
}

/// Every canonical field; unknown ones are `null`, texts are cut to the field's limit.
pub fn build(subject: Subject<'_>) -> Map<String, Value> {
    let mut known = Map::new();
    let touches = &subject.history.touches;
    let last_non_direct = touches.iter().rfind(|touch| !is_direct(touch)).or(touches.last());
    click::put(&mut known, "first_click_", touches.first());
    click::put(&mut known, "last_click_", touches.last());
    click::put(&mut known, "last_non_direct_click_", last_non_direct);
    put_identity(&mut known, subject.lead);
    put_conversion(&mut known, subject.history);
    put_journey(&mut known, subject);
    click::put_ids(&mut known, touches);
    if let Some(touch) = last_non_direct {
        put(&mut known, "attributed_channel", touch.label.channel.as_str());
        put(&mut known, "attributed_source", touch.label.source.as_str());
        put(&mut known, "attributed_campaign", touch.label.campaign.clone());
    }
    put(&mut known, "attribution_model", "last-non-direct");
    put(&mut known, "lead_stage", "lead");
    put(&mut known, "lead_stage_at", rfc3339(subject.lead.created_at_ms));
    put(&mut known, "crm_sync_status", subject.sync_status);
    put(&mut known, "fields_version", FIELDS_VERSION);

    let value = |field: &catalogue::Field| match (known.remove(&field.name), field.kind) {
        (Some(Value::String(text)), FieldKind::Text(limit)) => Value::String(cut(text, limit)),
        (value, _) => value.unwrap_or(Value::Null),
    };
    let mut value = value;
    catalogue().iter().map(|field| (field.name.clone(), value(field))).collect()
}

/// At most so many characters, the last of them an ellipsis where it was cut.
fn cut(text: String, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text;
    }
    let mut kept: String = text.chars().take(limit - 1).collect();
    kept.push('…');
    kept
}

fn put(fields: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    fields.insert(name.to_owned(), value.into());
}

fn is_direct(touch: &Touch) -> bool {
    touch.label.channel == crate::channel::Channel::Direct
}

fn put_identity(fields: &mut Map<String, Value>, lead: &Lead) {
    let contact = &lead.contact;
    put(fields, "lead_id", lead.id.to_text());
    put(fields, "visitor_id", lead.valid_joins().next_back().map(|join| join.visitor.to_text()));
    put(fields, "email", contact.email.clone());
    let hash = |email: &String| hex(&Sha256::digest(email.to_lowercase().as_bytes()));
    put(fields, "email_sha256", contact.email.as_ref().map(hash));
    put(fields, "phone", contact.phone.clone());
    put(fields, "first_name", contact.first_name.clone());
    put(fields, "last_name", contact.last_name.clone());
    put(fields, "full_name", contact.full_name.clone());
    put(fields, "company", contact.company.clone());
    put(fields, "job_title", contact.job_title.clone());
}

fn put_conversion(fields: &mut Map<String, Value>, history: &History) {
    put(fields, "conversion_count", history.conversions.len());
    let Some(Conversion { at_ms, kind, form_id, form_name, page_url, page_title, .. }) =
        history.conversions.last()
    else {
        return;
    };
    put(fields, "converted_at", rfc3339(*at_ms));
    put(fields, "conversion_type", serde_json::to_value(kind).unwrap_or_default());
    put(fields, "form_id", form_id.clone());
    put(fields, "form_name", form_name.clone());
    put(fields, "conversion_page", page_url.clone());
    put(fields, "conversion_page_title", page_title.clone());
}

fn put_journey(fields: &mut Map<String, Value>, subject: Subject<'_>) {
    let history = subject.history;
    let touches = &history.touches;
    put(fields, "visits_count", history.visits.len());
    put(fields, "pageviews_count", history.pages.len());
    put(fields, "touchpoints_count", touches.len());
    let mut channels: Vec<_> = touches.iter().map(|touch| touch.label.channel).collect();
    channels.sort_unstable();
    channels.dedup();
    put(fields, "distinct_channels_count", channels.len());
    if let Some(first) = history.visits.first() {
        let converted_at_ms = history.conversions.last().map_or(first.at_ms, |last| last.at_ms);
        let taken_ms = (converted_at_ms - first.at_ms).max(0);
        put(fields, "first_visit_at", rfc3339(first.at_ms));
        put(fields, "seconds_to_convert", taken_ms / 1000);
        put(fields, "days_to_convert", taken_ms / DAY_MS);
        let by_channel = |touch: &Touch| touch.label.channel.as_str().to_owned();
        put(fields, "channel_path", path(touches, by_channel));
        let by_source = |touch: &Touch| format!("{} / {}", touch.label.source, touch.label.medium);
        put(fields, "source_path", path(touches, by_source));
        put(fields, "journey_summary", summary(history));
        let json = cut_touches(&history.touches_json(), crate::journey::JOURNEY_JSON_BYTES);
        put(fields, "journey_json", json);
    }
}

/// `paid_search > direct ×2`: repeats collapsed.
fn path(touches: &[Touch], name: impl Fn(&Touch) -> String) -> String {
    let names: Vec<String> = touches.iter().map(name).collect();
    let steps = names.chunk_by(|left, right| left == right).map(|run| match run {
        [only] => only.clone(),
        [first, ..] => format!("{first} ×{}", run.len()),
        [] => String::new(),
    });
    steps.collect::<Vec<_>>().join(" > ")
}

/// The journey in words, a line a touch, newest last, at most twenty lines.
fn summary(history: &History) -> String {
    const LINES: usize = 20;
    let line = |touch: &Touch| {
        let at = rfc3339(touch.at_ms).replace('T', " ");
        let day_and_minute = at.get(..16).unwrap_or(&at).to_owned();
        let campaign = touch.label.campaign.as_ref().map(|name| format!(", campaign {name}"));
        let pages = if touch.page_views == 1 { "page" } else { "pages" };
        format!(
            "{day_and_minute} {}: {} / {}{}, landed on {}, {} {pages}, {} s engaged",
            touch.label.channel.label(),
            touch.label.source,
            touch.label.medium,
            campaign.unwrap_or_default(),
            click::landing_path(touch),
            touch.page_views,
            touch.engaged_ms / 1000,
        )
    };
    let touches = &history.touches;
    if touches.len() <= LINES {
        return touches.iter().map(line).collect::<Vec<_>>().join("\n");
    }
    let left_out = touches.len() - (LINES - 1);
    let mut lines = vec![line(&touches[0]), format!("… {left_out} more touches …")];
    lines.extend(touches[touches.len() - (LINES - 2)..].iter().map(line));
    lines.join("\n")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ConversionId, LeadId, SiteId, VisitorId};
    use crate::lead::{
        Contact, ConversionKind, FoundBy, Join, JoinEvidence, JourneyState, NamedBy,
    };
    use crate::testing::view;

    const MINUTE: i64 = 60_000;

    fn lead(at_ms: i64, email: &str) -> (Lead, Conversion) {
        let contact = Contact { email: Some(email.to_owned()), ..Contact::default() };
        let visitor = VisitorId::from_random([7; 16]);
        let conversion = Conversion {
            id: ConversionId::new(at_ms, [1; 10]),
            number: 1,
            at_ms,
            kind: ConversionKind::Form,
            visitor: Some(visitor),
            journey: JourneyState::Known,
            contact: contact.clone(),
            form_id: Some("contact".to_owned()),
            form_name: None,
            page_url: None,
            page_title: None,
            touches: Vec::new(),
        };
        let by = JoinEvidence { person: FoundBy::New, visitor: NamedBy::Cookie };
        let join = Join::new(visitor, &conversion, by);
        let lead = Lead {
            id: LeadId::new(at_ms, [2; 10]),
            site: SiteId::parse("demo").unwrap(),
            created_at_ms: at_ms,
            converted_at_ms: at_ms,
            contact,
            joins: vec![join],
            conversions: 1,
            phone_conflict: None,
        };
        (lead, conversion)
    }

    fn fields(origins: &[(i64, &str)], converted_minute: i64) -> Map<String, Value> {
        let (lead, conversion) = lead(converted_minute * MINUTE, "Lead@example.com");
        let views = origins.iter().map(|(minute, origin)| view(minute * MINUTE, origin)).collect();
        let views = vec![(lead.joins[0].visitor, views)];
        let history = History::of_lead(&lead, &views, vec![conversion]);
        build(Subject { lead: &lead, history: &history, sync_status: Some("pending") })
    }

    #[test]
    fn the_fields_name_first_and_last_click() {
        let fields =
            fields(&[(0, "google"), (1, ""), (4000, ""), (4001, "own"), (4003, "bing")], 4002);
        for (name, expected) in [
            ("first_click_source", Value::from("google")),
            ("last_click_source", Value::from("(direct)")),
            ("last_click_channel", Value::from("direct")),
            ("last_non_direct_click_source", Value::from("google")),
            ("touchpoints_count", Value::from(2)),
            ("visits_count", Value::from(2)),
            ("pageviews_count", Value::from(4)),
            ("days_to_convert", Value::from(2)),
            ("channel_path", Value::from("organic_search > direct")),
            ("first_click_landing_page_group", Value::from("/")),
            ("crm_sync_status", Value::from("pending")),
            ("revenue", Value::Null),
        ] {
            assert_eq!(fields[name], expected, "{name}");
        }
        assert_eq!(fields["email_sha256"].as_str().map(str::len), Some(64));
        assert_eq!(fields.len(), 121);
    }

    #[test]
    fn a_lead_without_a_journey_still_has_every_field() {
        let fields = fields(&[], 0);
        assert_eq!(
            (fields.len(), &fields["first_click_source"], &fields["visits_count"]),
            (121, &Value::Null, &Value::from(0))
        );
    }

    #[test]
    fn long_journeys_are_told_in_twenty_lines() {
        let rows: Vec<_> =
            (0..50).map(|hour| (hour * 60, ["google", "bing"][hour as usize % 2])).collect();
        let fields = fields(&rows, 60 * 60);
        assert_eq!(fields["journey_summary"].as_str().unwrap().lines().count(), 20);
        assert_eq!(cut("äöüß".to_owned(), 3), "äö…");
    }
}
