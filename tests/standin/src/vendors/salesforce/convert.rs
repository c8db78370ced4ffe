//! What a sales person does in the pages: converting a lead into account, contact and opportunity.

use super::record::{Org, time};
use super::write;
use crate::world::World;
use serde_json::{Map, Value, json};

/// `{"convert":"00Q…","opportunity":true}`: returns the ids of the new records.
pub(super) fn act(org: &mut Org, world: &mut World, action: &Value) -> Result<Value, String> {
    let id =
        action["convert"].as_str().ok_or("the only action is {\"convert\":\"<id of a lead>\"}")?;
    let lead = org.find(id).filter(|record| record.object == "Lead").cloned();
    let lead = lead.ok_or_else(|| format!("no lead {id}"))?;
    if lead.is("IsConverted") {
        return Err(format!("{id} is already converted"));
    }
    let now_ms = world.now_ms();
    let company = lead.fields.get("Company").cloned().unwrap_or_default();
    let mut add = |org: &mut Org, object: &str, fields: &Value| {
        let id = org.add(world.next_number(), object, fields, now_ms);
        write::follow(org, world, &id);
        id
    };
    let account = add(org, "Account", &json!({ "Name": company }));
    // Fields are mapped to those of the same name on the other object.
    let mapped = |org: &Org, object: &str, names: &[&str]| -> Map<String, Value> {
        let fields = lead.fields.iter().filter(|(name, _)| {
            let is_custom = name.ends_with("__c");
            (is_custom || names.contains(&name.as_str()))
                && org.schema.field(object, name).is_some()
        });
        fields.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let person = ["FirstName", "LastName", "Email", "Phone", "Title", "LeadSource"];
    let mut fields = mapped(org, "Contact", &person);
    fields.insert("AccountId".to_owned(), json!(account));
    let contact = add(org, "Contact", &json!(fields));
    let mut opportunity = None;
    if action["opportunity"] != json!(false) {
        let mut fields = mapped(org, "Opportunity", &["LeadSource"]);
        fields
            .insert("Name".to_owned(), json!(format!("{}-", company.as_str().unwrap_or_default())));
        fields.insert("AccountId".to_owned(), json!(account));
        fields.insert("StageName".to_owned(), json!("Prospecting"));
        fields.insert("CloseDate".to_owned(), json!(time(now_ms)[..10]));
        let id = add(org, "Opportunity", &json!(fields));
        let role = json!({ "OpportunityId": id, "ContactId": contact, "IsPrimary": true });
        add(org, "OpportunityContactRole", &role);
        opportunity = Some(id);
    }
    let made = json!({
        "Status": "Closed - Converted", "IsConverted": true, "ConvertedDate": time(now_ms)[..10],
        "ConvertedAccountId": account, "ConvertedContactId": contact,
        "ConvertedOpportunityId": opportunity
    });
    if let (Some(lead), Some(made)) = (org.records.get_mut(&lead.id), made.as_object()) {
        lead.set(made, now_ms);
    }
    // Activities move to the contact.
    let tasks = org.records.values_mut().filter(|record| record.object == "Task");
    for task in tasks.filter(|task| task.text("WhoId") == Some(&lead.id)) {
        task.fields.insert("WhoId".to_owned(), json!(contact));
    }
    Ok(json!({ "account": account, "contact": contact, "opportunity": opportunity }))
}
