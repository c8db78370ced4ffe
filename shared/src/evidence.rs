//! Evidence: what a page view shows about its origin (tags, click ids, referrer), before any rule
//! judges it.
//!
//! Evidence is stored as it came, so that later rules can judge the same page view again. The
//! stored URL no longer contains the evidence, nor tokens that identify the recipient of an e-mail.

mod clean;
mod parameters;

pub use clean::clean_url;
use clean::strip;

pub(crate) use parameters::unescaped;

pub use crate::host::normal_host;

use crate::click_id::{ClickId, ClickIds, ClickKind, Tag};
use crate::limits;
use serde::{Deserialize, Serialize};
use url::Url;

/// The evidence of one page view.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// `utm_source`
    pub source: Option<String>,
    /// `utm_medium`
    pub medium: Option<String>,
    /// `utm_campaign`
    pub campaign: Option<String>,
    /// `utm_id`, or the campaign id that Google Ads adds.
    pub campaign_id: Option<String>,
    /// `utm_term`
    pub term: Option<String>,
    /// `utm_content`
    pub content: Option<String>,
    /// `source` or `ref`, parameters that sites also use for other things.
    pub weak_source: Option<String>,
    /// All click ids found, in the order of the table.
    pub click_ids: Vec<ClickId>,
    /// The referrer as sent, without fragment, user and personal tokens. If there is none, and an
    /// app showed the page in its own browser, `in-app://` and that app's word in the user agent.
    pub referrer: Option<String>,
    /// The referrer's host in lower case, without `www.`; for `android-app://` the app's package,
    /// for `in-app://` the word.
    pub referrer_host: Option<String>,
}

/// The tags of each family and their rank: `utm_` wins over `mtm_`, which wins over `pk_`.
const TAGS: &[(&str, Tag, u8)] = &[
    ("utm_source", Tag::Source, 0),
    ("utm_medium", Tag::Medium, 0),
    ("utm_campaign", Tag::Campaign, 0),
    ("utm_id", Tag::CampaignId, 0),
    ("utm_term", Tag::Term, 0),
    ("utm_content", Tag::Content, 0),
    ("mtm_source", Tag::Source, 1),
    ("mtm_medium", Tag::Medium, 1),
    ("mtm_campaign", Tag::Campaign, 1),
    ("mtm_cpn", Tag::Campaign, 1),
    ("mtm_cid", Tag::CampaignId, 1),
    ("mtm_keyword", Tag::Term, 1),
    ("mtm_kwd", Tag::Term, 1),
    ("mtm_content", Tag::Content, 1),
    ("matomo_campaign", Tag::Campaign, 2),
    ("matomo_keyword", Tag::Term, 2),
    ("matomo_kwd", Tag::Term, 2),
    ("pk_source", Tag::Source, 2),
    ("pk_medium", Tag::Medium, 2),
    ("pk_campaign", Tag::Campaign, 2),
    ("pk_cpn", Tag::Campaign, 2),
    ("pk_cid", Tag::CampaignId, 2),
    ("pk_keyword", Tag::Term, 2),
    ("pk_kwd", Tag::Term, 2),
    ("pk_content", Tag::Content, 2),
    ("piwik_campaign", Tag::Campaign, 3),
    ("piwik_keyword", Tag::Term, 3),
    ("piwik_kwd", Tag::Term, 3),
    ("gad_campaignid", Tag::CampaignId, 4),
];

/// The rank of the tags that platforms of their own add, as listed in the table of click ids.
const PLATFORM_RANK: usize = 8;
/// The parameter in which redirects pass on the referrer.
const PASSED_REFERRER: &str = "utm_referrer";
/// The scheme of the referrer that stands for an app's own browser.
pub(crate) const IN_APP: &str = "in-app";

/// Placeholders that tools write for a missing value.
const EMPTY: &[&str] = &["null", "undefined", "(not set)", "(direct)", "(none)"];

/// The place of the fragment among the parts of an address that are read.
const FRAGMENT: usize = 2;

/// The longest value of `source` or `ref` that can be a source name.
const WEAK_BYTES: usize = 64;

