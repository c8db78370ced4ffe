//! Classifies a page view's referrer: none, own, excluded, or foreign.

use super::family::is_same_family;
use super::table::{MatchedRow, Sources};
use crate::channel::Category;
use crate::click_id::{ClickIdRule, ClickKind};
use crate::evidence::{Evidence, IN_APP};
use crate::host::{OwnHosts, original_host, registrable};
use std::borrow::Cow;
use url::Url;

/// A referrer from the site's point of view.
pub(super) enum Referrer<'a> {
    /// No referrer, or one that cannot be parsed.
    None,
    /// A host of the site itself.
    Own(&'a str),
    /// A payment or login page, with the row that says so.
    Excluded(&'a str),
    /// None, but an app showed the page in its own browser.
    InApp(MatchedRow<'a>),
    /// Another site or app.
    Foreign {
        host: &'a str,
        /// The source if it is unknown: the registrable domain, or an app's package.
        source: Cow<'a, str>,
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
        let path = address.as_ref().map_or("", Url::path);
        match address.as_ref().map_or("", Url::scheme) {
            IN_APP => return sources.in_app(host).map_or(Self::None, Self::InApp),
            scheme if scheme.ends_with("-app") => {
                let known = sources.app(host, path);
                // Some write a web host after the scheme.
                let found = known.or_else(|| sources.host(host, path));
                return Self::Foreign { host, source: host.into(), found, keyword: None };
            }
            _ => {}
        }
        let original = original_host(host);
        if own.own(host) || original.as_deref().is_some_and(|original| own.own(original)) {
            return Self::Own(host);
        }
        let found = sources.host(original.as_deref().unwrap_or(host), path);
        // Some send an app's package in place of a host.
        let found = found.or_else(|| sources.app(host, path));
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
        // A site of a known platform must not pass for that platform.
        let shown = original.unwrap_or_else(|| host.to_owned());
        let domain = registrable(&shown);
        let is_platform = domain != shown && sources.named(domain).is_some();
        let source = if is_platform { shown.into() } else { domain.to_owned().into() };
        Self::Foreign { host, source, found, keyword }
    }

    /// The row of a foreign referrer.
    pub(super) fn found(&self) -> Option<MatchedRow<'a>> {
        match self {
            Self::Foreign { found, .. } => *found,
            _ => None,
        }
    }

    /// Whether a click id of this platform must have come with a copied link: its platform cannot
    /// send visitors from another social network.
    pub(super) fn contradicts(&self, rule: &ClickIdRule) -> bool {
        let Some(MatchedRow { platform, .. }) = self.found() else { return false };
        platform.category == Category::Social
            && rule.kind != ClickKind::Affiliate
            && !is_same_family(&platform.source, &rule.source)
    }

    /// Whether `?ref=` and `?source=` outrank the referrer. They do not for search engines and
    /// assistants, which keep URLs with parameters that somebody else once added, nor for the
    /// site's own links.
    pub(super) fn yields_to_weak(&self) -> bool {
        match self {
            Self::None | Self::InApp(_) => true,
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
            Self::InApp(MatchedRow { platform, .. }) => format!("in_app:{}", platform.source),
            Self::None | Self::Own(_) | Self::Excluded(_) => "nothing".to_owned(),
        }
    }
}
