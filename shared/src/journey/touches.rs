//! The touches of a history as data: the field `journey_json`, of which the API shows more.

use super::history::History;
use crate::channel::Channel;
use crate::ids::VisitorId;
use crate::time::rfc3339;
use crate::visit::Touch;
use serde::Serialize;
use serde_json::json;

/// A touch as in the field `journey_json`. Unknown values are left out.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TouchEntry<'a> {
    /// Its number among all touches, from 1.
    pub n: usize,
    /// When it began: RFC 3339 in UTC.
    #[cfg_attr(feature = "schema", schema(format = DateTime))]
    pub at: String,
    /// Its channel: one of docs/sources.md, or of the operator's own.
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "paid_search"))]
    pub channel: Channel,
    /// Its source.
    #[cfg_attr(feature = "schema", schema(example = "google"))]
    pub source: &'a str,
    /// Its medium.
    #[cfg_attr(feature = "schema", schema(example = "cpc"))]
    pub medium: &'a str,
    /// Its campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<&'a str>,
    /// Its term: the paid keyword, from `utm_term`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term: Option<&'a str>,
    /// Its content: the ad or link, from `utm_content`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<&'a str>,
    /// The address of the page that it began with, without campaign tags, click ids and fragment.
    pub landing_page: &'a str,
    /// The referrer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrer: Option<&'a str>,
    /// The number of page views under it.
    pub pageviews: u32,
    /// Seconds up to the next touch of the visit, or to the visit's end.
    pub duration_s: i64,
    /// The parameter of its click id, such as `gclid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub click_id_type: Option<&'a str>,
    /// What the tracker reported under it: the kind, a colon and the count, such as `page_view:6`.
    pub events: Vec<String>,
    /// `true` if it is the last touch before a conversion in the same browser; otherwise left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversion: Option<bool>,
}

/// What only the neighbours of a touch tell, by its place.
struct Neighbours {
    /// Wall-clock milliseconds up to the next touch of the visit, or to the visit's end.
    durations_ms: Vec<i64>,
    converted: Vec<bool>,
}

impl History {
    /// The touches in the form of `journey_json`, as text of at most so many bytes: where that is
    /// too short for all, the first one, a mark of how many are left out, and the last that fit.
    pub fn touches_text(&self, limit: usize) -> String {
        let neighbours = self.neighbours();
        let text = |place| {
            let entry = self.entry(place, &neighbours);
            serde_json::to_string(&entry).unwrap_or_default()
        };
        let count = self.touches.len();
        let summed_up = self.left_out.touches as usize;
        let mark = |left_out: usize| json!({ "omitted": left_out }).to_string();
        if count == 0 {
            return "[]".to_owned();
        }
        let first = text(0);
        let mut length = "[]".len() + first.len();
        let mut last = Vec::new();
        for place in (1..count).rev() {
            let touch = text(place);
            let left_out = place - 1 + summed_up;
            let mark = if left_out == 0 { 0 } else { 1 + mark(left_out).len() };
            length += 1 + touch.len();
            if length + mark > limit {
                break;
            }
            last.push(touch);
        }
        let left_out = count - 1 - last.len() + summed_up;
        if left_out > 0 {
            last.push(mark(left_out));
        }
        last.push(first);
        last.reverse();
        let text = format!("[{}]", last.join(","));
        // Not even the first fits beside the mark.
        if text.len() > limit { format!("[{}]", mark(count + summed_up)) } else { text }
    }

