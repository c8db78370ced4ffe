//! Click ids: the parameters that advertising, sharing and mail tools append to a landing page's
//! URL.
//!
//! The table is data (`shared/sources/click_ids.csv`), and operators can add rows. Its order is the
//! order of precedence: of several ids the first in the table decides. `docs/sources.md` says how
//! click ids rank against tags and referrers.

use crate::pattern::like;
use crate::rows::{TableError, rows};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// What a row consists of.
const COLUMNS: &str = "should be parameter,source,medium,kind[,campaign[,values]]";

/// A click id from a landing page's URL.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClickId {
    /// The parameter's name in lower case: `gclid`, `msclkid`, …
    pub name: String,
    /// Its value with its case kept, at most `limits::CLICK_ID_BYTES`; empty if the value would
    /// identify a person.
    pub value: String,
}

/// Click ids whose value is made anew for each click.
const ONE_CLICK: &[&str] = &[
    "a8",
    "awc",
    "cjevent",
    "clickref",
    "dclid",
    "dicbo",
    "fbclid",
    "gbraid",
    "gclid",
    "irclickid",
    "ldtag_cl",
    "li_fat_id",
    "msclkid",
    "napm",
    "ndclid",
    "qclid",
    "rdt_cid",
    "sccid",
    "sscid",
    "tblci",
    "tduid",
    "ttclid",
    "twclid",
    "vmcid",
    "wbraid",
    "yclid",
    "ysclid",
    "zanpid",
];

impl ClickId {
    /// Whether its value is made anew for each click, so that the same value again is not another
    /// click.
    pub fn names_one_click(&self) -> bool {
        !self.value.is_empty() && ONE_CLICK.contains(&self.name.as_str())
    }
}

/// What a tag says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tag {
    /// The source.
    Source,
    /// The medium.
    Medium,
    /// The campaign's name.
    Campaign,
    /// The campaign's id.
    CampaignId,
    /// The search term that was bought.
    Term,
    /// The advertisement or link.
    Content,
}

/// What a parameter proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClickKind {
    /// The click was paid for.
    Paid,
    /// A partner is paid for it.
    Affiliate,
    /// A free listing of the platform.
    Organic,
    /// Only the platform: it is on paid and unpaid links alike.
    Share,
    /// A mail tool.
    Email,
    /// A mail tool, and the value identifies a person.
    Personal,
    /// Kept for the tool that made it; says nothing about the source.
    Stored,
    /// Not kept, and removed from the page's URL.
    Noise,
    /// A tag that a platform adds, which every `utm_` tag outranks.
    Tag(Tag),
}

impl ClickKind {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "paid" => Self::Paid,
            "affiliate" => Self::Affiliate,
            "organic" => Self::Organic,
            "share" => Self::Share,
            "email" => Self::Email,
            "personal" => Self::Personal,
            "stored" => Self::Stored,
            "noise" => Self::Noise,
            "source_tag" => Self::Tag(Tag::Source),
            "medium_tag" => Self::Tag(Tag::Medium),
            "campaign_tag" => Self::Tag(Tag::Campaign),
            "campaign_id_tag" => Self::Tag(Tag::CampaignId),
            "term_tag" => Self::Tag(Tag::Term),
            "content_tag" => Self::Tag(Tag::Content),
            _ => return None,
        })
    }

    /// Whether the parameter is kept as a click id.
    pub fn is_kept(self) -> bool {
        !matches!(self, Self::Noise | Self::Tag(_))
    }
}

/// A row of the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClickIdRule {
    /// The platform's canonical source; empty if the id says nothing about it.
    pub source: String,
    /// The medium that it implies, unless a tag says otherwise.
    pub medium: String,
    /// The campaign that it implies.
    pub campaign: Option<String>,
    /// What it proves.
    pub kind: ClickKind,
    /// Its place in the table; the lowest wins.
    pub rank: usize,
    /// The values that it is about, in which `*` stands for any text; empty means all.
    values: Vec<String>,
}

impl ClickIdRule {
    /// Whether it says where a visitor came from.
    pub fn decides(&self) -> bool {
        self.kind.is_kept() && self.kind != ClickKind::Stored
    }

    /// Whether it proves that the click was paid for. Its medium then applies when no tag gives
    /// one.
    pub fn is_paid(&self) -> bool {
        matches!(self.kind, ClickKind::Paid | ClickKind::Affiliate)
    }
}

/// The table.
#[derive(Clone, Debug, Default)]
pub struct ClickIds {
    /// The rows of each parameter, in their order.
    exact: HashMap<String, Vec<ClickIdRule>>,
    /// The number of rows that were added.
    added: usize,
    /// The names that end in `*`, without the `*`.
    prefixes: Vec<(String, ClickIdRule)>,
}

