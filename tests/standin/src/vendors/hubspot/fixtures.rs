//! What every account has: HubSpot's own properties, and one pipeline.

use super::schema::{Group, Kind, Property, Schema};
use serde_json::{Value, json};

/// Stages of the pipeline `default`: id, label, closed, probability.
pub(super) const STAGES: [(&str, &str, bool, &str); 7] = [
    ("appointmentscheduled", "Appointment Scheduled", false, "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", false, "0.4"),
    ("presentationscheduled", "Presentation Scheduled", false, "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", false, "0.8"),
    ("contractsent", "Contract Sent", false, "0.9"),
    ("closedwon", "Closed Won", true, "1.0"),
    ("closedlost", "Closed Lost", true, "0.0"),
];

/// Life cycle stages, earliest first.
pub(super) const LIFECYCLE: [&str; 8] = [
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
];

/// Properties: kind, name, type, field type, and whether only HubSpot writes it.
const PROPERTIES: [(Kind, &str, &str, &str, bool); 40] = {
    use Kind::{Company, Contact, Deal, Note};
    [
        (Contact, "email", "string", "text", false),
        (Contact, "firstname", "string", "text", false),
        (Contact, "lastname", "string", "text", false),
        (Contact, "company", "string", "text", false),
        (Contact, "jobtitle", "string", "text", false),
        (Contact, "phone", "string", "phonenumber", false),
        (Contact, "website", "string", "text", false),
        (Contact, "country", "string", "text", false),
        (Contact, "lifecyclestage", "enumeration", "radio", false),
        (Contact, "hs_lead_status", "enumeration", "radio", false),
        (Contact, "hs_additional_emails", "enumeration", "checkbox", true),
        (Contact, "hs_merged_object_ids", "enumeration", "checkbox", true),
        (Contact, "hs_analytics_source", "enumeration", "select", true),
        (Contact, "hs_analytics_source_data_1", "string", "text", true),
        (Contact, "hs_analytics_source_data_2", "string", "text", true),
        (Contact, "createdate", "datetime", "date", true),
        (Contact, "lastmodifieddate", "datetime", "date", true),
        (Contact, "hs_object_id", "number", "number", true),
        (Company, "name", "string", "text", false),
        (Company, "domain", "string", "text", false),
        (Company, "createdate", "datetime", "date", true),
        (Company, "hs_lastmodifieddate", "datetime", "date", true),
        (Company, "hs_object_id", "number", "number", true),
        (Deal, "dealname", "string", "text", false),
        (Deal, "dealstage", "enumeration", "radio", false),
        (Deal, "pipeline", "enumeration", "select", false),
        (Deal, "amount", "number", "number", false),
        (Deal, "deal_currency_code", "enumeration", "select", false),
        (Deal, "closedate", "datetime", "date", false),
        (Deal, "hs_is_closed", "bool", "booleancheckbox", true),
        (Deal, "hs_is_closed_won", "bool", "booleancheckbox", true),
        (Deal, "createdate", "datetime", "date", true),
        (Deal, "hs_lastmodifieddate", "datetime", "date", true),
        (Deal, "hs_object_id", "number", "number", true),
        (Note, "hs_timestamp", "datetime", "date", false),
        (Note, "hs_note_body", "string", "html", false),
        (Note, "hubspot_owner_id", "string", "text", false),
        (Note, "hs_createdate", "datetime", "date", true),
        (Note, "hs_lastmodifieddate", "datetime", "date", true),
        (Note, "hs_object_id", "number", "number", true),
    ]
};

pub(super) fn schema() -> Schema {
    let mut schema = Schema::default();
    for (kind, name, value_type, field_type, is_read_only) in PROPERTIES {
        add(&mut schema, kind, name, value_type, field_type, is_read_only);
    }
    // When a stage was first reached: one property per stage.
    for stage in LIFECYCLE {
        let name = format!("hs_v2_date_entered_{stage}");
        add(&mut schema, Kind::Contact, &name, "datetime", "date", true);
    }
    for (stage, ..) in STAGES {
        let name = format!("hs_v2_date_entered_{stage}");
        add(&mut schema, Kind::Deal, &name, "datetime", "date", true);
    }
    schema
}

fn add(
    schema: &mut Schema,
    kind: Kind,
    name: &str,
    value_type: &str,
    field_type: &str,
    is_read_only: bool,
) {
    let group = format!("{}information", kind.names().1);
    schema.groups.entry((kind, group.clone())).or_insert_with(|| Group {
        name: group.clone(),
        label: format!("{} information", kind.names().1),
        display_order: 0,
        archived: false,
    });
    let property = Property {
        name: name.to_owned(),
        label: name.to_owned(),
        value_type: value_type.to_owned(),
        field_type: field_type.to_owned(),
        group_name: group,
        description: String::new(),
        options: options(name),
        display_order: -1,
        has_unique_value: name == "email",
        hidden: false,
        archived: false,
        is_read_only,
    };
    schema.properties.insert((kind, name.to_owned()), property);
}

fn options(property: &str) -> Vec<Value> {
    let values: Vec<&str> = match property {
        "lifecyclestage" => LIFECYCLE.to_vec(),
        "dealstage" => STAGES.iter().map(|(id, ..)| *id).collect(),
        "pipeline" => vec!["default"],
        "deal_currency_code" => vec!["EUR", "USD", "GBP", "CHF", "JPY"],
        "hs_lead_status" => vec!["NEW", "OPEN", "IN_PROGRESS", "OPEN_DEAL", "UNQUALIFIED"],
        _ => Vec::new(),
    };
    values.into_iter().map(|value| json!({ "label": value, "value": value })).collect()
}

/// `GET /crm/pipelines/…/deals`.
pub(super) fn pipelines() -> Value {
    let stage = |(order, (id, label, is_closed, probability)): (usize, &(_, _, bool, _))| {
        let metadata = json!({ "isClosed": is_closed.to_string(), "probability": probability });
        json!({ "id": id, "label": label, "displayOrder": order, "metadata": metadata })
    };
    let stages: Vec<Value> = STAGES.iter().enumerate().map(stage).collect();
    json!({ "results": [
        { "id": "default", "label": "Sales Pipeline", "displayOrder": 0, "stages": stages }
    ]})
}
