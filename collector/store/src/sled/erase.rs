//! The verb `erase_visitor` on sled: removes all rows of the visitor and of the lead that its pages
//! proposed, and their entries in lists.

use super::transaction::Transaction;
use super::{keys, rows, trails};
use crate::delivery::Delivery;
use crate::erase::{Erased, Erasure};
use crate::error::StoreError;
use crate::record::Record;
use crate::visitor::Visitor;
use shared::lead::{Conversion, Lead};

pub(super) fn erase(
    transaction: &mut Transaction<'_>,
    erasure: &Erasure,
) -> Result<Erased, StoreError> {
    let Erasure { site, visitor, criteria } = erasure;
    let key = keys::visitor(site, *visitor);
    let Some(record) = transaction.get::<Visitor>(&key)? else { return Ok(Erased::default()) };
    let rows = trails::rows(transaction, site, *visitor)?;
    let mut chosen = criteria.choose(&record, &rows);
    if let (Some(erased), Some(proposed)) = (chosen, record.proposed) {
        let lead: Lead = transaction.expect(&keys::lead(proposed))?;
        chosen = erased.with(&lead, &records(transaction, &lead)?);
        if chosen.is_some() {
            remove_lead(transaction, &lead)?;
        }
    }
    let Some(erased) = chosen else { return Ok(Erased::default()) };
    for (id, _) in rows {
        transaction.remove_value(keys::row(site, *visitor, id))?;
    }
    transaction.remove_value(key)?;
    Ok(erased)
}

fn records(transaction: &Transaction<'_>, lead: &Lead) -> Result<Vec<Record>, StoreError> {
    let records = transaction.scan(&keys::records(lead.id))?;
    Ok(records.into_iter().map(|(_, record)| record).collect())
}

/// Removes a lead that has no records and no identities.
fn remove_lead(transaction: &mut Transaction<'_>, lead: &Lead) -> Result<(), StoreError> {
    for (key, conversion) in transaction.scan::<Conversion>(&keys::conversions(lead.id))? {
        transaction.remove_value(keys::conversion_lead(&lead.site, conversion.id))?;
        transaction.remove_value(key)?;
    }
    for (key, delivery) in transaction.scan::<Delivery>(&keys::lead_deliveries(lead.id))? {
        let Delivery { id, destination, due_at_ms, .. } = &delivery;
        transaction.remove(keys::of_destination_one(destination, *id));
        transaction.remove(keys::due(destination, *due_at_ms, *id));
        transaction.remove(keys::in_line(&delivery));
        transaction.remove_value(keys::body(*id))?;
        transaction.remove_value(key)?;
    }
    rows::lists(lead).into_iter().for_each(|place| transaction.remove(place));
    transaction.remove_value(keys::lead(lead.id))
}

#[cfg(test)]
mod tests {
    use super::super::convert::convert;
    use super::*;
    use crate::conversion::NewConversion;
    use crate::delivery::DeliveryId;
    use crate::erase::Criteria;
    use crate::visitor::{Action, ActionKind, Row};
    use shared::ids::{ConversionId, EventId, LeadId, SiteId, VisitorId};
    use shared::lead::{Contact, ConversionKind, JourneyState, NamedBy, SharedBrowser};

    fn id(number: u8) -> EventId {
        EventId::new(1, [number; 10])
    }

    fn proposal(site: &SiteId, visitor: VisitorId, number: u8) -> NewConversion {
        let conversion = Conversion {
            id: ConversionId::new(1, [number; 10]),
            number: 0,
            at_ms: 1,
            kind: ConversionKind::Api,
            visitor: Some(visitor),
            journey: JourneyState::Known,
            contact: Contact { email: Some("a@example.com".into()), ..Contact::default() },
            form_id: None,
            form_name: Some("x".repeat(100_000)),
            page_url: None,
            page_title: None,
            context: None,
            raw: Vec::new(),
        };
        NewConversion {
            site: site.clone(),
            conversion,
            new_lead: LeadId::new(1, [1; 10]),
            destinations: vec!["crm".into(), "archive".into()],
            due_at_ms: 5,
            idempotency: None,
            named_by: Some(NamedBy::Page),
            proposed: true,
            shared_browser: SharedBrowser::default(),
        }
    }

    /// No key is left: rows, lists, queues, lines, bodies and further chunks are all removed.
    #[test]
    fn nothing_is_left() {
        let tree = sled::Config::new().temporary(true).open().unwrap();
        let mut transaction = Transaction::new(&tree);
        let (site, visitor) = (SiteId::parse("demo").unwrap(), VisitorId::from_random([1; 16]));
        let erased = transaction.run(|transaction| {
            transaction.put(&keys::visitor(&site, visitor), &Visitor::default())?;
            for number in 1..=3 {
                let kind = ActionKind::Custom { name: "x".into(), props: "x".repeat(100_000) };
                let action = Action { id: id(number), page: id(9), at_ms: 1, kind };
                transaction.put(&keys::row(&site, visitor, id(number)), &Row::Action(action))?;
            }
            convert(transaction, proposal(&site, visitor, 1))?;
            convert(transaction, proposal(&site, visitor, 2))?;
            let lead = LeadId::new(1, [1; 10]);
            let made = transaction.scan::<Delivery>(&keys::lead_deliveries(lead))?;
            let made: Vec<DeliveryId> = made.into_iter().map(|(_, delivery)| delivery.id).collect();
            assert_eq!(made.len(), 4);
            transaction.put(&keys::body(made[0]), &vec![1_u8; 100_000])?;
            let criteria = Criteria { before_ms: Some(9), flagged: false };
            erase(transaction, &Erasure { site: site.clone(), visitor, criteria })
        });
        assert_eq!(erased.unwrap(), Erased { visitors: 1, page_views: 0, proposed_leads: 1 });
        let writes = transaction.take_writes();
        assert!(writes.len() > 50, "{}", writes.len());
        let left = writes.iter().filter(|(_, write)| write.is_some());
        let left: Vec<String> = left.map(|(key, _)| key.escape_ascii().to_string()).collect();
        assert_eq!(left, [""; 0]);
    }
}
