//! The chapters on identity: browsers that are joined to persons, and taken from them again.

use super::scene::{START_MS, arrivals, conversion, conversions, convert, page_view, shown, site};
use crate::wire::new_visitor;
use clew_store::{MergeRefused, NewConversion, NewMerge, Store};
use shared::ids::{LeadId, VisitorId};
use shared::lead::{
    FoundBy, IdentityKind, Join, JoinEvidence, JourneyState, LeadStatus, LikeBy, Likeness, NamedBy,
};
use shared::limits::DAY_MS;

/// The same e-mail joins browsers to one lead; another e-mail in the same browser is another
/// person.
pub(super) async fn are_told_apart(store: &dyn Store) {
    let (phone_number, desk, phone) = ("+33142685300", new_visitor(), new_visitor());
    for visitor in [desk, phone] {
        store.ingest(arrivals(visitor, vec![shown(&page_view(START_MS, "google"))])).await.unwrap();
    }
    let (anna, ..) =
        convert(store, conversion(START_MS, Some(desk), "a@example.com", Some(phone_number))).await;
    let (same, ..) =
        convert(store, conversion(START_MS + 1, Some(phone), "A@EXAMPLE.com", None)).await;
    assert_eq!(same, anna);
    let lead = store.lead(anna).await.unwrap().unwrap();
    assert_eq!(lead.joins.iter().map(|join| join.visitor).collect::<Vec<_>>(), [desk, phone]);
    assert!(lead.joins.iter().all(|join| (join.from_ms, join.until_ms) == (None, None)));
    let by = |person, visitor| JoinEvidence { person, visitor };
    assert_eq!(
        lead.joins.iter().map(|join| join.by).collect::<Vec<_>>(),
        [by(FoundBy::New, NamedBy::Cookie), by(FoundBy::Email, NamedBy::Cookie)]
    );

    let (second, ..) =
        convert(store, conversion(START_MS + 2, Some(desk), "b@example.com", None)).await;
    assert_ne!(second, anna);
    let lead = store.lead(second).await.unwrap().unwrap();
    // It begins after the first lead's last conversion.
    let (from, until) = ((Some(START_MS + 2), Some(anna)), (Some(START_MS + 2), Some(second)));
    assert_eq!((lead.joins[0].from_ms, lead.joins[0].from_lead), from);
    let lead = store.lead(anna).await.unwrap().unwrap();
    assert_eq!((lead.joins[0].until_ms, lead.joins[0].until_lead), until);
    assert_eq!(lead.joins[1].until_ms, None);

    // the e-mail is the second lead's, the phone the first's: both leads say so
    let (third, ..) =
        convert(store, conversion(START_MS + 3, None, "b@example.com", Some(phone_number))).await;
    let lead = store.lead(third).await.unwrap().unwrap();
    assert_eq!((third, lead.phone_shared_with), (second, vec![anna]));
    assert_eq!(
        store.find_lead(&site(), IdentityKind::Phone, phone_number).await.unwrap(),
        Some(anna)
    );

    assert_eq!(store.lead(anna).await.unwrap().unwrap().phone_shared_with, [second]);

    // another e-mail is another person, whatever the phone; and the phone alone now is nobody's
    let email = "a.second@example.com";
    let (found, ..) =
        convert(store, conversion(START_MS + 4, None, email, Some(phone_number))).await;
    assert!(found != anna && found != second);
    let lead = store.find_lead(&site(), IdentityKind::Email, email).await;
    assert_eq!(lead.unwrap(), Some(found));
    assert_eq!(store.lead(anna).await.unwrap().unwrap().phone_shared_with, [second, found]);
    let mut only_phone = conversion(START_MS + 5, None, "", Some(phone_number));
    only_phone.conversion.contact.email = None;
    let (nobody, ..) = convert(store, only_phone).await;
    assert!(![anna, second, found].contains(&nobody));

    // a phone finds the lead that has no e-mail yet, and then the e-mail does
    let mut only_phone = conversion(START_MS + 6, None, "", Some("+41446681800"));
    only_phone.conversion.contact.email = None;
    let (called, ..) = convert(store, only_phone).await;
    let wrote = conversion(START_MS + 7, None, "caller@example.com", Some("+41446681800"));
    assert_eq!(convert(store, wrote).await.0, called);
    let lead = store.find_lead(&site(), IdentityKind::Email, "caller@example.com").await;
    assert_eq!(lead.unwrap(), Some(called));

    // a conversion of an unknown visitor still creates a lead
    let (stranger, ..) =
        convert(store, conversion(START_MS, Some(new_visitor()), "c@example.com", None)).await;
    assert_eq!(conversions(store, stranger).await[0].journey, JourneyState::UnknownVisitor);
    assert!(store.lead(stranger).await.unwrap().unwrap().joins.is_empty());
}

