//! Outbound messages: SOAP, with one notification each (Salesforce allows a hundred), sent again
//! until the response acknowledges them.

use super::auth::ORGANISATION;
use super::record::{self, Org};
use super::write;
use crate::webhook::{Emit, Message, Sealed};
use crate::world::World;
use serde_json::{Value, json};

/// The fields that a message's definition selects, by object.
fn selected(object: &str) -> &'static [&'static str] {
    match object {
        "Opportunity" => &["Amount", "CloseDate", "StageName", "IsWon"],
        "Lead" => &[
            "Email",
            "Status",
            "IsConverted",
            "ConvertedContactId",
            "ConvertedOpportunityId",
            "Clew_Lead_Id__c",
        ],
        _ => &["Email"],
    }
}

/// Changes a record, and returns the notification with its new state.
pub(super) fn emit(org: &mut Org, world: &mut World, emit: &Emit) -> Result<Vec<Message>, String> {
    let record = org.find(&emit.id).filter(|record| record.object == emit.object);
    let id = record.ok_or_else(|| format!("no {} {}", emit.object, emit.id))?.id.clone();
    let now_ms = world.now_ms();
    if let Some(record) = org.records.get_mut(&id) {
        record.set(&emit.change, now_ms);
    }
    write::follow(org, world, &id);
    let notification = record::id("04l", world.next_number());
    let fields = org.find(&id).map(|record| json!(record.fields)).unwrap_or_default();
    let event = json!({ "id": notification, "object": emit.object, "fields": fields });
    let (bad_signature, timestamp_offset_ms) = (emit.bad_signature, emit.timestamp_offset_ms);
    Ok(vec![Message { events: vec![event], bad_signature, timestamp_offset_ms, attempt: 0 }])
}

/// The envelope. It is not signed; a forged one comes from another organization.
pub(super) fn seal(message: &Message, url: &str) -> Sealed {
    let organisation = if message.bad_signature { "00DX00000000000EAC" } else { ORGANISATION };
    let notifications: String = message.events.iter().map(notification).collect();
    let body = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <soapenv:Body>
  <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
   <OrganizationId>{organisation}</OrganizationId>
   <ActionId>04kB00000000001</ActionId>
   <SessionId xsi:nil="true"/>
   <EnterpriseUrl>{url}/services/Soap/c/68.0/{organisation}</EnterpriseUrl>
   <PartnerUrl>{url}/services/Soap/u/68.0/{organisation}</PartnerUrl>
{notifications}  </notifications>
 </soapenv:Body>
</soapenv:Envelope>"#
    );
    let headers = vec![
        ("content-type".to_owned(), "text/xml; charset=utf-8".to_owned()),
        ("soapaction".to_owned(), "\"\"".to_owned()),
    ];
    Sealed { headers, body }
}

fn notification(event: &Value) -> String {
    let text = |name: &str| escape(event[name].as_str().unwrap_or_default());
    let (id, object) = (text("id"), text("object"));
    let own = event["object"].as_str().unwrap_or_default();
    let names = ["Id"].into_iter().chain(selected(own).iter().copied());
    let element = |name: &str| {
        let value = match &event["fields"][name] {
            Value::Null => return String::new(),
            Value::String(text) => escape(text),
            // An amount is a double: 1200 is written as 1200.0.
            Value::Number(number) => {
                number.as_f64().map_or_else(String::new, |it| format!("{it:?}"))
            }
            other => other.to_string(),
        };
        format!("     <sf:{name}>{value}</sf:{name}>\n")
    };
    let fields: String = names.map(element).collect();
    format!(
        "   <Notification>\n    <Id>{id}</Id>\n    <sObject xsi:type=\"sf:{object}\" xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\">\n{fields}    </sObject>\n   </Notification>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Whether a response contains `<Ack>true</Ack>`, with any prefix.
pub(super) fn is_yes(body: &str) -> bool {
    body.split("Ack>").nth(1).is_some_and(|rest| rest.trim_start().starts_with("true<"))
}