impl ClickIds {
    /// Adds the rows of a text, `parameter,source,medium,kind[,campaign[,values]]`. Of the rows of
    /// one parameter, the first whose values match counts. A text's rows replace the rows of
    /// earlier texts for the same parameter, unless they are about some of its values only.
    ///
    /// # Errors
    /// [`TableError`] for the first line that is not a valid row, or that repeats a parameter and
    /// its values.
    pub fn add(&mut self, table: &str) -> Result<(), TableError> {
        let mut seen = HashSet::new();
        let mut fresh: HashMap<String, Vec<ClickIdRule>> = HashMap::new();
        for (index, line) in rows(table) {
            let wrong = |reason: &str| TableError { line: index, reason: reason.to_owned() };
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            let [name, source, medium, kind, ref more @ ..] = cells[..] else {
                return Err(wrong(COLUMNS));
            };
            let (campaign, values) = match more {
                [] => ("", ""),
                [campaign] => (*campaign, ""),
                [campaign, values] => (*campaign, *values),
                _ => return Err(wrong(COLUMNS)),
            };
            let name = name.to_lowercase();
            let kind = ClickKind::parse(kind).ok_or_else(|| {
                wrong(
                    "the kind should be paid, affiliate, organic, share, email, personal, stored, noise, or \
                     a tag such as term_tag",
                )
            })?;
            let rule = ClickIdRule {
                source: source.to_lowercase(),
                medium: medium.to_lowercase(),
                campaign: (!campaign.is_empty()).then(|| campaign.to_owned()),
                kind,
                rank: self.added,
                values: values.split_whitespace().map(str::to_lowercase).collect(),
            };
            self.added += 1;
            if rule.decides() && (source.is_empty() || medium.is_empty()) {
                return Err(wrong("needs a source and a medium"));
            }
            let bare = name.strip_suffix('*').unwrap_or(&name);
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
            if bare.is_empty() || !bare.bytes().all(plain) {
                return Err(wrong(
                    "the parameter should be letters, digits, `_`, `-` and `.`, optionally ending in `*`",
                ));
            }
            if !seen.insert((name.clone(), rule.values.clone())) {
                return Err(wrong("the parameter is in the table twice"));
            }
            match name.strip_suffix('*') {
                Some(_) if !rule.values.is_empty() => {
                    return Err(wrong("a parameter that ends in `*` cannot have values"));
                }
                Some(prefix) => {
                    self.prefixes.retain(|(other, _)| other != prefix);
                    self.prefixes.push((prefix.to_owned(), rule));
                }
                None => fresh.entry(name).or_default().push(rule),
            }
        }
        for (name, mut rules) in fresh {
            let known = self.exact.entry(name).or_default();
            if rules.iter().all(|rule| !rule.values.is_empty()) {
                rules.append(known);
            }
            *known = rules;
        }
        Ok(())
    }

    /// The first row for a parameter; `name` is in lower case.
    pub fn rule(&self, name: &str) -> Option<&ClickIdRule> {
        let by_prefix =
            || self.prefixes.iter().find(|(prefix, _)| name.starts_with(prefix.as_str()));
        let exact = self.exact.get(name).and_then(|rules| rules.first());
        exact.or_else(|| by_prefix().map(|(_, rule)| rule))
    }

    /// The row for a parameter with this value; `name` is in lower case.
    pub fn rule_for(&self, name: &str, value: &str) -> Option<&ClickIdRule> {
        let Some(rules) = self.exact.get(name) else { return self.rule(name) };
        rules.iter().find(|rule| rule.is_about(value))
    }
}

impl ClickIdRule {
    fn is_about(&self, value: &str) -> bool {
        self.values.is_empty() || self.values.iter().any(|pattern| like(pattern, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(table: &str, expected: Result<(), usize>) {
        let added = ClickIds::default().add(table);
        assert_eq!(added.map_err(|error| error.line), expected, "{table}");
    }

    #[test]
    fn good_and_bad_rows() {
        check("a,google,cpc,paid\n# note\n\nb*,,,noise", Ok(()));
        check("a,google,cpc,paid\na,google,cpc,paid", Err(2));
        check("a,google,cpc,bought", Err(1));
        check("a,,cpc,paid", Err(1));
        check("*,google,cpc,paid", Err(1));
        check("a,google", Err(1));
        check("a b,google,cpc,paid", Err(1));
    }

    #[test]
    fn an_operators_row_takes_the_place_of_ours() {
        let mut table = ClickIds::default();
        table.add("gclid,google,cpc,paid\nhsa_*,,,noise").unwrap();
        table.add("gclid,adnet,display,paid\nclickid,tracker,affiliate,affiliate").unwrap();
        assert_eq!(table.rule("gclid").map(|rule| rule.source.as_str()), Some("adnet"));
        assert_eq!(table.rule("clickid").map(|rule| rule.kind), Some(ClickKind::Affiliate));
        assert_eq!(table.rule("hsa_cam").map(|rule| rule.kind), Some(ClickKind::Noise));
        assert_eq!(table.rule("hsa").map(|rule| rule.kind), None);
    }
}
