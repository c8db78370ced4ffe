//! The fields of the journey: counts, paths, and the journey in words and as JSON.

use super::facts::{Facts, OfLead};
use super::kind::FieldKind;
use super::row::{Row, row};
use super::summary;
use crate::limits::DAY_MS;
use crate::time::rfc3339;
use crate::visit::Touch;
use serde_json::Value;
use std::fmt::Write;

/// The longest `channel_path` and `source_path`, in characters.
const PATH: usize = 1000;
/// Marks the steps left out of a path that is too long.
const LEFT_OUT: &str = "…";

/// The fields of the journey. If the journey is unknown, so are its counts.
pub(super) const JOURNEY: [Row<OfLead>; 12] = [
    row(
        "first_visit_at",
        FieldKind::Time,
        "First visit at",
        "When the first visit began.",
        |facts| facts.first_visit_ms().map(rfc3339).into(),
    ),
    row(
        "visits_count",
        FieldKind::Integer,
        "Visits before conversion",
        "Visits up to the conversion, including the one that converted.",
        |facts| {
            let summed_up = facts.history.left_out.visits as usize;
            count(facts, facts.history.visits.len() + summed_up)
        },
    ),
    row(
        "pageviews_count",
        FieldKind::Integer,
        "Page views before conversion",
        "Page views up to the conversion.",
        |facts| count(facts, facts.history.page_views as usize),
    ),
    row(
        "touchpoints_count",
        FieldKind::Integer,
        "Touchpoints before conversion",
        "Touches up to the conversion, including direct ones.",
        |facts| {
            let summed_up = facts.history.left_out.touches as usize;
            count(facts, facts.history.touches.len() + summed_up)
        },
    ),
    row(
        "distinct_channels_count",
        FieldKind::Integer,
        "Distinct channels",
        "The number of different channels of the touches.",
        |facts| {
            let mut channels = facts.history.left_out.channels.clone();
            channels.extend(facts.history.touches.iter().map(|touch| touch.label.channel));
            count(facts, channels.len())
        },
    ),
    row(
        "seconds_to_convert",
        FieldKind::Integer,
        "Seconds to convert",
        "Seconds from the first visit to the conversion.",
        |facts| facts.taken_ms().map(|taken_ms| taken_ms / 1000).into(),
    ),
    row(
        "days_to_convert",
        FieldKind::Integer,
        "Days to convert",
        "Whole days from the first visit to the conversion.",
        |facts| facts.taken_ms().map(|taken_ms| taken_ms / DAY_MS).into(),
    ),
    row(
        "channel_path",
        FieldKind::Text(PATH),
        "Channel path",
        "The channels in order, repeats collapsed: `paid_search > direct ×2`.",
        |facts| {
            let same = |left: &Touch, right: &Touch| left.label.channel == right.label.channel;
            path(&facts.history.touches, same, |touch, step| *step += touch.label.channel.as_str())
        },
    ),
    row(
        "source_path",
        FieldKind::Text(PATH),
        "Source path",
        "Source and medium in order, repeats collapsed: `google / cpc > (direct) / (none)`.",
        |facts| {
            let same = |left: &Touch, right: &Touch| {
                (&left.label.source, &left.label.medium)
                    == (&right.label.source, &right.label.medium)
            };
            path(&facts.history.touches, same, |touch, step| {
                let _ = write!(step, "{} / {}", touch.label.source, touch.label.medium);
            })
        },
    ),
    row(
        "journey_summary",
        FieldKind::LongText,
        "Journey",
        "The journey in words, one line per step, newest last, at most 20 lines.",
        |facts| {
            let summary = summary::describe(facts.history, facts.long_text);
            Some(summary).filter(|summary| !summary.is_empty()).into()
        },
    ),
    row(
        "journey_json",
        FieldKind::Json,
        "Journey as JSON",
        "The touches as a JSON array; touches in the middle are left out if it would be too long for the target.",
        |facts| facts.is_known().then(|| facts.history.touches_text(facts.long_text)).into(),
    ),
    row(
        "journey_url",
        FieldKind::Url(500),
        "Journey link",
        "The page that shows the journey; always `null`, because there is no such page yet.",
        |_| Value::Null,
    ),
];

