//! Outbound messages: SOAP without a signature. The sender is authenticated by the secret in the
//! URL and the organization's id. A message's contents are not trusted; its records are read from
//! the organization.

use super::config::SalesforceConfig;
use crate::crm::record::RecordRef;
use crate::crm::webhook::{Head, Received, Refused, Webhook};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use subtle::ConstantTimeEq;

/// The longest accepted message; it contains at most a hundred notifications.
const MESSAGE_BYTES: usize = 1 << 20;
/// The deepest accepted nesting of elements; a message has six levels.
const DEPTH: usize = 16;
const ORGANIZATION: [&str; 4] = ["Envelope", "Body", "notifications", "OrganizationId"];
const NOTIFICATION: [&str; 4] = ["Envelope", "Body", "notifications", "Notification"];
const RECORD: [&str; 5] = ["Envelope", "Body", "notifications", "Notification", "sObject"];
const RECORD_ID: [&str; 6] = ["Envelope", "Body", "notifications", "Notification", "sObject", "Id"];
/// The acknowledgement. Without it, Salesforce repeats the message for a day.
const ACKNOWLEDGED: &str = "<soapenv:Envelope \
    xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>\
    <notificationsResponse xmlns=\"http://soap.sforce.com/2005/09/outbound\"><Ack>true</Ack>\
    </notificationsResponse></soapenv:Body></soapenv:Envelope>";

/// Checks the secret, which is known before the body.
pub(super) fn admit(settings: &SalesforceConfig, head: &Head<'_>) -> Result<(), Refused> {
    let refused = |why: &str| Err(Refused::Signature(why.to_owned()));
    let Some(secret) = &settings.hook_secret else {
        return refused("no salesforce.hook_secret is configured");
    };
    let given = head.secret_path.trim_start_matches('/').as_bytes();
    match bool::from(secret.reveal().as_bytes().ct_eq(given)) {
        true => Ok(()),
        false => refused("the last part of the URL is not the hook_secret"),
    }
}

pub(super) fn receive(
    settings: &SalesforceConfig,
    webhook: &Webhook<'_>,
) -> Result<Received, Refused> {
    admit(settings, &webhook.head)?;
    let message =
        Message::read(webhook.body).map_err(|error| Refused::Malformed(error.to_string()))?;
    if let Some(own) = &settings.organization
        && short(own) != short(&message.organization)
    {
        return Err(Refused::Signature("it is from another organization".into()));
    }
    let answer = ("text/xml; charset=utf-8", ACKNOWLEDGED.to_owned());
    Ok(Received { records: message.records, answer })
}

/// Why a message cannot be read. Never quotes the message.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
enum MessageError {
    #[error("it is longer than {MESSAGE_BYTES} bytes")]
    TooLong,
    #[error("it is not UTF-8")]
    NotUtf8,
    #[error("it is not well-formed XML")]
    Xml,
    #[error("its elements are nested too deeply")]
    TooDeep,
    #[error("it has a document type")]
    DocumentType,
    #[error("it has an entity")]
    Entity,
    #[error("it is not an outbound message")]
    NotOutbound,
    #[error("an sObject has no type")]
    Untyped,
    #[error("the Id of an sObject is not valid")]
    Id,
}

/// The parts of a message that are used.
#[derive(Default)]
struct Message {
    organization: String,
    /// The records of supported types, each once.
    records: Vec<RecordRef>,
}

impl Message {
    fn read(body: &[u8]) -> Result<Self, MessageError> {
        if body.len() > MESSAGE_BYTES {
            return Err(MessageError::TooLong);
        }
        let body = std::str::from_utf8(body).map_err(|_| MessageError::NotUtf8)?;
        let mut reader = Reader::from_str(body);
        let mut message = Self::default();
        let mut path: Vec<String> = Vec::new();
        let mut object = String::new();
        let mut notified = false;
        loop {
            match reader.read_event().map_err(|_| MessageError::Xml)? {
                Event::Start(element) => {
                    path.push(local_name(&element)?);
                    if path.len() > DEPTH {
                        return Err(MessageError::TooDeep);
                    }
                    notified |= path == NOTIFICATION;
                    if path == RECORD {
                        object = kind(&element)?;
                    }
                }
                // The parser checks that the names match.
                Event::End(_) => {
                    path.pop();
                }
                Event::Text(text) => {
                    let text = text.decode().map_err(|_| MessageError::Xml)?;
                    let text = text.trim();
                    if path == ORGANIZATION {
                        message.organization.push_str(text);
                    } else if path == RECORD_ID && !text.is_empty() {
                        message.add(&object, text)?;
                    }
                }
                Event::DocType(_) => return Err(MessageError::DocumentType),
                Event::GeneralRef(reference) => {
                    let name = reference.decode().map_err(|_| MessageError::Xml)?;
                    let is_own = matches!(&*name, "amp" | "lt" | "gt" | "quot" | "apos");
                    if !is_own && !name.starts_with('#') {
                        return Err(MessageError::Entity);
                    }
                }
                Event::Eof => break,
                _ => {}
            }
        }
        match path.is_empty() && notified {
            true => Ok(message),
            false => Err(MessageError::NotOutbound),
        }
    }

    fn add(&mut self, object: &str, id: &str) -> Result<(), MessageError> {
        let is_id =
            matches!(id.len(), 15 | 18) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_id {
            return Err(MessageError::Id);
        }
        let record = RecordRef { object: object.to_owned(), id: id.to_owned() };
        if matches!(object, "Lead" | "Contact" | "Opportunity") && !self.records.contains(&record) {
            self.records.push(record);
        }
        Ok(())
    }
}