impl Evidence {
    /// Reads the evidence of a page view, first from the query (and what stands in the path in its
    /// place), then from the fragment. Of a repeated parameter the first value that is not a
    /// placeholder counts. A referrer that does not parse is ignored.
    pub fn read(url: &Url, referrer: &str, table: &ClickIds) -> Self {
        let mut evidence = Self::default();
        let mut ranks = [usize::MAX; 6];
        let mut weak = [None, None];
        let mut passed = None;
        let mut has_tags = false;
        let is_known = |name: &str| table.rule(name).is_some();
        let path = parameters::in_path(url.path(), &is_known).map(|(_, from)| &url.path()[from..]);
        let fragment = url.fragment().filter(|text| text.contains('='));
        for (part, text) in [path, url.query(), fragment].into_iter().enumerate() {
            for pair in parameters::split(text.unwrap_or_default(), &is_known) {
                let pair = parameters::read(pair, &is_known);
                let (name, value) = (pair.name.as_str(), pair.value.trim());
                if value.is_empty() || EMPTY.iter().any(|word| value.eq_ignore_ascii_case(word)) {
                    continue;
                }
                // A tag in the fragment never outranks one in the query.
                evidence.take_tag(name, value, part, table, &mut ranks);
                evidence.take_click_id(name, value, table);
                has_tags |= TAGS.iter().any(|(tag, _, _)| *tag == name);
                if name == PASSED_REFERRER {
                    passed = passed.or_else(|| Some(value.to_owned()));
                }
                let weak = match name {
                    "source" if part == 1 => &mut weak[0],
                    "ref" if part == 1 => &mut weak[1],
                    _ => continue,
                };
                if weak.is_none() {
                    *weak = name_in(value);
                }
            }
        }
        let is_placed = evidence.source.is_some() || evidence.medium.is_some();
        if !has_tags && !is_placed && evidence.click_ids.is_empty() {
            // What platforms add to a click id says nothing without one.
            [evidence.term, evidence.content, evidence.campaign, evidence.campaign_id] =
                [const { None }; 4];
        }
        evidence.weak_source = weak.into_iter().flatten().next();
        evidence.click_ids.sort_by_key(|id| table.rule(&id.name).map(|rule| rule.rank));
        let sent = referrer_parts(referrer, table);
        let own = url.host_str().map(normal_host);
        // A redirect hides the referrer, or puts the site's own page in its place.
        let is_hidden = sent.as_ref().is_none_or(|(_, host)| own.as_ref() == Some(host));
        let passed = passed.filter(|_| is_hidden);
        let passed = passed.and_then(|passed| referrer_parts(&passed, table));
        if let Some((address, host)) = passed.or(sent) {
            evidence.referrer = Some(address);
            evidence.referrer_host = Some(host);
        }
        evidence
    }

