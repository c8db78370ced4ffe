//! An operator's own channel rules, which come before Google's table.

use super::{Channel, OwnChannel};
use crate::evidence::{Evidence, normal_host};
use crate::pattern::like;
use serde::Deserialize;
use std::collections::{BTreeSet, HashSet};
use url::Url;

/// A rule. All its patterns must match; `*` matches any text, and case is ignored.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelRule {
    /// The rule's name in traces.
    pub name: String,
    /// The channel's name in data: a built-in channel, or one of the operator's own.
    pub channel: String,
    /// The source as resolved.
    #[serde(default)]
    pub source: Option<String>,
    /// The medium as resolved.
    #[serde(default)]
    pub medium: Option<String>,
    /// The campaign.
    #[serde(default)]
    pub campaign: Option<String>,
    /// `utm_term`
    #[serde(default)]
    pub term: Option<String>,
    /// `utm_content`
    #[serde(default)]
    pub content: Option<String>,
    /// The referrer's host, without `www.`.
    #[serde(default)]
    pub referrer: Option<String>,
    /// The name of a click id in the evidence.
    #[serde(default)]
    pub click_id: Option<String>,
    /// The landing page's host, without `www.`.
    #[serde(default)]
    pub landing_host: Option<String>,
    /// The landing page's path.
    #[serde(default)]
    pub landing_path: Option<String>,
}

/// What a rule looks at in addition to the evidence.
#[derive(Clone, Copy, Debug)]
pub struct Resolved<'a> {
    /// The source.
    pub source: &'a str,
    /// The medium.
    pub medium: &'a str,
    /// The campaign; empty if there is none.
    pub campaign: &'a str,
    /// The landing page's URL; empty if it is unknown.
    pub landing_page: &'a str,
}

/// Why a list of rules was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChannelRulesError {
    /// A rule's channel is neither built in nor a valid name.
    #[error(
        "`{name}`: `{channel}` cannot be a channel; use one such as \"paid_search\", or a name of your own of small letters, digits and underscores"
    )]
    UnknownChannel {
        /// The rule.
        name: String,
        /// The unknown channel.
        channel: String,
    },
    /// A rule has an empty name.
    #[error("a rule has no name")]
    NoName,
    /// Two rules have the same name.
    #[error("two rules have the name `{0}`")]
    RepeatedName(String),
    /// A rule has an empty pattern.
    #[error("`{0}`: a pattern is empty; remove it, or use `*` for any text")]
    EmptyPattern(String),
    /// A rule has no patterns.
    #[error("`{0}`: has no patterns, so it would match everything; give it at least one")]
    NoPattern(String),
}

/// Validated rules.
#[derive(Clone, Debug, Default)]
pub struct ChannelRules(Vec<(ChannelRule, Channel)>);

impl ChannelRules {
    /// Validates the rules.
    ///
    /// # Errors
    /// [`ChannelRulesError`] for the first invalid rule.
    pub fn new(rules: Vec<ChannelRule>) -> Result<Self, ChannelRulesError> {
        let mut names = HashSet::new();
        let checked = rules.into_iter().map(|rule| {
            let name = rule.name.clone();
            let own = || OwnChannel::named(&rule.channel).map(Channel::Own);
            let Some(channel) = Channel::parse(&rule.channel).or_else(own) else {
                let channel = rule.channel;
                return Err(ChannelRulesError::UnknownChannel { name, channel });
            };
            if name.trim().is_empty() {
                return Err(ChannelRulesError::NoName);
            }
            if !names.insert(name.clone()) {
                return Err(ChannelRulesError::RepeatedName(name));
            }
            if rule.patterns().iter().any(|(pattern, _)| *pattern == Some("")) {
                return Err(ChannelRulesError::EmptyPattern(name));
            }
            if rule.patterns().iter().all(|(pattern, _)| pattern.is_none()) {
                return Err(ChannelRulesError::NoPattern(name));
            }
            Ok((rule, channel))
        });
        Ok(Self(checked.collect::<Result<_, _>>()?))
    }