fn local_name(element: &BytesStart<'_>) -> Result<String, MessageError> {
    let name = element.local_name();
    String::from_utf8(name.as_ref().to_vec()).map_err(|_| MessageError::NotUtf8)
}

/// `Opportunity`, from `xsi:type="sf:Opportunity"`.
fn kind(element: &BytesStart<'_>) -> Result<String, MessageError> {
    let mut attributes = element.attributes();
    for attribute in attributes.with_checks(false) {
        let attribute = attribute.map_err(|_| MessageError::Xml)?;
        if attribute.key.local_name().as_ref() == b"type" {
            let value = String::from_utf8_lossy(&attribute.value);
            return Ok(value.rsplit(':').next().unwrap_or_default().to_owned());
        }
    }
    Err(MessageError::Untyped)
}

/// The 15-character form of an id, without the three check characters.
fn short(id: &str) -> &str {
    id.get(..15).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(notifications: &str) -> String {
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
            <soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
             <soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound">
              <OrganizationId>00DB00000000000EAC</OrganizationId><ActionId>04kB00000000001</ActionId>
              <SessionId xsi:nil="true"/>{notifications}</notifications></soapenv:Body>
            </soapenv:Envelope>"#
        )
    }

    fn notification(object: &str, fields: &str) -> String {
        format!(
            r#"<Notification><Id>04lB00000000011</Id>
            <sObject xsi:type="sf:{object}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">{fields}</sObject></Notification>"#
        )
    }

    fn check(body: &str, expected: Result<&[(&str, &str)], &str>) {
        let found = Message::read(body.as_bytes());
        let found = found.map(|message| {
            assert_eq!(message.organization, "00DB00000000000EAC");
            message.records
        });
        let record =
            |(object, id): &(&str, &str)| RecordRef { object: (*object).into(), id: (*id).into() };
        let beginning: String = body.chars().take(900).collect();
        match (found, expected) {
            (Ok(found), Ok(expected)) => {
                assert_eq!(found, expected.iter().map(record).collect::<Vec<_>>(), "{beginning}");
            }
            (Err(found), Err(expected)) => {
                assert!(found.to_string().contains(expected), "{found}: {beginning}")
            }
            (found, _) => panic!("{found:?}: {beginning}"),
        }
    }

    #[test]
    fn messages() {
        let won =
            "<sf:Id>006B000000ABCDEFGH</sf:Id><sf:StageName>Closed &amp; &#87;on</sf:StageName>";
        let lead = "<sf:Id>00QB00000000001</sf:Id>";
        let deal = notification("Opportunity", won);
        let both = [deal.clone(), notification("Lead", lead), deal.clone()].concat();
        check(&envelope(&deal), Ok(&[("Opportunity", "006B000000ABCDEFGH")]));
        let two = [("Opportunity", "006B000000ABCDEFGH"), ("Lead", "00QB00000000001")];
        check(&envelope(&both), Ok(&two));
        check(&envelope(&notification("Case", "<sf:Id>500B00000000001</sf:Id>")), Ok(&[]));
        check(&envelope(&notification("Lead", "<sf:Name>x</sf:Name>")), Ok(&[]));
        // An Id of something nested in the record is not the record's Id.
        let nested = format!("<sf:Owner><sf:Id>005B00000000001</sf:Id></sf:Owner>{lead}");
        check(&envelope(&notification("Lead", &nested)), Ok(&two[1..]));
    }

    #[test]
    fn hostile_messages() {
        let lead = "<sf:Id>00QB00000000001</sf:Id>";
        let good = envelope(&notification("Lead", lead));
        let declared = r#"<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>"#;
        let named = format!("<sf:Name>&b;</sf:Name>{lead}");
        let deep = "<a>".repeat(100_000);
        for (body, expected) in [
            (
                good.replace("<soapenv:Envelope", &format!("{declared}<soapenv:Envelope")),
                "document type",
            ),
            (envelope(&notification("Lead", &named)), "entity"),
            (deep, "too deep"),
            (envelope(&notification("Lead", "<sf:Id>' OR Id != '</sf:Id>")), "is not valid"),
            (envelope(&notification("Lead", "<sf:Id>00QB</sf:Id>")), "is not valid"),
            (envelope(&notification("Lead", lead).replace("xsi:type", "xsi:kind")), "has no type"),
            (good.replace("Notification", "Other"), "not an outbound message"),
            (envelope(""), "not an outbound message"),
            (good.replace("</soapenv:Envelope>", ""), ""),
            (good.replace("</sObject>", "</sobject>"), "it is not well-formed XML"),
            (format!("{good}{}", " ".repeat(MESSAGE_BYTES)), "longer than"),
            (String::new(), "not an outbound message"),
            ("{\"json\":true}".to_owned(), "not an outbound message"),
            ("<".repeat(5_000), "it is not well-formed XML"),
        ] {
            check(&body, Err(expected));
        }
        assert!(Message::read(&[0xff, 0xfe]).is_err());
    }

    proptest::proptest! {
        /// Any input is either read or refused.
        #[test]
        fn any_bytes(cut in 0..1_000usize, with in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..20)) {
            let mut body = envelope(&notification("Lead", "<sf:Id>00QB00000000001</sf:Id>")).into_bytes();
            let at = cut.min(body.len());
            body.splice(at..(at + with.len()).min(body.len()), with);
            let _ = Message::read(&body);
        }
    }
}
