//! All models on small journeys, and properties that hold for any journey.

use super::*;
use crate::limits::DAY_MS;
use markov::{Chain, Effects, MOST_CHANNELS, TooManyChannels, share_out};
use proptest::prelude::*;
use std::collections::BTreeSet;

const DAY: f64 = DAY_MS as f64;

/// Touches as days before the conversion and a channel's letter; `d` is direct.
fn steps(text: &str) -> Vec<Step> {
    let step = |word: &str| {
        let (channel, days) = word.split_at(1);
        let days: f64 = days.parse().unwrap();
        let channel = channel.bytes().next().unwrap();
        Step { at_ms: -days * DAY, is_direct: channel == b'd', channel: (channel - b'a').into() }
    };
    text.split_whitespace().map(step).collect()
}

fn near(credits: &[f64], expected: &[f64]) -> bool {
    let same = |(one, other): (&f64, &f64)| (one - other).abs() < 1e-12;
    credits.len() == expected.len() && credits.iter().zip(expected).all(same)
}

fn check_rule(rule: &Rule, journey: &str, milestones: Milestones, expected: &[f64]) {
    let steps = steps(journey);
    let journey = Journey { steps: &steps, converted_at_ms: 0.0, milestones };
    let credits = rule.credits(&journey, &[]);
    assert!(near(&credits, expected), "{rule:?} {journey:?}: {credits:?}, not {expected:?}");
}

fn check(model: Model, journey: &str, expected: &[f64]) {
    let to_lead = Milestones { lead_at_ms: Some(0.0), ..Milestones::default() };
    check_rule(&Rule::new(model), journey, to_lead, expected);
}

/// Milestones as days before the conversion.
fn check_milestones(model: Model, journey: &str, days: [Option<f64>; 3], expected: &[f64]) {
    let [lead_at_ms, opportunity_at_ms, closed_at_ms] = days.map(|days| days.map(|d| -d * DAY));
    let milestones = Milestones { lead_at_ms, opportunity_at_ms, closed_at_ms };
    check_rule(&Rule::new(model), journey, milestones, expected);
}

#[test]
fn one_touch_takes_all_and_none_takes_nothing() {
    for (name, model) in Model::NAMED {
        check(model, "a3", &[1.0]);
        check(model, "d3", &[1.0]);
        check(model, "", &[]);
        assert_eq!(name.parse(), Ok(model));
        assert_eq!(model.to_string(), name);
    }
    let error = "median".parse::<Model>().unwrap_err().to_string();
    assert!(error.contains("`median`") && error.ends_with("markov, shapley"), "{error}");
}

#[test]
fn by_place() {
    check(Model::First, "a9 b8 c7", &[1.0, 0.0, 0.0]);
    check(Model::Last, "a9 b8 d7", &[0.0, 0.0, 1.0]);
    check(Model::LastNonDirect, "a9 b8 d7", &[0.0, 1.0, 0.0]);
    check(Model::LastNonDirect, "d9 d8", &[0.0, 1.0]);
    check(Model::Linear, "a9 b8 c7 a6", &[0.25; 4]);
    check(Model::Position, "a9 b8", &[0.5, 0.5]);
    check(Model::Position, "a9 b8 c7", &[0.4, 0.2, 0.4]);
    check(Model::Position, "a9 b8 c7 e6", &[0.4, 0.1, 0.1, 0.4]);
    check(Model::J, "a9 b8", &[0.25, 0.75]);
    check(Model::J, "a9 b8 c7", &[0.2, 0.2, 0.6]);
    check(Model::InverseJ, "a9 b8", &[0.75, 0.25]);
    check(Model::InverseJ, "a9 b8 c7", &[0.6, 0.2, 0.2]);
}

#[test]
fn position_takes_any_weights() {
    let check = |weights: &str, journey: &str, expected: &[f64]| {
        let rule = Rule { weights: weights.parse().unwrap(), ..Rule::new(Model::Position) };
        check_rule(&rule, journey, Milestones::default(), expected);
    };
    check("30/0/70", "a9 b8", &[0.3, 0.7]);
    check("30/0/70", "a9 b8 c7", &[0.3, 0.0, 0.7]);
    check("1/2/1", "a9 b8 c7 e6", &[0.25; 4]);
    check("0/1/0", "a9 b8", &[0.5, 0.5]);
    check("0/1/0", "a9 b8 c7", &[0.0, 1.0, 0.0]);
    for text in ["", "40/20", "40/20/40/0", "0/0/0", "-1/2/3", "NaN/1/1", "inf/1/1", "a/b/c"] {
        assert!(text.parse::<Weights>().is_err(), "{text}");
    }
}