/// Two leads are made one, and two again. What is reported in between stays with the survivor.
pub(super) async fn are_merged_and_taken_apart(store: &dyn Store) {
    let (work, home) = (new_visitor(), new_visitor());
    for visitor in [work, home] {
        store.ingest(arrivals(visitor, vec![shown(&page_view(START_MS, "google"))])).await.unwrap();
    }
    let named = |at_ms, visitor, email: &str| {
        let mut new = conversion(at_ms, Some(visitor), email, None);
        new.conversion.contact.full_name = Some("Mia Merged".into());
        new
    };
    let (first, ..) = convert(store, named(START_MS, work, "mia@work.example")).await;
    let (second, ..) = convert(store, named(START_MS + 1, home, "mia@home.example")).await;
    assert_ne!(first, second);
    let lead = async |lead: LeadId| store.lead(lead).await.unwrap().unwrap();
    let before = (lead(first).await, lead(second).await);
    assert_eq!(before.1.likenesses, [Likeness { lead: first, by: LikeBy::Name }]);

    let new = NewMerge { survivor: first, merged: second, at_ms: START_MS + 2, by: "test".into() };
    let merged = store.merge(new.clone()).await.unwrap().unwrap();
    assert_eq!(merged.emails(), ["mia@work.example", "mia@home.example"]);
    assert_eq!(store.merge(new.clone()).await.unwrap().unwrap(), merged);
    assert_eq!(lead(first).await, merged);
    assert_eq!(lead(second).await.status, LeadStatus::Merged(first));
    let swapped = NewMerge { survivor: second, merged: first, ..new.clone() };
    assert_eq!(store.merge(swapped).await.unwrap(), Err(MergeRefused::NotVerified));
    let same = NewMerge { merged: first, ..new.clone() };
    assert_eq!(store.merge(same).await.unwrap(), Err(MergeRefused::Same));
    let ids = async || {
        let leads = store.leads(&site(), None, 999).await.unwrap();
        leads.into_iter().map(|lead| lead.id).collect::<Vec<_>>()
    };
    assert!(ids().await.contains(&first) && !ids().await.contains(&second));

    // Either address is the survivor's now; its own address stays the first one, and neither
    // browser changes hands.
    let (found, ..) = convert(store, named(START_MS + 3, home, "mia@home.example")).await;
    assert_eq!(found, first);
    let now = lead(first).await;
    assert_eq!((now.conversions, now.contact.email.as_deref()), (2, Some("mia@work.example")));
    assert_eq!(now.joins, before.0.joins);
    assert_eq!(lead(second).await.joins, before.1.joins);

    let undone = store.undo_merge(first, second, START_MS + 4).await.unwrap().unwrap();
    assert_eq!(undone, before.1);
    assert_eq!(store.undo_merge(first, second, START_MS + 5).await.unwrap(), Some(undone));
    assert_eq!(store.undo_merge(second, first, START_MS + 5).await.unwrap(), None);
    let nobody = LeadId::new(0, [9; 10]);
    assert_eq!(store.undo_merge(first, nobody, START_MS + 5).await.unwrap(), None);
    let nobody = NewMerge { merged: nobody, ..new };
    assert_eq!(store.merge(nobody).await.unwrap(), Err(MergeRefused::NotVerified));
    assert_eq!(lead(first).await.emails(), ["mia@work.example"]);
    assert_eq!(lead(first).await.conversions, 2);
    assert!(ids().await.contains(&second));
    let (found, ..) = convert(store, named(START_MS + 6, home, "mia@home.example")).await;
    assert_eq!(found, second);
}

