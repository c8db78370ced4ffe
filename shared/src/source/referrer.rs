//! Classifies a page view's referrer: none, own, excluded, or foreign.

use super::table::{MatchedRow, Sources};
use crate::channel::Category;
use crate::evidence::Evidence;
use crate::host::{OwnHosts, registrable};
use url::Url;

/// A referrer from the site's point of view.
pub(super) enum Referrer<'a> {
    /// No referrer, or one that cannot be parsed.
    None,
    /// A host of the site itself.
    Own(&'a str),
    /// A payment or login page, with the row that says so.
    Excluded(&'a str),
    /// Another site or app.
    Foreign {
        host: &'a str,
        /// The source if it is unknown: the registrable domain, or an app's package.
        source: &'a str,
        found: Option<MatchedRow<'a>>,
        /// The search word.
        keyword: Option<String>,
    },
}

impl<'a> Referrer<'a> {
    /// Classifies a page view's referrer for a site with these hosts.
    pub(super) fn of(evidence: &'a Evidence, own: &OwnHosts, sources: &'a Sources) -> Self {
        let Some(host) = evidence.referrer_host.as_deref() else { return Self::None };
        let address = evidence.referrer.as_deref().and_then(|address| Url::parse(address).ok());
        let is_app = address.as_ref().is_some_and(|url| url.scheme().ends_with("-app"));
        if is_app {
            let found = sources.app(host);
            return Self::Foreign { host, source: host, found, keyword: None };
        }
        if own.own(host) {
            return Self::Own(host);
        }
        let found = sources.host(host, address.as_ref().map_or("", Url::path));
        // Some send an app's package in place of a host.
        let found = found.or_else(|| sources.app(host));
        if let Some(MatchedRow { name, .. }) =
            found.filter(|found| found.platform.category == Category::Excluded)
        {
            return Self::Excluded(name);
        }
        let searched = |found: MatchedRow<'_>| {
            matches!(found.platform.category, Category::Search | Category::Portal)
                .then(|| sources.words(&found.platform.source)?.find(address.as_ref()?))
                .flatten()
        };
        let keyword = found.and_then(searched);
        let portal = |found: &MatchedRow<'_>| found.platform.category == Category::Portal;
        let found = found.filter(|found| !portal(found) || keyword.is_some());
        Self::Foreign { host, source: registrable(host), found, keyword }
    }

    /// Whether `?ref=` and `?source=` outrank the referrer. They do not for search engines and
    /// assistants, which keep URLs with parameters that somebody else once added, nor for the
    /// site's own links.
    pub(super) fn yields_to_weak(&self) -> bool {
        match self {
            Self::None => true,
            Self::Own(_) | Self::Excluded(_) => false,
            Self::Foreign { found, .. } => !found.is_some_and(|found| {
                matches!(
                    found.platform.category,
                    Category::Search | Category::Portal | Category::Assistant
                )
            }),
        }
    }

    /// Its name in the trace.
    pub(super) fn trace_name(&self) -> String {
        match self {
            Self::Foreign { found: Some(MatchedRow { name, .. }), .. } => {
                format!("referrer:{name}")
            }
            Self::Foreign { host, .. } => format!("referrer:{host}"),
            Self::None | Self::Own(_) | Self::Excluded(_) => "nothing".to_owned(),
        }
    }
}
