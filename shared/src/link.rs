//! Links between a lead and its records in CRMs, in the order in which they were reported.
//!
//! Links are only ever added. If the CRM converts or merges a record, that is one more link;
//! earlier links stay.

use serde::{Deserialize, Serialize};

/// A lead's link to its record in a CRM.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CrmLink {
    /// The CRM: `hubspot`, `salesforce`, …
    pub provider: String,
    /// The record's type: `contact`, `Lead`, `Contact`, …
    pub object: String,
    /// The record's id in the CRM.
    pub id: String,
    /// The page in the CRM that shows it.
    pub url: Option<String>,
    /// When it was linked, Unix milliseconds.
    pub linked_at_ms: i64,
    /// Identifies the link among what the provider reported about the lead: the same reference
    /// again changes nothing.
    pub reference: String,
}

impl CrmLink {
    /// The identity that finds the lead by this record, in the form of
    /// [`crate::lead::IdentityKind::CrmRecord`].
    pub fn identity(&self) -> String {
        format!("{}:{}:{}", self.provider, self.object, self.id)
    }

    /// The lead's current record at a provider: the latest link, and of links of the same time the
    /// one with the greatest reference, so that their order does not matter.
    pub fn present<'a>(
        links: impl IntoIterator<Item = &'a Self>,
        provider: &str,
    ) -> Option<&'a Self> {
        let own = links.into_iter().filter(|link| link.provider == provider);
        own.max_by_key(|link| (link.linked_at_ms, &link.reference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link((provider, id, linked_at_ms, reference): (&str, &str, i64, &str)) -> CrmLink {
        CrmLink {
            provider: provider.into(),
            object: "contact".into(),
            id: id.into(),
            url: None,
            linked_at_ms,
            reference: reference.into(),
        }
    }

    fn check(links: &[(&str, &str, i64, &str)], expected: Option<&str>) {
        let mut links: Vec<CrmLink> = links.iter().copied().map(link).collect();
        for _ in 0..2 {
            let present = CrmLink::present(&links, "hubspot");
            assert_eq!(present.map(|link| link.id.as_str()), expected, "{links:?}");
            links.reverse();
        }
    }

    #[test]
    fn the_present_link_of_a_provider() {
        check(&[], None);
        check(&[("salesforce", "1", 5, "a")], None);
        check(&[("hubspot", "1", 5, "a")], Some("1"));
        check(&[("hubspot", "1", 5, "a"), ("hubspot", "2", 6, "b")], Some("2"));
        check(&[("hubspot", "1", 5, "b"), ("hubspot", "2", 6, "a")], Some("2"));
        check(&[("hubspot", "1", 5, "b"), ("hubspot", "2", 5, "a")], Some("1"));
        check(&[("hubspot", "1", -5, "a"), ("salesforce", "2", 9, "b")], Some("1"));
        let merged = [("hubspot", "1", 5, "a"), ("hubspot", "2", 7, "b"), ("hubspot", "1", 9, "c")];
        check(&merged, Some("1"));
    }

    #[test]
    fn what_a_lead_is_found_by() {
        assert_eq!(link(("hubspot", "151", 0, "a")).identity(), "hubspot:contact:151");
    }
}
