//! What a page view says of its origin, as written: tags, click ids, referrer. No judgement yet.
//!
//! The evidence is kept as it came, so that a later rule can judge the same page view again. The
//! stored address is cleaned of everything that is kept here, and of personal e-mail tokens.

use crate::limits;
use serde::{Deserialize, Serialize};
use url::Url;

/// A click id, as the advertising platform put it into the landing URL.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClickId {
    /// The parameter's name in lower case: `gclid`, `msclkid`, …
    pub name: String,
    /// Its value, case kept, at most `limits::CLICK_ID_BYTES`.
    pub value: String,
}

/// The origin of one page view, unjudged.
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
    /// Every click id found, in the order of precedence of [`CLICK_IDS`].
    pub click_ids: Vec<ClickId>,
    /// The referrer as sent, without query and fragment.
    pub referrer: Option<String>,
    /// The referrer's host in lower case, without `www.`.
    pub referrer_host: Option<String>,
}

/// What a click id proves by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClickIdRule {
    /// The parameter in lower case.
    pub name: &'static str,
    /// The platform that made it.
    pub source: &'static str,
    /// The medium that it stands for where no tag says otherwise.
    pub medium: &'static str,
    /// Whether it proves that the click was paid for.
    pub paid: bool,
}

const fn rule(
    name: &'static str,
    source: &'static str,
    medium: &'static str,
    paid: bool,
) -> ClickIdRule {
    ClickIdRule { name, source, medium, paid }
}

/// The main click ids in order of precedence; the earlier decides.
pub const CLICK_IDS: &[ClickIdRule] = &[
    rule("gclid", "google", "cpc", true),
    rule("gbraid", "google", "cpc", true),
    rule("wbraid", "google", "cpc", true),
    rule("dclid", "google", "display", true),
    rule("msclkid", "bing", "cpc", true),
    rule("ttclid", "tiktok", "paid_social", true),
    rule("twclid", "x", "paid_social", true),
    rule("li_fat_id", "linkedin", "paid_social", true),
    rule("sccid", "snapchat", "paid_social", true),
    rule("rdt_cid", "reddit", "paid_social", true),
    rule("yclid", "yandex", "cpc", true),
    rule("fbclid", "facebook", "social", false),
    rule("igshid", "instagram", "social", false),
    rule("mc_cid", "mailchimp", "email", false),
];

/// Parameters that name a person or a mail; never stored.
const PERSONAL: &[&str] =
    &["mc_eid", "_hsenc", "_hsmi", "mkt_tok", "ck_subscriber_id", "clew_token"];
/// Parameters that are evidence or noise, not part of the page's address.
const NOISE: &[&str] = &["gclsrc", "gad_source", "gad_campaignid", "_gl", "_ga"];

impl Evidence {
    /// Reads the evidence of a page view. A referrer that does not parse counts as none.
    pub fn read(url: &Url, referrer: &str) -> Self {
        let mut evidence = Self::default();
        let fragment = url.fragment().filter(|fragment| fragment.contains("utm_")).unwrap_or("");
        let query = url.query().unwrap_or("");
        let pairs = form_urlencoded::parse(query.as_bytes())
            .chain(form_urlencoded::parse(fragment.as_bytes()));
        for (name, value) in pairs {
            evidence.take(&name.to_lowercase(), &value);
        }
        let rank = |id: &ClickId| CLICK_IDS.iter().position(|rule| rule.name == id.name);
        evidence.click_ids.sort_by_key(rank);
        if let Some((address, host)) = referrer_parts(referrer) {
            evidence.referrer = Some(address);
            evidence.referrer_host = Some(host);
        }
        evidence
    }

    /// The first value that is not empty wins, as in a query with repeated parameters.
    fn take(&mut self, name: &str, value: &str) {
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        let field = match name {
            "utm_source" => &mut self.source,
            "utm_medium" => &mut self.medium,
            "utm_campaign" => &mut self.campaign,
            "utm_id" | "gad_campaignid" => &mut self.campaign_id,
            "utm_term" => &mut self.term,
            "utm_content" => &mut self.content,
            _ => {
                let known = CLICK_IDS.iter().any(|rule| rule.name == name);
                let new = !self.click_ids.iter().any(|id| id.name == name);
                if known && new {
                    let value = cut(value, limits::CLICK_ID_BYTES);
                    self.click_ids.push(ClickId { name: name.to_owned(), value });
                }
                return;
            }
        };
        if field.is_none() {
            *field = Some(cut(value, limits::TAG_BYTES));
        }
    }