    /// Notes the app whose own browser showed the page, unless there is a referrer.
    pub fn in_app<'a>(mut self, word: impl FnOnce() -> Option<&'a str>) -> Self {
        if self.referrer.is_none()
            && let Some(word) = word()
        {
            self.referrer = Some(format!("{IN_APP}://{}", word.trim()));
            self.referrer_host = Some(word.trim().to_owned());
        }
        self
    }

    fn take_tag(
        &mut self,
        name: &str,
        value: &str,
        part: usize,
        table: &ClickIds,
        ranks: &mut [usize; 6],
    ) {
        let known = TAGS.iter().find(|(known, _, _)| *known == name);
        let known = known.map(|(_, tag, rank)| (*tag, usize::from(*rank)));
        let of_platform = || {
            let rule = table.rule(name)?;
            let ClickKind::Tag(tag) = rule.kind else { return None };
            Some((tag, PLATFORM_RANK + rule.rank))
        };
        let Some((tag, rank)) = known.or_else(of_platform) else { return };
        let field = match tag {
            Tag::Source => &mut self.source,
            Tag::Medium => &mut self.medium,
            Tag::Campaign => &mut self.campaign,
            Tag::CampaignId => &mut self.campaign_id,
            Tag::Term => &mut self.term,
            Tag::Content => &mut self.content,
        };
        let rank = rank + if part == FRAGMENT { usize::MAX / 2 } else { 0 };
        let best = &mut ranks[tag as usize];
        if rank < *best {
            *best = rank;
            *field = Some(cut(&parameters::unescaped(value), limits::TAG_BYTES).to_owned());
        }
    }

    fn take_click_id(&mut self, name: &str, value: &str, table: &ClickIds) {
        let Some(rule) = table.rule_for(name, value).filter(|rule| rule.kind.is_kept()) else {
            return;
        };
        if self.click_ids.iter().any(|id| id.name == name) {
            return;
        }
        let kept = if rule.kind == ClickKind::Personal { "" } else { value };
        let value = cut(kept, limits::CLICK_ID_BYTES).to_owned();
        self.click_ids.push(ClickId { name: cut(name, limits::TAG_BYTES).to_owned(), value });
    }

    /// Whether the landing page's URL has campaign tags. Platforms add a search term and the
    /// campaign's id to their click ids, so beside one they do not count.
    pub fn is_tagged(&self) -> bool {
        let tags = [&self.source, &self.medium, &self.campaign, &self.content];
        tags.into_iter().any(Option::is_some)
            || (self.click_ids.is_empty() && (self.term.is_some() || self.campaign_id.is_some()))
    }

    /// The campaign that tags name, or else the source that they name.
    pub fn tagged_campaign(&self) -> Option<&str> {
        self.campaign.as_deref().or(self.source.as_deref())
    }

    /// Whether the campaign id is from a tag, and not from Google Ads.
    pub fn has_utm_id(&self) -> bool {
        let by_google = self.click_ids.iter().any(|id| id.name == "gad_campaignid");
        self.campaign_id.is_some() && !by_google
    }
}

fn referrer_parts(referrer: &str, table: &ClickIds) -> Option<(String, String)> {
    // If it is too long, its beginning still has the host.
    let mut url = Url::parse(cut(referrer, limits::URL_BYTES)).ok()?;
    if !matches!(url.scheme(), "http" | "https" | "android-app" | "ios-app") {
        return None;
    }
    let host = normal_host(url.host_str()?);
    if host.is_empty() {
        return None;
    }
    strip(&mut url, &|name: &str| {
        table.rule(name).is_some_and(|rule| rule.kind == ClickKind::Personal)
    });
    // Older search pages put the search word into the fragment.
    if url.fragment().is_some_and(|fragment| !fragment.contains('=')) {
        url.set_fragment(None);
    }
    Some((crate::cut::url(url.into(), limits::STORED_URL_BYTES)?, cut(&host, 253).to_owned()))
}

