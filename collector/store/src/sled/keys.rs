//! The keys in sled's one key space: a prefix byte, then parts of fixed order, so that keys sort in
//! the order in which they are read.
//!
//! | prefix | key | value |
//! | --- | --- | --- |
//! | `v` | site 0 visitor | [`Visitor`](crate::Visitor) |
//! | `e` | site 0 visitor event | a row: page view, stub or action |
//! | `l` | lead | [`Lead`](shared::lead::Lead) |
//! | `s` | site 0 lead | nothing: a site's leads in time order |
//! | `t` | site 0 time, lead | nothing: a site's leads by their last conversion |
//! | `p` | site 0 lead | nothing: a site's proposed leads in time order |
//! | `c` | lead conversion | [`Conversion`](shared::lead::Conversion) |
//! | `o` | site 0 conversion | the id of its lead |
//! | `d` | lead hash | [`Delivery`] |
//! | `r` | destination 0 lead hash | nothing: a destination's deliveries |
//! | `h` | lead record | [`Record`](crate::Record): what was reported about the lead |
//! | `b` | lead hash | a delivery's frozen body |
//! | `q` | destination 0 due time, lead hash | nothing: a destination's deliveries as they fall due |
//! | `w` | lead destination 0 time hash | nothing: a lead's waiting deliveries to a destination, in line |
//! | `i` | site 0 kind 0 value | the lead's id |
//! | `k` | site 0 key | an idempotency record |
//! | `x` | time, site 0 key | nothing: idempotency keys by age |
//! | `u` | site 0 record | [`Unmatched`](crate::Unmatched): a record that matches no lead |
//! | `n` | kind 0 name | [`Memo`](crate::Memo) |
//! | `+` | any key, number | a further chunk of that key's value |
//! | `m` | name | the layout's version, the number of commits, an import's progress |

use crate::delivery::{Delivery, DeliveryId};
use crate::destination::DestinationId;
use crate::memo::MemoKind;
use crate::record::RecordId;
use shared::ids::{ConversionId, EventId, LeadId, SiteId, VisitorId};
use shared::lead::IdentityKind;
use uuid::Uuid;

/// The layout's version, written when the folder is created.
pub(super) const VERSION: &[u8] = b"mversion";
/// The number of commits in the tree; written with each commit.
pub(super) const COMMITS: &[u8] = b"mcommits";
/// The progress of an import, until it is complete.
pub(super) const IMPORT: &[u8] = b"mimport";
/// The progress of an upgrade: the key of the last row that it rewrote.
pub(super) const UPGRADED: &[u8] = b"mupgraded";
/// The prefix of all conversions.
pub(super) const CONVERSIONS: &[u8] = b"c";
/// The prefix of all visitors' records.
pub(super) const VISITORS: &[u8] = b"v";
/// The prefix of all leads.
pub(super) const LEADS: &[u8] = b"l";
/// The prefix of all identities.
pub(super) const IDENTITIES: &[u8] = b"i";
/// The prefix of all idempotency keys.
pub(super) const USED_KEYS: &[u8] = b"k";
/// The prefix of all unmatched records.
pub(super) const UNMATCHED: &[u8] = b"u";
/// The prefix of all deliveries.
pub(super) const DELIVERIES: &[u8] = b"d";
/// The prefix of all lists of leads by their last conversion.
pub(super) const CONVERTED: &[u8] = b"t";
/// The prefix of all lists of a destination's deliveries.
pub(super) const OF_DESTINATION: &[u8] = b"r";
/// The prefix of all lines.
pub(super) const LINES: &[u8] = b"w";
/// The prefix of idempotency keys by age.
pub(super) const AGED: &[u8] = b"x";

