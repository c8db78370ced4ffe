//! Both ends of a long journey, and its pages.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use shared::testing::view;

const MINUTE: i64 = 60_000;

fn history(minutes: &[i64]) -> History {
    let views =
        minutes.iter().map(|at| view(at * MINUTE, ["google", "bing", ""][*at as usize % 3]));
    History::of_visitor(&views.collect(), i64::MAX)
}

fn lengths(journey: &Journey<'_>) -> [usize; 3] {
    [journey.touches.len(), journey.visits.len(), journey.pages.len()]
}

#[test]
fn the_ends_of_a_long_history() {
    let history = history(&(0..900).map(|n| n * 31).collect::<Vec<_>>());
    let ends = Journey::ends(&history);
    assert_eq!(lengths(&ends), [limits::SHOWN; 3]);
    let numbers: Vec<Value> =
        json!(ends.touches).as_array().unwrap().iter().map(|touch| touch["n"].clone()).collect();
    assert_eq!((&numbers[0], &numbers[limits::SHOWN - 1]), (&json!(1), &json!(900)));
    let unlisted = 900 - limits::SHOWN;
    let expected = LeftOut {
        touches: unlisted,
        visits: unlisted,
        pages: unlisted,
        conversions: 0,
        visitors: None,
    };
    assert_eq!(ends.left_out, expected);
}

#[test]
fn cursors_are_read_as_written() {
    let cursor = Cursor { at_ms: -5, page: EventId::new(7, [1; 10]) };
    assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
    for wrong in ["", "5", "x_y", "5_", "5_00000000-0000-0000-0000-000000000000"] {
        assert_eq!(Cursor::parse(wrong), None, "{wrong}");
    }
}

proptest! {
    /// The pages of a history hold everything once, in order.
    #[test]
    fn pages_make_the_whole(mut minutes in proptest::collection::vec(0..400i64, 0..40), limit in 1..9usize) {
        minutes.sort_unstable();
        let history = history(&minutes);
        let (whole, none) = Journey::page(&history, None, usize::MAX);
        prop_assert_eq!(none, None);
        let (mut after, mut pages) = (None, Vec::new());
        loop {
            let (page, next) = Journey::page(&history, after, limit);
            prop_assert!(lengths(&page).iter().all(|length| *length <= limit));
            pages.push(json!(page));
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let whole = json!(whole);
        for list in ["touches", "visits", "pages", "conversions"] {
            let parts = pages.iter().flat_map(|page| page[list].as_array().unwrap().clone());
            prop_assert_eq!(&Value::Array(parts.collect()), &whole[list], "{}", list);
        }
    }
}
