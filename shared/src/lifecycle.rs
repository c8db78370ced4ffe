//! A lead's life cycle: the stages that it was in, from what was told of it in any order.
//!
//! What is kept is what was told ([`StageChange`], append-only); [`LifeCycle::of`] puts it in order
//! and derives the history ([`StageEntry`]). The same changes make the same history, in whatever
//! order they arrived. A stage that was skipped on the way forward is entered at the same time and
//! marked as implied; going back is a step like any other; when a stage was first reached never gets
//! later by what else is told.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A lead's stage. The first seven are successive; `lost` and `recycled` are outside that order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Stage {
    /// A browser that named nobody.
    Anonymous,
    /// A person who converted.
    Lead,
    /// Marketing qualified.
    Mql,
    /// Sales qualified.
    Sql,
    /// There is a deal to be won.
    Opportunity,
    /// A deal was won.
    Customer,
    /// Recommends to others.
    Advocate,
    /// Given up, with a reason; disqualified is one.
    Lost,
    /// Handed back to marketing.
    Recycled,
}

impl Stage {
    /// Every stage, with the name that it goes by in API and fields.
    pub const NAMED: [(&'static str, Self); 9] = [
        ("anonymous", Self::Anonymous),
        ("lead", Self::Lead),
        ("mql", Self::Mql),
        ("sql", Self::Sql),
        ("opportunity", Self::Opportunity),
        ("customer", Self::Customer),
        ("advocate", Self::Advocate),
        ("lost", Self::Lost),
        ("recycled", Self::Recycled),
    ];
    /// Those that follow each other.
    const FUNNEL: [Self; 7] = [
        Self::Anonymous,
        Self::Lead,
        Self::Mql,
        Self::Sql,
        Self::Opportunity,
        Self::Customer,
        Self::Advocate,
    ];

    /// Its public name.
    pub fn as_str(self) -> &'static str {
        Self::NAMED.iter().find(|(_, stage)| *stage == self).map_or("", |(name, _)| name)
    }

    /// Its place on the way; `None` for those beside it.
    fn place(self) -> Option<usize> {
        Self::FUNNEL.iter().position(|stage| *stage == self)
    }
}

/// A name that is not a stage's. Never quotes it: who shows the error names its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a stage; use one of {names}", names = Stage::NAMED.map(|(name, _)| name).join(", "))]
pub struct StageError;

impl FromStr for Stage {
    type Err = StageError;

    fn from_str(text: &str) -> Result<Self, StageError> {
        let found = Self::NAMED.iter().find(|(name, _)| *name == text);
        found.map(|(_, stage)| *stage).ok_or(StageError)
    }
}

/// Who told something of a lead.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A program, by the API.
    Api,
    /// A CRM, by its connection's name.
    Crm(String),
    /// A rule of this program.
    Rule,
    /// A person, by name.
    User(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api => formatter.write_str("api"),
            Self::Crm(name) => write!(formatter, "crm:{name}"),
            Self::Rule => formatter.write_str("rule"),
            Self::User(name) => write!(formatter, "user:{name}"),
        }
    }
}

/// That a lead entered a stage, as it was told. Never changed once it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StageChange {
    /// The stage.
    pub to: Stage,
    /// When it was entered, Unix milliseconds.
    pub entered_at_ms: i64,
    /// When that was recorded, Unix milliseconds.
    pub recorded_at_ms: i64,
    /// Who told it.
    pub by: Origin,
    /// Why, in the teller's words.
    pub reason: Option<String>,
    /// By what the same change is known when it is told again, among those of one origin.
    pub reference: String,
}

/// A step of a lead's history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StageEntry {
    /// The stage before.
    pub from: Stage,
    /// The stage from now on.
    pub to: Stage,
    /// When it was entered.
    pub entered_at_ms: i64,
    /// When that was recorded.
    pub recorded_at_ms: i64,
    /// Who told it.
    pub by: Origin,
    /// Why.
    pub reason: Option<String>,
    /// Whether it was not told, and follows from a later stage.
    pub implied: bool,
    /// By what it is known; `None` for the first step, which nobody tells.
    pub reference: Option<String>,
}

