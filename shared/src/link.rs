//! Which record of a CRM a lead is: what was told of it, in the order in which it came to be.
//!
//! Links are only added. A record that was converted or merged in the CRM is told as one more link,
//! and what was told before stays.

use serde::{Deserialize, Serialize};

/// That a lead is a record of a CRM, since some time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CrmLink {
    /// Whose record it is: `hubspot`, `salesforce`, …
    pub provider: String,
    /// What it is there: `contact`, `Lead`, `Contact`, …
    pub object: String,
    /// Its id there.
    pub id: String,
    /// Where a person sees it.
    pub url: Option<String>,
    /// Since when, Unix milliseconds.
    pub linked_at_ms: i64,
    /// Among what a provider told of the lead, what this is known by: told again, it changes nothing.
    pub reference: String,
}

impl CrmLink {
    /// What the lead is found by with it, in the form of [`crate::lead::IdentityKind::CrmRecord`].
    pub fn identity(&self) -> String {
        format!("{}:{}:{}", self.provider, self.object, self.id)
    }

    /// The record of a provider that the lead is now: the latest, and of those of one moment the one
    /// with the greatest reference, so that the order in which they are given is no matter.
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
