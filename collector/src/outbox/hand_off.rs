//! A hand-off to a CRM: the person's record with the lead's fields, then the journey as a note.
//!
//! It may end at any point, by a crash or a lost answer, and is then done again from the beginning:
//! the record is found again, and the note by its marker.

use super::CALLS_OF_A_HAND_OFF;
use crate::app::App;
use crate::conversion::view::LeadView;
use crate::crm::connection::Connection;
use crate::crm::{CrmError, Note, Push, Pushed, RecordRef};
use crate::settings::Settings;
use crate::store::{Delivery, NewRecord, Record, Recorded, StoreError};
use shared::ids::ConversionId;
use shared::link::CrmLink;

/// What keeps a hand-off from its end.
pub(super) enum Failure {
    /// The CRM.
    Crm(CrmError),
    /// The store.
    Store(StoreError),
}

impl From<CrmError> for Failure {
    fn from(error: CrmError) -> Self {
        Self::Crm(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Hands a conversion's lead off. The record gets the lead's fields as they are now, so that hand-offs
/// of several conversions may end in any order; the note tells the journey of this one.
pub(super) async fn hand_off(
    app: &App,
    settings: &Settings,
    connection: &Connection,
    delivery: &Delivery,
) -> Result<(), Failure> {
    let gone = || CrmError::Invalid("the lead is gone".into());
    let lead = delivery.id.lead;
    let view = LeadView::load(app, lead, None).await?.ok_or_else(gone)?;
    let written = push(app, settings, connection, &view).await?;
    link(app, connection, &view, &written).await?;
    if !connection.config.notes {
        return Ok(());
    }
    let conversion = ConversionId(delivery.subject);
    let then = match view.history.conversions.last() {
        Some(last) if last.id == conversion => view,
        _ => LeadView::load(app, lead, Some(conversion)).await?.ok_or_else(gone)?,
    };
    let note = note(settings, connection, &then).ok_or_else(gone)?;
    // Whoever is still at it when the claim ends may lose it to another, who makes the note.
    let call_ms = i64::from(settings.config.delivery.timeout_seconds) * 1000;
    if app.clock.now_ms() + CALLS_OF_A_HAND_OFF as i64 * call_ms > delivery.due_at_ms {
        let message = "it took longer than its claim holds".into();
        return Err(CrmError::Transient { until_ms: None, message }.into());
    }
    // An earlier claim of this delivery may have made it.
    connection.crm.note(&written.record, &note, delivery.claims > 1).await?;
    Ok(())
}

/// Writes the record. Fields that the CRM does not know are declared, and where that does not help,
/// left out: a lead is worth more than one of its fields.
async fn push(
    app: &App,
    settings: &Settings,
    connection: &Connection,
    view: &LeadView,
) -> Result<Pushed, CrmError> {
    let vendor = connection.config.vendor();
    let fields = view.fields(settings, vendor.long_text());
    let known = view
        .link(vendor)
        .map(|link| RecordRef { object: link.object.clone(), id: link.id.clone() });
    let channel = view.history.touches.last().map(|touch| touch.label.channel.label());
    let mut declared = false;
    loop {
        let now_ms = app.clock.now_ms();
        let values = connection.values(settings, fields.clone(), now_ms);
        let push = Push {
            lead: view.lead.id,
            contact: &view.lead.contact,
            values: &values,
            channel,
            known: known.as_ref(),
            overwrite_first: connection.config.overwrite_first_click,
        };
        let (names, message) = match connection.crm.push(&push).await {
            Err(CrmError::UnknownField { names, message }) => (names, message),
            other => return other,
        };
        let name = connection.name();
        if !declared {
            declared = true;
            match connection.crm.declare(&connection.fields).await {
                Ok(_) => continue,
                // Whoever may not declare fields can still hand leads off. Where it is not the right to
                // do so that is missing, the next write says it.
                Err(CrmError::Invalid(error) | CrmError::Auth(error)) => {
                    tracing::warn!(connection = name, error, "fields could not be declared");
                }
                Err(error) => return Err(error),
            }
        }
        if connection.leave_out(&names, now_ms) {
            let fields = names.join(", ");
            tracing::warn!(connection = name, fields, message, "fields are left out for an hour");
        }
        let prefix = &settings.config.field_prefix;
        let is_written = |name: &String| {
            values.iter().any(|(field, _)| vendor.field_name(prefix, field) == *name)
        };
        // Another hand-off may have left them out first: what counts is whether less is written now.
        if !names.iter().any(is_written) {
            return Err(CrmError::UnknownField { names, message });
        }
    }
}

/// Keeps which record the lead is, where that is news.
async fn link(
    app: &App,
    connection: &Connection,
    view: &LeadView,
    written: &Pushed,
) -> Result<(), StoreError> {
    let vendor = connection.config.vendor();
    let RecordRef { object, id } = &written.record;
    let same = |link: &CrmLink| link.object == *object && link.id == *id && link.url == written.url;
    if view.link(vendor).is_some_and(same) {
        return Ok(());
    }
    let now_ms = app.clock.now_ms();
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
    if let Recorded::Taken(_, other) = app.store.record(new).await? {
        // One record there, two leads here: the second was found there by its e-mail.
        let (lead, record) = (view.lead.id.to_text(), format!("{object} {id}"));
        let other = other.to_text();
        tracing::warn!(lead, other, record, "a record of the CRM is that of two leads");
    }
    Ok(())
}

/// The note of the view's last conversion.
fn note(settings: &Settings, connection: &Connection, view: &LeadView) -> Option<Note> {
    let conversion = view.history.conversions.last()?;
    let long_text = connection.config.vendor().long_text();
    let fields = view.fields(settings, long_text);
    let summary = fields.get("journey_summary").and_then(|summary| summary.as_str());
    Some(Note {
        title: format!("Attribution journey #{}", conversion.number),
        lines: summary.unwrap_or_default().lines().map(str::to_owned).collect(),
        marker: format!("clew-journey:{}:{}", view.lead.id, conversion.number),
        at_ms: conversion.at_ms,
    })
}