/// A lead's history of stages. Its first step is from anonymous to lead; the default has none, as of a
/// lead that is only proposed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LifeCycle(Vec<StageEntry>);

impl LifeCycle {
    /// The history of a lead that was created at a time, from what was told of it, in any order.
    pub fn of<'a>(created_at_ms: i64, changes: impl IntoIterator<Item = &'a StageChange>) -> Self {
        let mut changes: Vec<&StageChange> = changes.into_iter().collect();
        changes.sort_by_key(|change| {
            let StageChange { to, entered_at_ms, recorded_at_ms, by, reason, reference } = change;
            (*entered_at_ms, *recorded_at_ms, *to, by, reference, reason)
        });
        // A CRM may know the person for longer.
        let begun_at_ms = changes.first().map_or(i64::MAX, |first| first.entered_at_ms);
        let mut history = vec![StageEntry {
            from: Stage::Anonymous,
            to: Stage::Lead,
            entered_at_ms: created_at_ms.min(begun_at_ms),
            recorded_at_ms: created_at_ms,
            by: Origin::Rule,
            reason: None,
            implied: false,
            reference: None,
        }];
        // The last stage on the way, which one beside it is left from, and the stage.
        let (mut reached, mut stage) = (1, Stage::Lead);
        for change in changes {
            if change.to == stage {
                continue;
            }
            let mut enter = |to: Stage, implied: bool| {
                history.push(StageEntry {
                    from: stage,
                    to,
                    entered_at_ms: change.entered_at_ms,
                    recorded_at_ms: change.recorded_at_ms,
                    by: change.by.clone(),
                    reason: change.reason.clone().filter(|_| !implied),
                    implied,
                    reference: Some(change.reference.clone()),
                });
                stage = to;
            };
            if let Some(place) = change.to.place() {
                for skipped in Stage::FUNNEL.into_iter().take(place).skip(reached + 1) {
                    enter(skipped, true);
                }
                reached = place;
            }
            enter(change.to, false);
        }
        Self(history)
    }

    /// The steps in the order of their times.
    pub fn history(&self) -> &[StageEntry] {
        &self.0
    }

    /// The stage that the lead is in, and since when.
    pub fn present(&self) -> (Stage, i64) {
        let last = self.0.last();
        last.map_or((Stage::Anonymous, 0), |entry| (entry.to, entry.entered_at_ms))
    }

    /// When a stage was first reached.
    pub fn first_ms(&self, stage: Stage) -> Option<i64> {
        self.0.iter().find(|entry| entry.to == stage).map(|entry| entry.entered_at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const CREATED_MS: i64 = 100;

    fn change(to: Stage, entered_at_ms: i64, recorded_at_ms: i64) -> StageChange {
        let reference = format!("{} {entered_at_ms} {recorded_at_ms}", to.as_str());
        let by = Origin::Api;
        StageChange { to, entered_at_ms, recorded_at_ms, by, reason: None, reference }
    }

    /// Changes as `stage@time`, and the history as `stage@time`, implied ones with a `~`.
    fn check(reported: &str, expected: &str) {
        let read = |(recorded_at_ms, word): (i64, &str)| {
            let (stage, at) = word.split_once('@').unwrap();
            change(stage.parse().unwrap(), at.parse().unwrap(), recorded_at_ms)
        };
        let changes: Vec<_> = (0..).zip(reported.split_whitespace()).map(read).collect();
        let cycle = LifeCycle::of(CREATED_MS, &changes);
        let steps = cycle.history().iter().map(|entry| {
            let mark = if entry.implied { "~" } else { "" };
            format!("{mark}{}@{}", entry.to.as_str(), entry.entered_at_ms)
        });
        assert_eq!(steps.collect::<Vec<_>>().join(" "), expected, "{reported}");
        for pair in cycle.history().windows(2) {
            assert_eq!(pair[0].to, pair[1].from, "{reported}");
        }
    }

    #[test]
    fn histories() {
        check("", "lead@100");
        check("mql@110 sql@120", "lead@100 mql@110 sql@120");
        // skipped
        check("customer@150", "lead@100 ~mql@150 ~sql@150 ~opportunity@150 customer@150");
        check(
            "sql@120 advocate@130",
            "lead@100 ~mql@120 sql@120 ~opportunity@130 ~customer@130 advocate@130",
        );
        // back, and forward again
        check("mql@110 lead@120 sql@130", "lead@100 mql@110 lead@120 ~mql@130 sql@130");
        // late
        check("sql@130 mql@110", "lead@100 mql@110 sql@130");
        check("lost@130 mql@110", "lead@100 mql@110 lost@130");
        // twice, and what it is in already
        check("mql@110 mql@110 mql@120", "lead@100 mql@110");
        check("lead@120", "lead@100");
        // of one time the one recorded later
        check("sql@120 lost@120", "lead@100 ~mql@120 sql@120 lost@120");
        check("lost@120 mql@120", "lead@100 lost@120 mql@120");
        // beside the way: it goes on where it was left
        check(
            "sql@110 lost@120 recycled@130 opportunity@140",
            "lead@100 ~mql@110 sql@110 lost@120 recycled@130 opportunity@140",
        );
        check("lost@110 sql@120", "lead@100 lost@110 ~mql@120 sql@120");
        check("recycled@110 lead@120", "lead@100 recycled@110 lead@120");
        // known to the CRM for longer
        check("mql@50", "lead@50 mql@50");
        check("lead@50 mql@200", "lead@50 mql@200");
    }

    #[test]
    fn names() {
        for (name, stage) in Stage::NAMED {
            assert_eq!((name.parse(), stage.as_str()), (Ok(stage), name));
            assert_eq!(json!(stage), name);
        }
        let error = "Sold".parse::<Stage>().unwrap_err().to_string();
        assert!(error.starts_with("not a stage; use one of anonymous, lead, "), "{error}");
    }

    fn any_changes() -> impl Strategy<Value = Vec<StageChange>> {
        let any = (1..9_usize, 90..120_i64, 0..50_i64);
        let any = any.prop_map(|(stage, at, reported)| change(Stage::NAMED[stage].1, at, reported));
        prop::collection::vec(any, 0..12)
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_is_no_matter(
            (reported, shuffled) in any_changes().prop_flat_map(|reported| (Just(reported.clone()), Just(reported).prop_shuffle())),
        ) {
            prop_assert_eq!(LifeCycle::of(CREATED_MS, &reported), LifeCycle::of(CREATED_MS, &shuffled));
        }

        #[test]
        fn told_twice_is_told_once(reported in any_changes()) {
            let twice = reported.iter().chain(&reported);
            prop_assert_eq!(LifeCycle::of(CREATED_MS, twice), LifeCycle::of(CREATED_MS, &reported));
        }

        #[test]
        fn what_was_reached_stays_so(reported in any_changes(), further in any_changes()) {
            let before = LifeCycle::of(CREATED_MS, &reported);
            let after = LifeCycle::of(CREATED_MS, reported.iter().chain(&further));
            for (_, stage) in Stage::NAMED {
                if let Some(first) = before.first_ms(stage) {
                    prop_assert!(after.first_ms(stage).is_some_and(|now| now <= first), "{stage:?}");
                }
            }
            let latest = reported.iter().max_by_key(|change| (change.entered_at_ms, change.recorded_at_ms, change.to));
            prop_assert_eq!(before.present().0, latest.map_or(Stage::Lead, |change| change.to));
        }

        #[test]
        fn no_stage_is_skipped(reported in any_changes()) {
            let cycle = LifeCycle::of(CREATED_MS, &reported);
            let highest = cycle.history().iter().filter_map(|entry| entry.to.place()).max();
            for stage in Stage::FUNNEL.into_iter().take(highest.unwrap_or(0)).skip(1) {
                prop_assert!(cycle.first_ms(stage).is_some(), "{stage:?}");
            }
        }
    }
}
