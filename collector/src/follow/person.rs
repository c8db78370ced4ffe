//! Compares a person's record in a CRM with what is known about the lead.

use super::work::Work;
use crate::leads;
use clew_connect::crm::record::{PersonRecord, RecordRef, StageAt};
use clew_store::{LeadKey, Record, StoreError};
use shared::ids::LeadId;
use shared::lead::Lead;
use shared::lifecycle::{Origin, Stage, StageChange};
use shared::link::CrmLink;

/// Records the lead's link to the CRM record, and new stages. CRM records that match no lead are
/// ignored.
pub(super) async fn apply(work: &Work<'_>, person: &PersonRecord) -> Result<(), StoreError> {
    let Some(lead) = find(work, person).await? else { return Ok(()) };
    let records = leads::records(&*work.core.store, &lead).await?;
    link(work, lead.id, person, &records).await?;
    let place = work.place(&lead, &work.key_of(&person.record)).await?;
    for stage in news(work.connection.name(), person, &records) {
        let record = Record::Stage(change(work, &person.record, &stage));
        work.keep(place, record).await?;
    }
    Ok(())
}

async fn find(work: &Work<'_>, person: &PersonRecord) -> Result<Option<Lead>, StoreError> {
    let mut keys = vec![work.key_of(&person.record)];
    keys.extend(person.formerly.iter().map(|former| work.key_of(former)));
    keys.extend(person.lead.map(LeadKey::Id));
    keys.extend(person.email.clone().map(LeadKey::Email));
    for key in &keys {
        if let Some(lead) = work.find(key).await? {
            return Ok(Some(lead));
        }
    }
    Ok(None)
}

/// Records the link to the CRM record if the lead had none, or if its former record became this
/// one.
async fn link(
    work: &Work<'_>,
    lead: LeadId,
    person: &PersonRecord,
    records: &[Record],
) -> Result<(), StoreError> {
    let provider = work.connection.naming.as_str();
    let links = records.iter().filter_map(|record| match record {
        Record::Link(link) => Some(link),
        _ => None,
    });
    let present = CrmLink::present(links, provider);
    let RecordRef { object, id } = &person.record;
    let moves = present.is_none_or(|link| {
        let former = |former: &RecordRef| former.object == link.object && former.id == link.id;
        person.formerly.iter().any(former)
    });
    if !moves {
        return Ok(());
    }
    let now_ms = work.core.now_ms();
    let link = CrmLink {
        provider: provider.into(),
        object: object.clone(),
        id: id.clone(),
        // The next hand-off adds the URL.
        url: None,
        linked_at_ms: now_ms,
        reference: format!("{object}:{id} {now_ms}"),
    };
    work.keep(lead, Record::Link(link)).await
}

/// The stages that are new. Past stages are new if their time is not known yet. The present stage
/// is new if it differs from the last one by this CRM; its time may be that of any change of the
/// record. If a lead was moved back to an earlier stage, that stage counts from the change that
/// moved it.
fn news(connection: &str, person: &PersonRecord, records: &[Record]) -> Vec<StageAt> {
    // Stages of a record that became this one are known already.
    let own = std::iter::once(&person.record).chain(&person.formerly);
    let own: Vec<String> = own.map(|record| format!("{} ", reference(record))).collect();
    let reported = records.iter().filter_map(|record| match record {
        Record::Stage(change) if change.by == Origin::Crm(connection.to_owned()) => Some(change),
        _ => None,
    });
    let reported: Vec<&StageChange> =
        reported.filter(|change| own.iter().any(|own| change.reference.starts_with(own))).collect();
    let last = reported.iter().max_by_key(|change| (change.entered_at_ms, change.recorded_at_ms));
    let Some((present, before)) = person.stages.split_last() else { return Vec::new() };
    let is_known = |stage: &StageAt| {
        reported
            .iter()
            .any(|change| (change.to, change.entered_at_ms) == (stage.stage, stage.at_ms))
    };
    let passed = before.iter().filter(|stage| stage.stage != Stage::Lead && !is_known(stage));
    let mut news: Vec<StageAt> = passed.cloned().collect();
    let newest = news.iter().max_by_key(|stage| stage.at_ms);
    let newest = newest.map(|stage| (stage.at_ms, stage.stage));
    let last = last.map(|change| (change.entered_at_ms, change.to)).max(newest);
    // Every lead begins in the stage `lead`.
    if present.stage != last.map_or(Stage::Lead, |(_, stage)| stage) {
        let mut present = present.clone();
        if let Some((last_ms, _)) = last.filter(|last| (present.at_ms, present.stage) < *last) {
            present.at_ms = person.changed_at_ms.max(last_ms.saturating_add(1));
        }
        news.push(present);
    }
    news
}