#[test]
fn by_time() {
    check(Model::TimeDecay, "a14 b7 c0", &[1.0 / 7.0, 2.0 / 7.0, 4.0 / 7.0]);
    check(Model::TimeDecay, "a3 b3", &[0.5, 0.5]);
    let day =
        Rule { half_life: "1".parse().unwrap(), look_back: None, ..Rule::new(Model::TimeDecay) };
    check_rule(
        &day,
        "a2.5 b2 c1.5",
        Milestones::default(),
        &[0.226_540_919_660_986, 0.320_377_241_017_067_3, 0.453_081_839_321_972],
    );
    // However old the touches are, nothing is divided by zero.
    check_rule(&day, "a4000001 b4000000", Milestones::default(), &[1.0 / 3.0, 2.0 / 3.0]);
    check_rule(&day, "a1e300 b1", Milestones::default(), &[0.0, 1.0]);
    for text in ["0", "-1", "NaN", "inf", "week", ""] {
        assert!(text.parse::<Days>().is_err(), "{text}");
    }
}

#[test]
fn by_channel() {
    check(Model::Shapley, "a9 b8", &[0.5, 0.5]);
    check(Model::Shapley, "a9 b8 a7", &[0.25, 0.5, 0.25]);
    check(Model::Shapley, "a9 a8", &[0.5, 0.5]);
    let steps = steps("a9 b8 a7 c6");
    let journey = Journey::to_lead(&steps, 0.0);
    let markov = Rule::new(Model::Markov);
    assert!(near(&markov.credits(&journey, &[0.5, 1.0]), &[0.25, 0.5, 0.25, 0.0]));
    assert!(near(&markov.credits(&journey, &[0.0; 3]), &[0.25; 4]));
}

#[test]
fn by_milestone() {
    use Model::{FullPath, U, W};
    // Only the lead's creation.
    check(U, "a9 b8", &[0.5, 0.5]);
    check(U, "a9 b8 c7", &[0.4, 0.2, 0.4]);
    check(U, "a9 b8 c7 e6", &[0.4, 0.1, 0.1, 0.4]);
    check(W, "a9 b8 c7", &[3.0 / 7.0, 1.0 / 7.0, 3.0 / 7.0]);
    check(FullPath, "a9 b8 c7", &[22.5 / 55.0, 10.0 / 55.0, 22.5 / 55.0]);
    // All milestones, each with its own touch.
    check_milestones(W, "a9 b8 c7 e6", [Some(8.0), Some(6.0), None], &[0.3, 0.3, 0.1, 0.3]);
    check_milestones(W, "a9 b8 c7", [Some(8.0), Some(7.0), None], &[1.0 / 3.0; 3]);
    let all = [Some(8.0), Some(6.5), Some(0.0)];
    check_milestones(FullPath, "a9 b8 c7 e6 f5", all, &[0.225, 0.225, 0.225, 0.1, 0.225]);
    check_milestones(FullPath, "a9 b8 c7 f5", all, &[0.25; 4]);
    // A milestone's touch is the last one at or before it.
    check_milestones(W, "a9 b8 c7 e6", [Some(7.5), Some(0.0), None], &[0.3, 0.3, 0.1, 0.3]);
    // One touch has several milestones: their shares add up.
    check_milestones(W, "a9 b8 c7", [Some(0.5), Some(0.0), None], &[0.3, 0.1, 0.6]);
    check_milestones(W, "a9 b8", [Some(0.5), Some(0.0), None], &[1.0 / 3.0, 2.0 / 3.0]);
    check_milestones(W, "a9 b8 c7", [Some(9.0), Some(9.0), None], &[1.0, 0.0, 0.0]);
    check_milestones(FullPath, "a9 b8", [Some(9.0), Some(9.0), Some(1.0)], &[0.75, 0.25]);
    // A milestone that has not happened or has no touch leaves its share to the rest.
    check_milestones(U, "a9 b8 c7", [None; 3], &[2.0 / 3.0, 1.0 / 6.0, 1.0 / 6.0]);
    check_milestones(U, "a9", [None; 3], &[1.0]);
    let early = [Some(10.0), Some(0.0), None];
    check_milestones(W, "a9 b8 c7", early, &[3.0 / 7.0, 1.0 / 7.0, 3.0 / 7.0]);
    // Touches count up to the model's last milestone: U ends with the lead, not with the sale.
    let days = [Some(8.0), None, Some(1.0)];
    check_milestones(U, "a9 b8 c7", days, &[0.5, 0.5, 0.0]);
    let third = 1.0 / 3.0;
    check_milestones(FullPath, "a9 b8 c7 e0", days, &[third, third, third, 0.0]);
}

