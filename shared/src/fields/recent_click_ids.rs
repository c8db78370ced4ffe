//! The click ids reported with a conversion.
//!
//! Platforms accept a conversion only for a click of the last 90 days, so older ids are left out.
//! If a page view has several, each is kept.

use crate::journey::History;
use crate::limits::DAY_MS;

/// How long after a click its id is reported.
pub(super) const WINDOW_MS: i64 = 90 * DAY_MS;

/// The click ids that have a field.
pub(super) const NAMES: [&str; 7] =
    ["gclid", "gbraid", "wbraid", "msclkid", "fbclid", "li_fat_id", "ttclid"];
/// The index of Meta's click id in [`NAMES`].
pub(super) const FBCLID: usize = 4;

/// For each of [`NAMES`], when it was last seen within the window (Unix milliseconds), and its
/// value.
pub(super) type ClickIds<'a> = [Option<(i64, &'a str)>; NAMES.len()];

/// Finds the click ids to report with a conversion at that time.
pub(super) fn find(history: &History, converted_at_ms: i64) -> ClickIds<'_> {
    let mut found: ClickIds<'_> = [None; NAMES.len()];
    let begin_ms = converted_at_ms.saturating_sub(WINDOW_MS);
    for page in history.pages.iter().rev().take_while(|page| page.at_ms >= begin_ms) {
        for id in &page.evidence.click_ids {
            let place = NAMES.iter().position(|name| *name == id.name);
            if let Some(unseen) = place.map(|place| &mut found[place]).filter(|id| id.is_none()) {
                *unseen = Some((page.at_ms, &id.value));
            }
        }
    }
    found
}
