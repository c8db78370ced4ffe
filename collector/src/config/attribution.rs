//! `[sites.attribution]`: which touch gets the credit for a lead's conversion.

use super::text::parsed;
use serde::{Deserialize, Deserializer};
use shared::attribution::{Days, Direct, Model, Rule, Weights};

/// A model with its settings, described in docs/attribution.md.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct AttributionConfig(pub Rule);

impl Default for AttributionConfig {
    fn default() -> Self {
        Self(Rule::new(Model::LastNonDirect))
    }
}

/// What is wrong with the table.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
enum AttributionError {
    #[error(
        "model: `{0}` learns from many journeys and cannot credit a single lead; use another model"
    )]
    Model(Model),
    #[error("{0}: {1} should be a number of days above 0")]
    Days(&'static str, f64),
    #[error("lookback_days: `{0}` should be a number or \"all\"")]
    LookBack(String),
}

/// The table as written; defaults are those of [`Rule::new`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, deserialize_with = "given")]
    model: Option<Model>,
    lookback_days: Option<Lookback>,
    direct: Option<DirectOption>,
    half_life_days: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    weights: Option<Weights>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Lookback {
    Days(f64),
    Word(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum DirectOption {
    Keep,
    Drop,
}

fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    parsed(deserializer).map(Some)
}

impl TryFrom<Written> for AttributionConfig {
    type Error = AttributionError;

    fn try_from(written: Written) -> Result<Self, AttributionError> {
        let Self(mut rule) = Self::default();
        let Written { model, lookback_days, direct, half_life_days, weights } = written;
        rule.model = model.unwrap_or(rule.model);
        if matches!(rule.model, Model::Markov | Model::Shapley) {
            return Err(AttributionError::Model(rule.model));
        }
        let days = |name, days: f64| Days::new(days).ok_or(AttributionError::Days(name, days));
        rule.look_back = match lookback_days {
            None => rule.look_back,
            Some(Lookback::Days(number)) => Some(days("lookback_days", number)?),
            Some(Lookback::Word(word)) if word == "all" => None,
            Some(Lookback::Word(word)) => {
                return Err(AttributionError::LookBack(word));
            }
        };
        if let Some(half_life) = half_life_days {
            rule.half_life = days("half_life_days", half_life)?;
        }
        if let Some(direct) = direct {
            rule.direct = match direct {
                DirectOption::Keep => Direct::Keep,
                DirectOption::Drop => Direct::Drop,
            };
        }
        rule.weights = weights.unwrap_or(rule.weights);
        Ok(Self(rule))
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use shared::attribution::{Days, Direct, Model, Rule, Weights};

    fn check(table: &str, expected: Result<Rule, &str>) {
        let site = "[[sites]]\nname = \"demo\"\nhosts = [\"example.com\"]\n[sites.attribution]\n";
        let read = Config::parse(&format!("{site}{table}"), &[]);
        match (read, expected) {
            (Ok(config), Ok(rule)) => assert_eq!(config.sites[0].attribution.0, rule, "{table}"),
            (Err(error), Err(part)) => {
                assert!(format!("{error:#}").contains(part), "{table}: {error:#}");
            }
            (read, _) => panic!("{table}: {:?}", read.map(|config| config.sites)),
        }
    }

    #[test]
    fn rules() {
        let rule = Rule::new(Model::LastNonDirect);
        check("", Ok(rule));
        check("model = \"first\"", Ok(Rule::new(Model::First)));
        check("lookback_days = 30", Ok(Rule { look_back: Days::new(30.0), ..rule }));
        check("lookback_days = \"all\"", Ok(Rule { look_back: None, ..rule }));
        check("direct = \"drop\"", Ok(Rule { direct: Direct::Drop, ..rule }));
        let decay = Rule::new(Model::TimeDecay);
        check(
            "model = \"time-decay\"\nhalf_life_days = 3.5",
            Ok(Rule { half_life: Days::new(3.5).unwrap(), ..decay }),
        );
        let position = Rule::new(Model::Position);
        check(
            "model = \"position\"\nweights = \"30/40/30\"",
            Ok(Rule { weights: Weights::new(30.0, 40.0, 30.0).unwrap(), ..position }),
        );
        check("model = \"markov\"", Err("`markov` learns from many journeys and cannot credit"));
        check("model = \"shapley\"", Err("`shapley` learns"));
        check("model = \"best\"", Err("`best`"));
        check("lookback_days = 0", Err("lookback_days: 0 should be"));
        check("lookback_days = \"some\"", Err("`some`"));
        check("half_life_days = -1", Err("half_life_days: -1"));
        check("weights = \"1/2\"", Err("`1/2`"));
        check("direct = \"maybe\"", Err("maybe"));
        check("modle = \"first\"", Err("modle"));
    }
}