#[test]
fn what_counts() {
    // Touches after the conversion or before the window do not count; the edge of the window does.
    check(Model::Linear, "a90.01 b90 c0 e-1", &[0.0, 0.5, 0.5, 0.0]);
    check(Model::First, "a91 b90", &[0.0, 1.0]);
    check(Model::Last, "a1 b-0.5", &[1.0, 0.0]);
    check(Model::U, "a91 b50 c1", &[0.0, 0.5, 0.5]);
    check(Model::Linear, "a91 b-1", &[0.0, 0.0]);
    let all = Rule { look_back: None, ..Rule::new(Model::First) };
    check_rule(&all, "a9999 b1", Milestones::default(), &[1.0, 0.0]);
    // Direct touches are dropped, unless all touches that count are direct.
    for (model, journey, expected) in [
        (Model::Linear, "d3 a2 d1", &[0.0, 1.0, 0.0][..]),
        (Model::Last, "a3 b2 d1", &[0.0, 1.0, 0.0]),
        (Model::First, "d3 d2", &[1.0, 0.0]),
        (Model::First, "a99 d3 d2", &[0.0, 1.0, 0.0]),
        (Model::Position, "a4 d3 b2 d1", &[0.5, 0.0, 0.5, 0.0]),
    ] {
        let rule = Rule { direct: Direct::Drop, ..Rule::new(model) };
        check_rule(&rule, journey, Milestones::default(), expected);
    }
}

#[test]
fn who_wins() {
    for (credits, expected) in [
        (&[][..], None),
        (&[0.0, 0.0], None),
        (&[0.4, 0.2, 0.4], Some(2)),
        (&[0.5, 0.25, 0.25], Some(0)),
        (&[0.0, 1.0, 0.0], Some(1)),
    ] {
        assert_eq!(winner(credits), expected, "{credits:?}");
    }
}

fn chain(paths: &[(&str, f64, f64, f64)]) -> Chain {
    let mut chain = Chain::default();
    for (path, conversions, nulls, value) in paths {
        let path = path.bytes().map(|channel| usize::from(channel - b'a'));
        chain.add(path, *conversions, *nulls, *value).unwrap();
    }
    chain
}

#[test]
fn removal_effects() {
    let check = |paths: &[(&str, f64, f64, f64)], conversions: &[f64], values: &[f64]| {
        let found = chain(paths).effects();
        assert!(near(&found.conversions, conversions), "{paths:?}: {:?}", found.conversions);
        assert!(near(&found.values, values), "{paths:?}: {:?}", found.values);
    };
    check(&[("a", 1.0, 0.0, 5.0)], &[1.0], &[1.0]);
    check(&[("ab", 1.0, 0.0, 5.0)], &[1.0, 1.0], &[1.0, 1.0]);
    check(&[("a", 3.0, 1.0, 3.0), ("b", 1.0, 1.0, 9.0)], &[0.75, 0.25], &[0.25, 0.75]);
    // Repeats of a channel change nothing.
    check(&[("aaab", 1.0, 2.0, 0.0), ("bb", 1.0, 0.0, 1.0)], &[0.75, 1.0], &[0.75, 1.0]);
    // No conversions, no paths, and a channel that never occurred.
    check(&[("ab", 0.0, 5.0, 0.0)], &[0.0, 0.0], &[0.0, 0.0]);
    check(&[("ab", 0.0, 0.0, 0.0)], &[0.0, 0.0], &[0.0, 0.0]);
    check(&[("", 1.0, 0.0, 0.0)], &[], &[]);
    check(&[("c", 1.0, 0.0, 0.0)], &[0.0, 0.0, 1.0], &[0.0; 3]);
    assert_eq!(chain(&[]).effects(), Effects::default());
    assert_eq!(Chain::default().add([MOST_CHANNELS], 1.0, 0.0, 0.0), Err(TooManyChannels));
    assert_eq!(share_out(10.0, &[0.5, 0.0, 1.5]), [2.5, 0.0, 7.5]);
    assert_eq!(share_out(10.0, &[0.0, 0.0]), [0.0, 0.0]);
}

/// Channels, conversions, nulls, value.
type Path = (Vec<usize>, u32, u32, u32);

/// Paths over six channels.
fn any_paths() -> impl Strategy<Value = Vec<Path>> {
    let path = prop::collection::vec(0..6_usize, 1..8);
    prop::collection::vec((path, 0..5_u32, 0..5_u32, 0..100_u32), 1..12)
}

/// The removal effect by definition: the probability of conversion, computed by walking many steps,
/// when every step into a channel leads to null.
fn effects_by_walking(paths: &[Path], pays: impl Fn(&Path) -> f64) -> Vec<f64> {
    let probability = |removed: usize| {
        let (mut steps, mut out, mut pay) = ([[0.0; 6]; 7], [0.0; 7], [0.0; 7]);
        for path in paths {
            let count = f64::from(path.1 + path.2);
            let mut from = 6;
            for &to in &path.0 {
                out[from] += count;
                if to != removed {
                    steps[from][to] += count;
                }
                from = to;
            }
            out[from] += count;
            pay[from] += pays(path);
        }
        let (mut here, mut paid) = ([0.0; 7], 0.0);
        here[6] = 1.0;
        for _ in 0..1500 {
            let mut next = [0.0; 7];
            for from in (0..7).filter(|from| out[*from] > 0.0) {
                paid += here[from] * pay[from] / out[from];
                for to in 0..6 {
                    next[to] += here[from] * steps[from][to] / out[from];
                }
            }
            here = next;
        }
        paid
    };
    let whole = probability(usize::MAX);
    (0..6)
        .map(|channel| if whole > 0.0 { 1.0 - probability(channel) / whole } else { 0.0 })
        .collect()
}