fn change(work: &Work<'_>, record: &RecordRef, stage: &StageAt) -> StageChange {
    StageChange {
        to: stage.stage,
        entered_at_ms: stage.at_ms,
        recorded_at_ms: work.core.now_ms(),
        by: Origin::Crm(work.connection.name().to_owned()),
        reason: (stage.stage == Stage::Lost).then(|| stage.word.clone()),
        reference: format!("{} {} {}", reference(record), stage.stage.as_str(), stage.at_ms),
    }
}

fn reference(record: &RecordRef) -> String {
    format!("{}:{}", record.object, record.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stages as `stage@time`: those known before, those of the record, and those expected to be
    /// new.
    fn check(reported: &str, read: &str, expected: &str) {
        let record = RecordRef { object: "contact".into(), id: "1".into() };
        let split = |word: &str| {
            let (stage, at) = word.split_once('@').unwrap();
            (stage.parse::<Stage>().unwrap(), at.parse::<i64>().unwrap())
        };
        let records: Vec<Record> = reported
            .split_whitespace()
            .map(|word| {
                let (to, entered_at_ms) = split(word);
                Record::Stage(StageChange {
                    to,
                    entered_at_ms,
                    recorded_at_ms: entered_at_ms,
                    by: Origin::Crm("crm".into()),
                    reason: None,
                    reference: format!("contact:1 {word}"),
                })
            })
            .collect();
        let stages = read.split_whitespace().map(|word| {
            let (stage, at_ms) = split(word);
            StageAt { stage, at_ms, word: stage.as_str().into() }
        });
        let person = PersonRecord {
            record,
            formerly: Vec::new(),
            email: None,
            lead: None,
            stages: stages.collect(),
            changed_at_ms: 20,
        };
        let found = news("crm", &person, &records);
        let found: Vec<_> =
            found.iter().map(|stage| format!("{}@{}", stage.stage.as_str(), stage.at_ms)).collect();
        assert_eq!(found.join(" "), expected, "{reported} / {read}");
    }

    #[test]
    fn what_is_news() {
        check("", "", "");
        check("", "lead@5", "");
        check("", "mql@5", "mql@5");
        check("", "lead@1 mql@5 sql@7", "mql@5 sql@7");
        check("mql@5 sql@7", "lead@1 mql@5 sql@7", "");
        // The time of the present stage is only that of the record's last change.
        check("mql@5", "mql@9", "");
        check("mql@5", "lead@9", "lead@9");
        check("mql@5 lead@9", "mql@12", "mql@12");
        // A stage entered and left between two readings.
        check("mql@5", "mql@5 sql@6 opportunity@8", "sql@6 opportunity@8");
        // Moved back to an earlier stage: recorded once, at the time of the record's change.
        check("mql@5 sql@7", "sql@7 mql@5", "mql@20");
        check("mql@5 sql@7 mql@20", "sql@7 mql@5", "");
        check("customer@9", "lead@1", "lead@20");
        check("", "customer@9 lead@1", "customer@9 lead@20");
        check("customer@30", "lead@1", "lead@31");
    }
}
