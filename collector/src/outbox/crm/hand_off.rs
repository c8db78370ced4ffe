//! A hand-off to a CRM: writes the person's record with the lead's fields, then the journey as a
//! note.
//!
//! If a hand-off is interrupted at any point, by a crash or a lost response, it is repeated from
//! the beginning: the record is found again, and so is the note, by its marker.

use crate::leads::{LeadView, LoadError, Moment, load};
use crate::settings::Settings;
use clew_connect::crm::note::{Note, NoteMarker};
use clew_connect::crm::push::{Push, Pushed};
use clew_connect::crm::record::RecordRef;
use clew_connect::{CallError, Connection};
use clew_core::Core;
use clew_store::{Delivery, NewRecord, Record, Recorded, StoreError};
use shared::ids::ConversionId;
use shared::lead::Conversion;
use shared::link::CrmLink;

/// The calls that a usual hand-off makes, at most.
pub(super) const CALLS: usize = 4;

/// Why a hand-off failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandOffError {
    /// A call to the CRM failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lead or conversion no longer exists.
    #[error("{0}")]
    Gone(String),
}

impl From<LoadError> for HandOffError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store(error) => Self::Store(error),
            gone => Self::Gone(gone.to_string()),
        }
    }
}

/// Hands off the lead of a conversion. The record gets the lead's current fields, so that hand-offs
/// of several conversions may end in any order; the note has the journey of this conversion.
pub(super) async fn hand_off(
    core: &Core,
    settings: &Settings,
    connection: &Connection,
    delivery: &Delivery,
) -> Result<(), HandOffError> {
    let lead = delivery.id.lead;
    let view = load(&*core.store, lead, Moment::Now).await?;
    let written = push(core, settings, connection, &view).await?;
    link(core, connection, &view, &written).await?;
    let Some(notes) = connection.crm.notes().filter(|_| connection.config.notes) else {
        return Ok(());
    };
    let conversion = ConversionId(delivery.subject);
    let then = match view.history.conversions.last() {
        Some(last) if last.id == conversion => view,
        _ => load(&*core.store, lead, Moment::Conversion(conversion)).await?,
    };
    let gone = || HandOffError::Gone("the lead has no conversion".into());
    let note = note(settings, connection, &then).ok_or_else(gone)?;
    // If the note were still being written when the claim ends, another collector might write it
    // too.
    let call_ms = settings.timeout().as_millis() as i64;
    if core.now_ms() + CALLS as i64 * call_ms > delivery.due_at_ms {
        let message = "the hand-off took longer than its claim".into();
        return Err(CallError::Transient { until_ms: None, message }.into());
    }
    // An earlier claim of this delivery may have written the note.
    Ok(notes.attach(&written.record, &note, delivery.claims > 1).await?)
}

/// Writes the record. Fields that the CRM lacks are created; if that fails, they are left out,
/// because a lead is worth more than one of its fields.
async fn push(
    core: &Core,
    settings: &Settings,
    connection: &Connection,
    view: &LeadView,
) -> Result<Pushed, CallError> {
    let fields = view.fields(settings, connection.naming.long_text());
    let known = view
        .link(connection.naming)
        .map(|link| RecordRef { object: link.object.clone(), id: link.id.clone() });
    let channel = view.history.touches.last().map(|touch| touch.label.channel.label());
    let mut declared = false;
    loop {
        let now_ms = core.now_ms();
        let values = connection.values(fields.clone(), now_ms);
        let push = Push {
            lead: view.lead.id,
            contact: &view.lead.contact,
            values: &values,
            channel,
            known: known.as_ref(),
            overwrite_first: connection.config.overwrite_first_click,
        };
        let (names, message) = match connection.crm.push(&push).await {
            Err(CallError::UnknownField { names, message }) => (names, message),
            other => return other,
        };
        let name = connection.name();
        if let Some(declaring) = connection.crm.fields().filter(|_| !declared) {
            declared = true;
            match declaring.declare(&connection.fields).await {
                Ok(_) => continue,
                // Without permission to create fields, leads can still be handed off. If something
                // else is wrong, the next write will fail.
                Err(CallError::Invalid(error) | CallError::Auth(error)) => {
                    tracing::warn!(connection = name, error, "fields could not be created");
                }
                Err(error) => return Err(error),
            }
        }
        if connection.leave_out(&names, now_ms) {
            let fields = names.join(", ");
            tracing::warn!(connection = name, fields, message, "fields are left out for an hour");
        }
        let is_written =
            |name: &String| values.iter().any(|(field, _)| connection.field_name(field) == *name);
        // Another hand-off may have left them out first. What matters is whether the next write has
        // fewer fields.
        if !names.iter().any(is_written) {
            return Err(CallError::UnknownField { names, message });
        }
    }
}