proptest! {
    #[test]
    fn credits_add_up(
        days in prop::collection::vec((-5.0..200.0_f64, any::<bool>(), 0..5_usize), 0..20),
        model in prop::sample::select(Model::NAMED.map(|(_, model)| model).to_vec()),
        drop: bool,
        milestones in prop::array::uniform3(prop::option::of(-5.0..150.0_f64)),
        effects in prop::collection::vec(0.0..1.0, 0..6),
    ) {
        let mut steps: Vec<Step> = days.into_iter()
            .map(|(days, is_direct, channel)| Step { at_ms: -days * DAY, is_direct, channel })
            .collect();
        steps.sort_by(|one, other| one.at_ms.total_cmp(&other.at_ms));
        let [lead_at_ms, opportunity_at_ms, closed_at_ms] = milestones.map(|at| at.map(|d| -d * DAY));
        let milestones = Milestones { lead_at_ms, opportunity_at_ms, closed_at_ms };
        let journey = Journey { steps: &steps, converted_at_ms: 0.0, milestones };
        let direct = if drop { Direct::Drop } else { Direct::Keep };
        let rule = Rule { direct, ..Rule::new(model) };
        let (credits, counted) = (rule.credits(&journey, &effects), rule.counted(&journey));
        let sum: f64 = credits.iter().sum();
        prop_assert!((sum - if counted.is_empty() { 0.0 } else { 1.0 }).abs() < 1e-12, "{credits:?}");
        prop_assert!(credits.iter().all(|credit| (0.0..=1.0).contains(credit)));
        prop_assert!(credits.iter().enumerate().all(|(n, credit)| *credit == 0.0 || counted.contains(&n)));
        prop_assert_eq!(winner(&credits).is_none(), counted.is_empty());
    }

    /// The result equals the definition over all coalitions, with v(S) = conversions whose channels
    /// are in S.
    #[test]
    fn shapley_by_all_coalitions(paths in any_paths()) {
        let mut ours = [0.0; 6];
        let factorial = |n: u32| f64::from((1..=n).product::<u32>());
        let worth = |coalition: u32| -> f64 {
            let within = |path: &&Path| path.0.iter().all(|c| coalition >> c & 1 == 1);
            paths.iter().filter(within).map(|path| f64::from(path.1)).sum()
        };
        for (path, conversions, ..) in &paths {
            let steps: Vec<Step> = path.iter()
                .map(|&channel| Step { at_ms: 0.0, is_direct: false, channel })
                .collect();
            let credits = Rule::new(Model::Shapley).credits(&Journey::to_lead(&steps, 0.0), &[]);
            for (channel, credit) in path.iter().zip(credits) {
                ours[*channel] += f64::from(*conversions) * credit;
            }
        }
        for channel in 0..6_u32 {
            let others = (0..64_u32).filter(|coalition| coalition >> channel & 1 == 0);
            let value: f64 = others.map(|coalition| {
                let size = coalition.count_ones();
                let weight = factorial(size) * factorial(5 - size) / factorial(6);
                weight * (worth(coalition | 1 << channel) - worth(coalition))
            }).sum();
            prop_assert!((value - ours[channel as usize]).abs() < 1e-9);
        }
    }

    /// The closed form equals the removal effect by definition.
    #[test]
    fn removal_by_walking(paths in any_paths()) {
        let mut chain = Chain::default();
        for (path, conversions, nulls, value) in &paths {
            let value = if *conversions > 0 { f64::from(*value) } else { 0.0 };
            chain.add(path.iter().copied(), f64::from(*conversions), f64::from(*nulls), value).unwrap();
        }
        let effects = chain.effects();
        let conversions = effects_by_walking(&paths, |path| f64::from(path.1));
        let values = effects_by_walking(&paths, |path| if path.1 > 0 { f64::from(path.3) } else { 0.0 });
        let channels: BTreeSet<usize> = paths.iter().flat_map(|path| path.0.iter().copied()).collect();
        for channel in channels {
            prop_assert!((effects.conversions[channel] - conversions[channel]).abs() < 1e-6);
            prop_assert!((effects.values[channel] - values[channel]).abs() < 1e-6);
        }
    }
}