    /// The first rule that matches: its channel and name.
    pub fn find(&self, resolved: Resolved<'_>, evidence: &Evidence) -> Option<(Channel, &str)> {
        let found = self.0.iter().find(|(rule, _)| rule.matches(resolved, evidence));
        found.map(|(rule, channel)| (*channel, rule.name.as_str()))
    }

    /// The channels of the operator's own names.
    pub fn own(&self) -> BTreeSet<OwnChannel> {
        let own = |(_, channel): &(_, Channel)| match channel {
            Channel::Own(own) => Some(*own),
            _ => None,
        };
        self.0.iter().filter_map(own).collect()
    }

    /// A text that differs between different sets of rules.
    pub(crate) fn text(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// The part that a pattern is matched against.
#[derive(Clone, Copy)]
enum Part {
    Source,
    Medium,
    Campaign,
    Term,
    Content,
    Referrer,
    ClickId,
    LandingHost,
    LandingPath,
}

impl ChannelRule {
    fn patterns(&self) -> [(Option<&str>, Part); 9] {
        [
            (self.source.as_deref(), Part::Source),
            (self.medium.as_deref(), Part::Medium),
            (self.campaign.as_deref(), Part::Campaign),
            (self.term.as_deref(), Part::Term),
            (self.content.as_deref(), Part::Content),
            (self.referrer.as_deref(), Part::Referrer),
            (self.click_id.as_deref(), Part::ClickId),
            (self.landing_host.as_deref(), Part::LandingHost),
            (self.landing_path.as_deref(), Part::LandingPath),
        ]
    }

    fn matches(&self, resolved: Resolved<'_>, evidence: &Evidence) -> bool {
        let given =
            self.patterns().into_iter().filter_map(|(pattern, part)| Some((pattern?, part)));
        given.into_iter().all(|(pattern, part)| {
            let text = match part {
                Part::Source => resolved.source,
                Part::Medium => resolved.medium,
                Part::Campaign => resolved.campaign,
                Part::Term => evidence.term.as_deref().unwrap_or_default(),
                Part::Content => evidence.content.as_deref().unwrap_or_default(),
                Part::Referrer => evidence.referrer_host.as_deref().unwrap_or_default(),
                Part::LandingHost | Part::LandingPath => {
                    let landing = Url::parse(resolved.landing_page).ok();
                    return landing.is_some_and(|landing| match part {
                        Part::LandingHost => {
                            like(pattern, &normal_host(landing.host_str().unwrap_or_default()))
                        }
                        _ => like(pattern, landing.path()),
                    });
                }
                Part::ClickId => {
                    return evidence.click_ids.iter().any(|id| like(pattern, &id.name));
                }
            };
            like(pattern, text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_are_wrong() {
        let rule = |name: &str, channel: &str, source: Option<&str>| {
            let (name, channel) = (name.to_owned(), channel.to_owned());
            let source = source.map(str::to_owned);
            ChannelRules::new(vec![ChannelRule { name, channel, source, ..ChannelRule::default() }])
        };
        let check = |name: &str, channel: &str, source: Option<&str>, expected: &str| {
            let error = rule(name, channel, source).map(drop).map_err(|error| error.to_string());
            assert_eq!(error, Err(expected.to_owned()));
        };
        assert!(rule("partners", "affiliates", Some("partner*")).is_ok());
        check(
            "partners",
            "Affiliates",
            Some("x"),
            "`partners`: `Affiliates` cannot be a channel; use one such as \"paid_search\", or a name of \
             your own of small letters, digits and underscores",
        );
        check(" ", "affiliates", Some("x"), "a rule has no name");
        check(
            "x",
            "affiliates",
            Some(""),
            "`x`: a pattern is empty; remove it, or use `*` for any text",
        );
        check(
            "all",
            "affiliates",
            None,
            "`all`: has no patterns, so it would match everything; give it at least one",
        );
        let (name, channel) = ("x".to_owned(), "affiliates".to_owned());
        let rule =
            ChannelRule { name, channel, source: Some("y".to_owned()), ..ChannelRule::default() };
        let error = ChannelRules::new(vec![rule.clone(), rule]).unwrap_err();
        assert_eq!(error.to_string(), "two rules have the name `x`");
    }
}