/// A browser that was joined to the wrong lead goes back to the lead before it, or to nobody.
/// Undoing it again changes nothing, and the browser can be joined again.
pub(super) async fn are_joined_and_taken_back(store: &dyn Store) {
    let (visitor, other) = (new_visitor(), new_visitor());
    let day = |number: i64| START_MS + number * DAY_MS;
    for number in 0..6 {
        let view = shown(&page_view(day(number), "google"));
        store.ingest(arrivals(visitor, vec![view])).await.unwrap();
    }
    let new = |number: i64, email: &str| -> NewConversion {
        let mut new = conversion(day(number) + 1, Some(visitor), email, None);
        new.named_by = Some(NamedBy::Token);
        new
    };
    let holder = async || store.visitor(&site(), visitor).await.unwrap().unwrap().lead;
    let joins = async |lead: LeadId| store.lead(lead).await.unwrap().unwrap().joins;
    let undo = async |lead: LeadId, number: i64| store.undo_join(lead, visitor, day(number)).await;
    let stretch = |join: &Join| (join.from_ms, join.until_ms, join.undone_at_ms);

    let (first, ..) = convert(store, new(0, "u1@example.com")).await;
    let (second, ..) = convert(store, new(1, "u2@example.com")).await;
    let (third, ..) = convert(store, new(2, "u3@example.com")).await;
    assert_eq!(stretch(&joins(second).await[0]), (Some(day(1)), Some(day(2)), None));
    assert_eq!(joins(second).await[0].by.visitor, NamedBy::Token);

    // the middle join: the lead before it has the browser up to the lead after it
    let undone = undo(second, 9).await.unwrap().unwrap();
    assert_eq!(stretch(&undone.joins[0]), (Some(day(1)), Some(day(2)), Some(day(9))));
    assert_eq!(stretch(&joins(first).await[0]), (None, Some(day(2)), None));
    assert_eq!((joins(third).await[0].from_lead, holder().await), (Some(first), Some(third)));

    // undoing it again changes nothing
    assert_eq!(undo(second, 10).await.unwrap(), Some(undone));

    // the last join: the lead before it has the browser again
    undo(third, 11).await.unwrap().unwrap();
    assert_eq!(
        (stretch(&joins(first).await[0]), holder().await),
        ((None, None, None), Some(first))
    );

    // the first join: the browser is nobody's
    undo(first, 12).await.unwrap().unwrap();
    assert_eq!(holder().await, None);

    // the lead is still found by its e-mail, and a later conversion joins the browser again
    let (again, ..) = convert(store, new(3, "u2@example.com")).await;
    assert_eq!((again, holder().await), (second, Some(second)));
    let joined = joins(second).await;
    assert_eq!(joined.iter().map(Join::is_valid).collect::<Vec<_>>(), [false, true]);
    assert_eq!((stretch(&joined[1]), joined[1].by.person), ((None, None, None), FoundBy::Email));

    // a join that does not exist cannot be undone
    let nobody = LeadId::new(START_MS, rand::random());
    assert_eq!(store.undo_join(nobody, visitor, START_MS).await.unwrap(), None);
    let stranger: VisitorId = new_visitor();
    assert_eq!(store.undo_join(first, stranger, START_MS).await.unwrap(), None);
    store.ingest(arrivals(other, vec![shown(&page_view(START_MS, ""))])).await.unwrap();
    assert_eq!(store.undo_join(first, other, START_MS).await.unwrap(), None);
}