    /// Whether the landing page was tagged by hand.
    pub fn is_tagged(&self) -> bool {
        let tags = [&self.source, &self.medium, &self.campaign, &self.term, &self.content];
        tags.into_iter().any(Option::is_some)
    }
}

/// The page's address without what is evidence, personal or a fragment, at most
/// `limits::STORED_URL_BYTES` long.
pub fn clean_url(url: &Url) -> String {
    let mut clean = url.clone();
    clean.set_fragment(None);
    let _ = clean.set_username("");
    let _ = clean.set_password(None);
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| !is_evidence(&name.to_lowercase()))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    match kept.is_empty() {
        true => clean.set_query(None),
        // Untouched queries keep their spelling.
        false if kept.len() == url.query_pairs().count() => {}
        false => {
            clean.query_pairs_mut().clear().extend_pairs(&kept);
        }
    }
    cut(clean.as_str(), limits::STORED_URL_BYTES)
}

fn is_evidence(name: &str) -> bool {
    name.starts_with("utm_")
        || CLICK_IDS.iter().any(|rule| rule.name == name)
        || PERSONAL.contains(&name)
        || NOISE.contains(&name)
}

/// A host in the form that tables and settings are written in: lower case, no `www.`, no dot behind.
pub fn normal_host(host: &str) -> String {
    let host = host.trim_end_matches('.').to_lowercase();
    host.strip_prefix("www.").map(str::to_owned).unwrap_or(host)
}

fn referrer_parts(referrer: &str) -> Option<(String, String)> {
    let mut url = Url::parse(referrer).ok()?;
    let host = normal_host(url.host_str()?);
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    (!host.is_empty()).then(|| (cut(url.as_str(), limits::STORED_URL_BYTES), host))
}

fn cut(text: &str, limit: usize) -> String {
    crate::wire::encode::cut(text, limit).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_clean(url: &str, expected: &str) {
        assert_eq!(clean_url(&Url::parse(url).unwrap()), expected);
    }

    #[test]
    fn addresses_lose_their_evidence() {
        check_clean("https://a.example/p?utm_source=x&GCLID=1", "https://a.example/p");
        check_clean("https://a.example/p?id=7&fbclid=1#part", "https://a.example/p?id=7");
        check_clean("https://a.example/p?q=a%20b", "https://a.example/p?q=a%20b");
        check_clean("https://me:secret@a.example/?mc_eid=ab", "https://a.example/");
        check_clean("https://a.example/?q=%ff%fe", "https://a.example/?q=%ff%fe");
    }

    #[test]
    fn evidence_is_read_as_written() {
        let url = "https://a.example/?UTM_Source=Google&utm_source=second&utm_medium=&fbclid=F&gclid=G&gclid=H&utm_id=9";
        let evidence =
            Evidence::read(&Url::parse(url).unwrap(), "https://WWW.Google.com./search?q=secret#x");
        assert_eq!(evidence.source.as_deref(), Some("Google"));
        assert_eq!(
            (evidence.medium.as_deref(), evidence.campaign_id.as_deref()),
            (None, Some("9"))
        );
        let ids: Vec<_> =
            evidence.click_ids.iter().map(|id| (id.name.as_str(), id.value.as_str())).collect();
        assert_eq!(ids, [("gclid", "G"), ("fbclid", "F")]);
        assert_eq!(evidence.referrer.as_deref(), Some("https://www.google.com./search"));
        assert_eq!(evidence.referrer_host.as_deref(), Some("google.com"));
    }

    #[test]
    fn tags_in_the_fragment_count_and_bad_referrers_do_not() {
        let evidence =
            Evidence::read(&Url::parse("https://a.example/#utm_source=mail").unwrap(), "not a url");
        assert_eq!((evidence.source.as_deref(), evidence.referrer), (Some("mail"), None));
        let long = format!("https://a.example/?gclid={}", "x".repeat(2000));
        let evidence = Evidence::read(&Url::parse(&long).unwrap(), "");
        assert_eq!(evidence.click_ids[0].value.len(), limits::CLICK_ID_BYTES);
    }
}