impl Facts<'_> {
    /// Whether the lead's journey is known.
    fn is_known(&self) -> bool {
        !self.history.touches.is_empty()
    }

    fn first_visit_ms(&self) -> Option<i64> {
        self.history.visits.first().map(|visit| visit.at_ms)
    }

    /// From the first visit to the conversion, at least 0: a browser's clock may run ahead.
    fn taken_ms(&self) -> Option<i64> {
        let converted_at_ms = self.conversion?.at_ms;
        Some(converted_at_ms.saturating_sub(self.first_visit_ms()?).max(0))
    }
}

fn count(facts: &Facts<'_>, number: usize) -> Value {
    facts.is_known().then_some(number).into()
}

/// The steps of a journey, with repeats collapsed. A path that is too long keeps its first step and
/// as many of the last ones as fit.
fn path(
    touches: &[Touch],
    same: impl Fn(&Touch, &Touch) -> bool,
    name: impl Fn(&Touch, &mut String),
) -> Value {
    let step = |run: &[Touch]| {
        let mut step = String::new();
        run.first().inspect(|touch| name(touch, &mut step));
        if run.len() > 1 {
            let _ = write!(step, " ×{}", run.len());
        }
        step
    };
    let steps: Vec<String> = touches.chunk_by(|left, right| same(left, right)).map(step).collect();
    let Some((first, rest)) = steps.split_first() else { return Value::Null };
    let length = |step: &String| " > ".len() + step.chars().count();
    let whole = first.chars().count() + rest.iter().map(length).sum::<usize>();
    if whole <= PATH {
        return steps.join(" > ").into();
    }
    let mut room = PATH.saturating_sub(first.chars().count() + " > …".chars().count());
    let fitting = rest.iter().rev().take_while(|step| {
        let left = room.checked_sub(length(step));
        room = left.unwrap_or(0);
        left.is_some()
    });
    let mut kept: Vec<&str> = fitting.map(String::as_str).collect();
    kept.extend([LEFT_OUT, first]);
    kept.reverse();
    kept.join(" > ").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::view;
    use crate::visit::Journey;

    fn check(sources: &[&str], expected: &str) {
        const HOUR: i64 = 60 * 60 * 1000;
        let views: Vec<_> =
            (0..).zip(sources).map(|(hour, source)| view(hour * HOUR, source)).collect();
        let touches = Journey::derive(&views).touches;
        let same = |left: &Touch, right: &Touch| left.label.source == right.label.source;
        let path = path(&touches, same, |touch, step| *step += &touch.label.source);
        assert_eq!(path.as_str().unwrap_or_default(), expected);
    }

    #[test]
    fn paths() {
        check(&[], "");
        check(&["a"], "a");
        check(&["a", "b", "b", "a"], "a > b ×2 > a");
        check(&["a", "a", "a"], "a ×3");
        // 252 characters a step: first, mark and the last two fit, the last three do not
        let names = ["a", "b", "c", "d", "e"].map(|name| name.repeat(252));
        let [a, b, c, d, e] = names.each_ref().map(String::as_str);
        check(&[a, b, c], &[a, b, c].join(" > "));
        check(&[a, b, c, d, e], &[a, "…", d, e].join(" > "));
        // exactly the field's length, and one more
        let step = |name: &str, length| name.repeat(length);
        let just = [step("a", 250), step("b", 250), step("c", 250), step("d", 241)];
        let just = just.each_ref().map(String::as_str);
        check(&just, &just.join(" > "));
        let over = [step("a", 250), step("b", 250), step("c", 250), step("d", 242)];
        let [a, b, c, d] = over.each_ref().map(String::as_str);
        check(&[a, b, c, d], &[a, "…", c, d].join(" > "));
    }
}