/// The source named by `source` or `ref`: its value if that looks like a name, or the host if it is
/// a URL.
fn name_in(value: &str) -> Option<String> {
    if value.contains("://") {
        return Url::parse(value).ok()?.host_str().map(normal_host);
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_ ".contains(&byte);
    let is_name = value.len() <= WEAK_BYTES
        && value.bytes().all(plain)
        && value.bytes().any(|byte| byte.is_ascii_alphabetic());
    is_name.then(|| value.to_owned())
}

fn cut(text: &str, limit: usize) -> &str {
    crate::wire::encode::cut(text, limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ClickIds {
        let mut table = ClickIds::default();
        table.add(include_str!("../sources/click_ids.csv")).unwrap();
        table
    }

    fn read(url: &str, referrer: &str) -> Evidence {
        Evidence::read(&Url::parse(url).unwrap(), referrer, &table())
    }

    #[test]
    fn addresses_lose_their_evidence() {
        let table = table();
        for (url, expected) in [
            ("https://a.example/p?utm_source=x&GCLID=1", "https://a.example/p"),
            ("https://a.example/p?id=7&fbclid=1#part", "https://a.example/p?id=7"),
            ("https://a.example/p?q=a%20b", "https://a.example/p?q=a%20b"),
            ("https://a.example/p?q=a+b&gclid=1&r=%7E", "https://a.example/p?q=a+b&r=%7E"),
            ("https://a.example/p?%75tm_source=x&a", "https://a.example/p?a"),
            ("https://me:secret@a.example/?mc_eid=ab", "https://a.example/"),
            ("https://a.example/?q=%ff%fe", "https://a.example/?q=%ff%fe"),
            ("https://a.example/?mtm_group=a&pk_vid=b&hsa_acc=1&_gl=c", "https://a.example/"),
            ("https://a.example/?ref=partner&source=b", "https://a.example/?ref=partner&source=b"),
            ("https://a.example/?", "https://a.example/"),
            ("https://a.example/?a=1&amp;utm_medium=b", "https://a.example/?a=1"),
            ("https://a.example/?trk_contact=me&vero_id=a@b.example", "https://a.example/"),
        ] {
            assert_eq!(clean_url(&Url::parse(url).unwrap(), &table), expected, "{url}");
        }
        let long = format!("https://a.example/?{}", "x=y&".repeat(2000));
        // Only whole parameters stay: 2,000 characters less 19 for the host are 495 parameters and
        // a rest.
        let cut = clean_url(&Url::parse(&long).unwrap(), &table);
        assert_eq!(cut, format!("https://a.example/?{}x=y", "x=y&".repeat(494)));
    }

    #[test]
    fn evidence_is_read_as_written() {
        let evidence = read(
            "https://a.example/?UTM_Source=Google&utm_source=second&utm_medium=&fbclid=F&gclid=G&gclid=H&utm_id=9&gad_campaignid=8",
            "https://WWW.Google.com./search?q=secret&mc_eid=me#x",
        );
        assert_eq!(evidence.source.as_deref(), Some("Google"));
        assert_eq!(
            (evidence.medium.as_deref(), evidence.campaign_id.as_deref()),
            (None, Some("9"))
        );
        let ids: Vec<_> =
            evidence.click_ids.iter().map(|id| (id.name.as_str(), id.value.as_str())).collect();
        assert_eq!(ids, [("gclid", "G"), ("gad_campaignid", "8"), ("fbclid", "F")]);
        assert_eq!(evidence.referrer.as_deref(), Some("https://www.google.com./search?q=secret"));
        assert_eq!(evidence.referrer_host.as_deref(), Some("google.com"));
    }

    #[test]
    fn what_is_not_there_is_not_read() {
        for (url, referrer) in [
            ("https://a.example/?utm_source=%20&gclid=%09", ""),
            ("https://a.example/?utm_source=NULL&utm_medium=(not%20set)&gclid=undefined", ""),
            ("https://a.example/?", "null"),
            ("https://a.example/#section", "http://"),
            ("https://a.example/?utm_source", "mailto:a@b.example"),
            ("https://a.example/?utm_source=(direct)&utm_medium=(none)", ""),
        ] {
            assert_eq!(read(url, referrer), Evidence::default(), "{url} {referrer}");
        }
    }

    #[test]
    fn long_and_broken_values() {
        let long =
            format!("https://a.example/?gclid={}&utm_term={}", "x".repeat(2000), "ü".repeat(300));
        let evidence = read(&long, &format!("https://b.example/{}", "y".repeat(9000)));
        assert_eq!(evidence.click_ids[0].value.len(), limits::CLICK_ID_BYTES);
        assert_eq!(evidence.term.map(|term| term.len()), Some(254));
        assert_eq!(evidence.referrer_host.as_deref(), Some("b.example"));
        let broken = read("https://a.example/?utm_source=%ff%fe&utm_medium=%E4", "");
        assert_eq!(broken.source.as_deref(), Some("\u{fffd}\u{fffd}"));
        // A value that identifies an e-mail's recipient is never stored.
        assert_eq!(read("https://a.example/?_hsenc=secret", "").click_ids[0].value, "");
        let eight_kilobytes = format!("https://a.example/?{}utm_source=end", "a=b&".repeat(2000));
        assert_eq!(read(&eight_kilobytes, "").source.as_deref(), Some("end"));
    }
}