/// Records the link to the lead's CRM record, if it is new.
async fn link(
    core: &Core,
    connection: &Connection,
    view: &LeadView,
    written: &Pushed,
) -> Result<(), StoreError> {
    let vendor = connection.naming;
    let RecordRef { object, id } = &written.record;
    let same = |link: &CrmLink| link.object == *object && link.id == *id && link.url == written.url;
    if view.link(vendor).is_some_and(same) {
        return Ok(());
    }
    let now_ms = core.now_ms();
    let link = CrmLink {
        provider: vendor.as_str().into(),
        object: object.clone(),
        id: id.clone(),
        url: written.url.clone(),
        linked_at_ms: now_ms,
        reference: format!("{object}:{id} {now_ms}"),
    };
    let new = NewRecord {
        lead: view.lead.id,
        record: Record::Link(link),
        crm_record: None,
        destinations: Vec::new(),
        due_at_ms: now_ms,
    };
    if let Recorded::IdentityTaken(_, other) = core.store.record(new).await? {
        // One CRM record for two leads: the second lead's record was found by its e-mail.
        let (lead, record) = (view.lead.id.to_text(), format!("{object} {id}"));
        let other = other.to_text();
        tracing::warn!(lead, other, record, "two leads share one CRM record");
    }
    Ok(())
}

/// Builds the note of the view's last conversion.
fn note(settings: &Settings, connection: &Connection, view: &LeadView) -> Option<Note> {
    let conversion = view.history.conversions.last()?;
    let fields = view.fields(settings, connection.naming.long_text());
    let summary = fields.get("journey_summary").and_then(|summary| summary.as_str());
    let journey = summary.unwrap_or_default().lines().map(str::to_owned);
    let (lead, number) = view.stored_as(conversion);
    Some(Note {
        title: format!("Attribution journey #{}", conversion.number),
        lines: journey.chain(typed(&view.history.conversions)).collect(),
        marker: NoteMarker { lead, number },
        at_ms: conversion.at_ms,
    })
}

/// What the person typed in the last conversion that the record may not have: values other than
/// those of an earlier conversion, values in kana, and values that could not be used.
fn typed(conversions: &[Conversion]) -> Vec<String> {
    let Some((last, earlier)) = conversions.split_last() else { return Vec::new() };
    let differs = |member: &str, value: &str| {
        let before = earlier.iter().flat_map(|made| made.contact.values());
        let mut before = before.filter(|(other, _)| *other == member).peekable();
        before.peek().is_some() && before.all(|(_, other)| other != value)
    };
    let is_new =
        |(member, value): &(&str, &str)| member.ends_with("_kana") || differs(member, value);
    let list = |values: Vec<String>| values.join(", ");
    let new: Vec<String> = last
        .contact
        .values()
        .filter(is_new)
        .map(|(member, value)| format!("{} \"{value}\"", member.replace('_', " ")))
        .collect();
    let raw =
        last.raw.iter().map(|raw| format!("{} \"{}\"", raw.member.replace('_', " "), raw.value));
    let raw: Vec<String> = raw.collect();
    let mut lines = Vec::new();
    if !new.is_empty() {
        lines.push(format!("This time the person wrote: {}", list(new)));
    }
    if !raw.is_empty() {
        lines.push(format!("Kept as typed: {}", list(raw)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::ids::ConversionId;
    use shared::lead::{Contact, ConversionKind, JourneyState, NormalContact};

    fn made(contact: Contact) -> Conversion {
        let NormalContact { contact, raw } = contact.normalised(None).unwrap();
        Conversion {
            id: ConversionId::new(0, [0; 10]),
            number: 1,
            at_ms: 0,
            kind: ConversionKind::Form,
            visitor: None,
            journey: JourneyState::NoVisitor,
            contact,
            form_id: None,
            form_name: None,
            page_url: None,
            page_title: None,
            context: None,
            raw,
        }
    }

    #[test]
    fn nothing_typed_is_lost() {
        let contact = |phone: &str, company: Option<&str>| Contact {
            email: Some("ann@example.com".into()),
            phone: Some(phone.into()),
            company: company.map(str::to_owned),
            ..Contact::default()
        };
        let first = made(contact("+33142685300", Some("Example")));
        assert_eq!(typed(std::slice::from_ref(&first)), Vec::<String>::new());
        assert_eq!(typed(&[first.clone(), first.clone()]), Vec::<String>::new());
        let other = made(contact("+33142685301", None));
        let line = "This time the person wrote: phone \"+33142685301\"";
        assert_eq!(typed(&[first.clone(), other]), [line]);
        let unusable = made(contact("n/a", Some("Other")));
        let lines =
            ["This time the person wrote: company \"Other\"", "Kept as typed: phone \"n/a\""];
        assert_eq!(typed(&[first, unusable]), lines);
        let kana = Contact { last_name_kana: Some("ヤマダ".into()), ..contact("", None) };
        assert_eq!(typed(&[made(kana)]), ["This time the person wrote: last name kana \"ヤマダ\""]);
    }
}