    /// The touches at some places of [`History::touches`].
    pub fn touch_entries(
        &self,
        places: impl IntoIterator<Item = usize>,
    ) -> impl Iterator<Item = TouchEntry<'_>> {
        let neighbours = self.neighbours();
        places.into_iter().map(move |place| self.entry(place, &neighbours))
    }

    fn entry(&self, place: usize, neighbours: &Neighbours) -> TouchEntry<'_> {
        let touch = &self.touches[place];
        let label = &touch.label;
        let engaged = touch.engaged_pages;
        let mut events = vec![format!("page_view:{}", touch.page_views)];
        if engaged > 0 {
            events.push(format!("engaged_page:{engaged}"));
        }
        TouchEntry {
            n: self.number(place),
            at: rfc3339(touch.at_ms),
            channel: label.channel,
            source: &label.source,
            medium: &label.medium,
            campaign: label.campaign.as_deref(),
            term: label.term.as_deref(),
            content: label.content.as_deref(),
            landing_page: &touch.landing_page,
            referrer: label.referrer.as_deref(),
            pageviews: touch.page_views,
            duration_s: neighbours.durations_ms[place] / 1000,
            click_id_type: label.click_id.as_ref().map(|id| id.name.as_str()),
            events,
            conversion: neighbours.converted[place].then_some(true),
        }
    }

    fn neighbours(&self) -> Neighbours {
        let mut ends_ms: Vec<i64> = self.visits.iter().map(|visit| visit.active_at_ms).collect();
        let backwards = self.touches.iter().rev().map(|touch| {
            let end_ms = ends_ms.get_mut(touch.visit as usize);
            end_ms.map_or(0, |end_ms| {
                let from_ms = touch.at_ms;
                std::mem::replace(end_ms, from_ms).saturating_sub(from_ms).max(0)
            })
        });
        let mut durations_ms: Vec<i64> = backwards.collect();
        durations_ms.reverse();
        let mut converted = vec![false; self.touches.len()];
        for (number, conversion) in self.conversions.iter().enumerate() {
            // The history ends with the last conversion, whatever the browser's clock said.
            let is_last = number + 1 == self.conversions.len();
            let led_to = |(touch, browser): &(&Touch, &Option<VisitorId>)| {
                **browser == conversion.visitor && (is_last || touch.at_ms <= conversion.at_ms)
            };
            let touches = self.touches.iter().zip(&self.browsers).enumerate();
            let own = touches.rev().find(|(_, touch)| led_to(touch));
            if let (Some(_), Some((touch, _))) = (conversion.visitor, own) {
                converted[touch] = true;
            }
        }
        Neighbours { durations_ms, converted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::view;
    use serde_json::Value;

    const MINUTE: i64 = 60_000;

    fn history(sources: &[&str]) -> History {
        let views = (0..).zip(sources).map(|(number, source)| view(number * 31 * MINUTE, source));
        History::of_visitor(&views.collect(), i64::MAX)
    }

    /// The numbers of the touches that are left, `-N` for a mark.
    fn check(touches: usize, limit: usize, expected: &[i64]) {
        let text = history(&vec!["google"; touches]).touches_text(limit);
        assert!(text.len() <= limit, "{limit}: {text}");
        let entries: Vec<Value> = serde_json::from_str(&text).unwrap();
        let numbers: Vec<i64> = entries
            .iter()
            .map(|entry| entry["n"].as_i64().unwrap_or_else(|| -entry["omitted"].as_i64().unwrap()))
            .collect();
        assert_eq!(numbers, expected, "{touches} {limit}: {text}");
    }

    #[test]
    fn a_cut_journey_keeps_its_ends() {
        let one = history(&["google"]).touches_text(10_000).len() - 2;
        check(0, 2, &[]);
        check(3, 10_000, &[1, 2, 3]);
        check(3, 3 * one + 4, &[1, 2, 3]);
        check(3, 3 * one + 3, &[1, -1, 3]);
        check(9, 3 * one + 4 + 14, &[1, -6, 8, 9]);
        check(9, 3 * one + 4 + 13, &[1, -7, 9]);
        check(9, one + 2 + 14, &[1, -8]);
        check(9, one + 2 + 13, &[-9]);
        check(1, one + 2, &[1]);
        check(1, one + 1, &[-1]);
    }

    #[test]
    fn a_touch_lasts_to_the_next_of_its_visit() {
        let views = [(0, "google"), (5, "bing"), (9, ""), (60, "google")]
            .map(|(minute, source)| view(minute * MINUTE, source));
        let history = History::of_visitor(&views.into_iter().collect(), i64::MAX);
        let seconds: Vec<i64> = history.touch_entries(0..3).map(|touch| touch.duration_s).collect();
        assert_eq!(seconds, [300, 240, 0]);
    }
}