fn join(prefix: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>() + 1;
    let mut key = Vec::with_capacity(length);
    key.push(prefix);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

pub(super) fn visitor(site: &SiteId, visitor: VisitorId) -> Vec<u8> {
    join(b'v', &[site.as_str().as_bytes(), &[0], visitor.as_bytes()])
}

pub(super) fn rows(site: &SiteId, visitor: VisitorId) -> Vec<u8> {
    join(b'e', &[site.as_str().as_bytes(), &[0], visitor.as_bytes()])
}

pub(super) fn row(site: &SiteId, visitor: VisitorId, event: EventId) -> Vec<u8> {
    let mut key = rows(site, visitor);
    key.extend_from_slice(event.as_bytes());
    key
}

pub(super) fn lead(lead: LeadId) -> Vec<u8> {
    join(b'l', &[lead.as_bytes()])
}

pub(super) fn site_leads(site: &SiteId) -> Vec<u8> {
    join(b's', &[site.as_str().as_bytes(), &[0]])
}

pub(super) fn site_lead(site: &SiteId, lead: LeadId) -> Vec<u8> {
    join(b's', &[site.as_str().as_bytes(), &[0], lead.as_bytes()])
}

/// The prefix of a site's proposed leads.
pub(super) fn proposed(site: &SiteId) -> Vec<u8> {
    join(b'p', &[site.as_str().as_bytes(), &[0]])
}

pub(super) fn proposed_lead(site: &SiteId, lead: LeadId) -> Vec<u8> {
    join(b'p', &[site.as_str().as_bytes(), &[0], lead.as_bytes()])
}

/// The prefix of a site's leads by their last conversion.
pub(super) fn converted(site: &SiteId) -> Vec<u8> {
    join(b't', &[site.as_str().as_bytes(), &[0]])
}

pub(super) fn converted_lead(site: &SiteId, at_ms: i64, lead: LeadId) -> Vec<u8> {
    join(b't', &[site.as_str().as_bytes(), &[0], &sortable(at_ms), lead.as_bytes()])
}

pub(super) fn conversions(lead: LeadId) -> Vec<u8> {
    join(b'c', &[lead.as_bytes()])
}

pub(super) fn conversion(lead: LeadId, conversion: ConversionId) -> Vec<u8> {
    join(b'c', &[lead.as_bytes(), conversion.as_bytes()])
}

pub(super) fn conversion_lead(site: &SiteId, conversion: ConversionId) -> Vec<u8> {
    join(b'o', &[site.as_str().as_bytes(), &[0], conversion.as_bytes()])
}

pub(super) fn records(lead: LeadId) -> Vec<u8> {
    join(b'h', &[lead.as_bytes()])
}

pub(super) fn record(lead: LeadId, record: RecordId) -> Vec<u8> {
    join(b'h', &[lead.as_bytes(), record.as_bytes()])
}

pub(super) fn unmatched_of(site: &SiteId) -> Vec<u8> {
    join(b'u', &[site.as_str().as_bytes(), &[0]])
}

pub(super) fn unmatched(site: &SiteId, record: RecordId) -> Vec<u8> {
    join(b'u', &[site.as_str().as_bytes(), &[0], record.as_bytes()])
}

pub(super) fn memos(kind: MemoKind) -> Vec<u8> {
    join(b'n', &[kind.as_str().as_bytes(), &[0]])
}

pub(super) fn memo(kind: MemoKind, name: &str) -> Vec<u8> {
    join(b'n', &[kind.as_str().as_bytes(), &[0], name.as_bytes()])
}

pub(super) fn lead_deliveries(lead: LeadId) -> Vec<u8> {
    join(b'd', &[lead.as_bytes()])
}

pub(super) fn delivery(id: DeliveryId) -> Vec<u8> {
    join(b'd', &[id.lead.as_bytes(), &id.hash])
}

pub(super) fn body(id: DeliveryId) -> Vec<u8> {
    join(b'b', &[id.lead.as_bytes(), &id.hash])
}

/// The prefix of a destination's deliveries.
pub(super) fn of_destination(destination: &DestinationId) -> Vec<u8> {
    join(b'r', &[destination.to_string().as_bytes(), &[0]])
}

pub(super) fn of_destination_one(destination: &DestinationId, id: DeliveryId) -> Vec<u8> {
    join(b'r', &[destination.to_string().as_bytes(), &[0], id.lead.as_bytes(), &id.hash])
}

/// The prefix of all queues.
pub(super) const QUEUES: &[u8] = b"q";

/// The due time in a queue key; `None` if the key is too short.
pub(super) fn due_of(key: &[u8]) -> Option<i64> {
    let (_, at_ms) = key.get(..key.len().checked_sub(32)?)?.split_last_chunk::<8>()?;
    Some(i64::from_be_bytes(*at_ms) ^ i64::MIN)
}

/// The prefix of a destination's queue.
pub(super) fn queue(destination: &DestinationId) -> Vec<u8> {
    join(b'q', &[destination.to_string().as_bytes(), &[0]])
}

pub(super) fn due(destination: &DestinationId, at_ms: i64, id: DeliveryId) -> Vec<u8> {
    let destination = destination.to_string();
    join(b'q', &[destination.as_bytes(), &[0], &sortable(at_ms), id.lead.as_bytes(), &id.hash])
}

/// The first key of a destination's queue that is not due yet.
pub(super) fn due_end(destination: &DestinationId, now_ms: i64) -> Vec<u8> {
    let end = sortable(now_ms.saturating_add(1));
    join(b'q', &[destination.to_string().as_bytes(), &[0], &end])
}

/// The prefix of a lead's line for a destination.
pub(super) fn line(lead: LeadId, destination: &DestinationId) -> Vec<u8> {
    join(b'w', &[lead.as_bytes(), destination.to_string().as_bytes(), &[0]])
}

/// A key that sorts after every key of a line.
pub(super) fn line_end(line: &[u8]) -> Vec<u8> {
    [line, &[u8::MAX; 25]].concat()
}

/// A delivery's place in its line: ordered by creation time, then by hash.
pub(super) fn in_line(delivery: &Delivery) -> Vec<u8> {
    let mut key = line(delivery.id.lead, &delivery.destination);
    key.extend_from_slice(&sortable(delivery.created_at_ms));
    key.extend_from_slice(&delivery.id.hash);
    key
}

/// The delivery in a line key; `None` if the key is too short.
pub(super) fn delivery_in_line(key: &[u8]) -> Option<DeliveryId> {
    let lead = LeadId(Uuid::from_slice(key.get(1..17)?).ok()?);
    Some(DeliveryId { lead, hash: *key.last_chunk()? })
}

/// The delivery at the end of a key in a queue or a destination's list; `None` if the key is too
/// short.
pub(super) fn delivery_of(key: &[u8]) -> Option<DeliveryId> {
    let (_, id) = key.split_at_checked(key.len().checked_sub(32)?)?;
    let (lead, hash) = id.split_at(16);
    Some(DeliveryId { lead: LeadId(Uuid::from_slice(lead).ok()?), hash: hash.try_into().ok()? })
}

/// The lead at the end of a key in a site's list; `None` if the key is too short.
pub(super) fn lead_of(key: &[u8]) -> Option<LeadId> {
    let (_, lead) = key.split_at_checked(key.len().checked_sub(16)?)?;
    Uuid::from_slice(lead).ok().map(LeadId)
}

pub(super) fn identity(site: &SiteId, kind: IdentityKind, value: &str) -> Vec<u8> {
    join(b'i', &[site.as_str().as_bytes(), &[0], kind.as_str().as_bytes(), &[0], value.as_bytes()])
}

pub(super) fn idempotency(site: &SiteId, key: &str) -> Vec<u8> {
    join(b'k', &[site.as_str().as_bytes(), &[0], key.as_bytes()])
}

pub(super) fn aged(made_at_ms: i64, idempotency: &[u8]) -> Vec<u8> {
    join(b'x', &[&sortable(made_at_ms), &idempotency[1..]])
}

/// The first aged key that must be kept.
pub(super) fn aged_end(kept_from_ms: i64) -> Vec<u8> {
    join(b'x', &[&sortable(kept_from_ms)])
}

/// The idempotency key that belongs to an aged key.
pub(super) fn idempotency_of(aged: &[u8]) -> Vec<u8> {
    join(b'k', &[aged.get(9..).unwrap_or_default()])
}

pub(super) fn chunk(key: &[u8], number: u16) -> Vec<u8> {
    join(CHUNK, &[key, &number.to_be_bytes()])
}

/// The prefix of chunks.
pub(super) const CHUNK: u8 = b'+';

/// Splits off the site at the start of a key's parts.
pub(super) fn split_site(part: &[u8]) -> Option<(SiteId, &[u8])> {
    let end = part.iter().position(|byte| *byte == 0)?;
    let site = SiteId::parse(std::str::from_utf8(&part[..end]).ok()?)?;
    Some((site, &part[end + 1..]))
}

/// Big-endian with the sign bit flipped, so that bytes sort like the numbers.
fn sortable(at_ms: i64) -> [u8; 8] {
    (at_ms ^ i64::MIN).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_sort_as_numbers_and_no_site_is_a_prefix_of_another() {
        assert!(sortable(-1) < sortable(0) && sortable(0) < sortable(1));
        let site = |name| SiteId::parse(name).unwrap();
        let visitor = VisitorId::from_random([1; 16]);
        assert!(!rows(&site("shop-fr"), visitor).starts_with(&site_prefix(&site("shop"))));
        let key = idempotency(&site("shop"), "abc");
        assert_eq!(idempotency_of(&aged(5, &key)), key);
        let id = DeliveryId { lead: LeadId::new(0, [1; 10]), hash: [2; 16] };
        assert_eq!(due_of(&due(&"crm".into(), -7, id)), Some(-7));
    }

    fn site_prefix(site: &SiteId) -> Vec<u8> {
        join(b'e', &[site.as_str().as_bytes(), &[0]])
    }
}
