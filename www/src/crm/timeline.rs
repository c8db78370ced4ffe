//! A journey as the record page shows it: touches, engaged pages and conversions in time order.

use crate::crm::payload::{Conversion, Journey, PageView, Touch};
use crate::crm::words::{self, Badge};
use jiff::Timestamp;

/// The most chips in the strip; beyond that only the first and the last touches are shown.
const STRIP_CAPACITY: usize = 7;

/// The whole timeline. If it has no days, the journey is unknown.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    pub(crate) days: Vec<Day>,
    /// The number of pages seen without engagement.
    pub(crate) glanced: u64,
    pub(crate) strip: Vec<Chip>,
    pub(crate) engaged_ms: u64,
}

#[derive(Debug)]
pub(crate) struct Day {
    pub(crate) title: String,
    /// `10 days later`, after a break of a day or more.
    pub(crate) gap: Option<String>,
    pub(crate) items: Vec<Item>,
}

#[derive(Debug)]
pub(crate) enum Item {
    Touch(Box<TouchItem>),
    Page(PageItem),
    Conversion(ConversionItem),
    /// This many touches were left out of the message.
    Omitted(u64),
}

#[derive(Debug)]
pub(crate) struct TouchItem {
    pub(crate) time: String,
    pub(crate) channel: Badge,
    pub(crate) source: String,
    pub(crate) medium: String,
    /// Labels with short and full texts.
    pub(crate) details: Vec<Detail>,
    pub(crate) click_id: Option<String>,
    pub(crate) continued: bool,
    pub(crate) activity: String,
}

#[derive(Debug)]
pub(crate) struct Detail {
    pub(crate) label: &'static str,
    pub(crate) text: String,
    pub(crate) whole: String,
}

#[derive(Debug)]
pub(crate) struct PageItem {
    pub(crate) time: String,
    pub(crate) title: String,
    pub(crate) path: String,
    pub(crate) url: String,
    pub(crate) engaged: String,
    /// In percent, if known.
    pub(crate) scroll: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct ConversionItem {
    pub(crate) time: String,
    pub(crate) title: String,
    pub(crate) form: Option<String>,
    pub(crate) path: Option<String>,
}

/// One chip of the strip above the timeline.
#[derive(Debug)]
pub(crate) enum Chip {
    Touch { channel: Badge, source: String },
    More(u64),
}

/// Touches come before pages of the same time, conversions after them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Omitted,
    Touch,
    Page,
    Conversion,
}

pub(crate) fn timeline(journey: &Journey) -> Timeline {
    let mut entries = Vec::new();
    // The mark goes where the touches were left out: just before the next touch.
    let mut next_at = Timestamp::MAX;
    for touch in journey.touches.iter().rev() {
        if let Some(number) = touch.omitted {
            entries.push((next_at, Rank::Omitted, Item::Omitted(number)));
        } else if let Some(at) = touch.at {
            next_at = at;
            entries.push((at, Rank::Touch, Item::Touch(Box::new(touch_item(at, touch)))));
        }
    }
    entries.reverse();
    let engaged = journey.pages.iter().filter(|page| page.engaged);
    entries.extend(engaged.map(|page| (page.at, Rank::Page, Item::Page(page_item(page)))));
    entries.extend(journey.conversions.iter().map(|conversion| {
        (conversion.at, Rank::Conversion, Item::Conversion(conversion_item(conversion)))
    }));
    entries.sort_by_key(|(at, rank, _)| (*at, *rank));

    let glanced = journey.pages.iter().filter(|page| !page.engaged).count();
    Timeline {
        days: days(entries),
        glanced: glanced.try_into().unwrap_or(u64::MAX),
        strip: strip(&journey.touches),
        engaged_ms: journey
            .pages
            .iter()
            .filter_map(|page| page.engaged_ms)
            .fold(0, u64::saturating_add),
    }
}

fn days(entries: Vec<(Timestamp, Rank, Item)>) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    let mut previous: Option<Timestamp> = None;
    for (at, _, item) in entries {
        let title = if at == Timestamp::MAX { String::new() } else { words::day(at) };
        match days.last_mut() {
            Some(day) if day.title == title || title.is_empty() => day.items.push(item),
            _ => {
                let seconds = previous.map_or(0, |previous| at.as_second() - previous.as_second());
                let gap = u64::try_from(seconds).ok().filter(|seconds| *seconds >= 86_400);
                let gap = gap.map(|seconds| format!("{} later", words::duration(seconds)));
                days.push(Day { title, gap, items: vec![item] });
            }
        }
        previous = Some(at);
    }
    days
}

fn touch_item(at: Timestamp, touch: &Touch) -> TouchItem {
    let mut activity = Vec::new();
    if let Some(views) = touch.page_views {
        activity.push(words::count(views, "page view"));
    }
    if let Some(engaged_ms) = touch.engaged_ms {
        activity.push(format!("{} engaged", words::duration(engaged_ms / 1000)));
    }
    let plain = |text: &str| text.to_owned();
    let details = [
        detail("Campaign", touch.campaign.as_deref(), plain),
        detail("Keyword", touch.term.as_deref(), plain),
        detail("Ad content", touch.content.as_deref(), plain),
        detail("Landed on", touch.landing_page.as_deref(), words::path),
        detail("Came from", touch.referrer.as_deref(), words::host),
    ];
    TouchItem {
        time: words::time(at),
        channel: words::channel(touch.channel.as_deref().unwrap_or("other")),
        source: touch.source.clone().unwrap_or_default(),
        medium: touch.medium.clone().unwrap_or_default(),
        details: details.into_iter().flatten().collect(),
        click_id: touch.click_id_type.clone(),
        continued: touch.continued.unwrap_or(false),
        activity: activity.join(" · "),
    }
}

fn detail(
    label: &'static str,
    whole: Option<&str>,
    shorten: impl Fn(&str) -> String,
) -> Option<Detail> {
    let whole = whole.filter(|text| !text.is_empty())?;
    Some(Detail { label, text: shorten(whole), whole: whole.to_owned() })
}

fn page_item(page: &PageView) -> PageItem {
    let path = words::path(&page.url);
    PageItem {
        time: words::time(page.at),
        title: page.title.clone().filter(|title| !title.is_empty()).unwrap_or(path.clone()),
        path,
        url: page.url.clone(),
        engaged: words::duration(page.engaged_ms.unwrap_or(0) / 1000),
        scroll: page.scroll_pct.map(|percent| percent.min(100)),
    }
}

fn conversion_item(conversion: &Conversion) -> ConversionItem {
    ConversionItem {
        time: words::time(conversion.at),
        title: words::conversion(&conversion.r#type),
        form: conversion.form_name.clone(),
        path: conversion.page_url.as_deref().map(words::path),
    }
}

fn strip(touches: &[Touch]) -> Vec<Chip> {
    let chip = |touch: &Touch| match touch.omitted {
        Some(number) => Chip::More(number),
        None => Chip::Touch {
            channel: words::channel(touch.channel.as_deref().unwrap_or("other")),
            source: touch.source.clone().unwrap_or_default(),
        },
    };
    if touches.len() <= STRIP_CAPACITY {
        return touches.iter().map(chip).collect();
    }
    let (first, rest) = touches.split_at(3);
    let (middle, last) = rest.split_at(rest.len() - 3);
    let hidden = middle.iter().map(|touch| touch.omitted.unwrap_or(1)).fold(0, u64::saturating_add);
    let more = std::iter::once(Chip::More(hidden));
    first.iter().map(chip).chain(more).chain(last.iter().map(chip)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Formats the timeline as one line: days in brackets, items by their first letter.
    fn check(journey: &str, expected: &str) {
        let journey: Journey = serde_json::from_str(journey).unwrap();
        let days = timeline(&journey).days.into_iter().map(|day| {
            let items = day.items.into_iter().map(|item| match item {
                Item::Touch(touch) => format!("t{}", touch.time),
                Item::Page(page) => format!("p{}", page.time),
                Item::Conversion(conversion) => format!("c{}", conversion.time),
                Item::Omitted(number) => format!("o{number}"),
            });
            let items: Vec<String> = items.collect();
            format!("{}[{}]", day.gap.unwrap_or_default(), items.join(" "))
        });
        assert_eq!(days.collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn items_stand_in_time_order() {
        check("{}", "");
        check(
            r#"{"conversions":[{"id":"c","at":"2026-11-21T10:15:00Z","type":"form"}],
                "pages":[{"at":"2026-11-21T10:15:00Z","url":"/b","engaged":true},
                         {"at":"2026-11-02T08:01:11Z","url":"/a","engaged":true},
                         {"at":"2026-11-02T08:09:11Z","url":"/a","engaged":false}],
                "touches":[{"n":1,"at":"2026-11-02T08:01:11Z","channel":"paid_search"},
                           {"n":2,"at":"2026-11-21T10:11:40Z","channel":"direct"}]}"#,
            "[t08:01 p08:01] 19 days later[t10:11 p10:15 c10:15]",
        );
    }

    #[test]
    fn cut_touches_leave_a_mark_in_their_place() {
        check(
            r#"{"touches":[{"at":"2026-11-02T08:00:00Z"},{"omitted":37},{"at":"2026-11-02T09:00:00Z"}],
                "pages":[{"at":"2026-11-02T08:30:00Z","url":"/","engaged":true}]}"#,
            "[t08:00 p08:30 o37 t09:00]",
        );
        check(r#"{"touches":[{"at":"2026-11-02T08:00:00Z"},{"omitted":2}]}"#, "[t08:00 o2]");
        check(r#"{"touches":[{"omitted":2}]}"#, "[o2]");
    }

    #[test]
    fn a_long_strip_keeps_its_ends() {
        let touch = |number: usize| Touch {
            source: Some(number.to_string()),
            channel: Some("direct".into()),
            ..Touch::default()
        };
        let touches: Vec<Touch> = (0..20).map(touch).collect();
        let shown: Vec<String> = strip(&touches)
            .into_iter()
            .map(|chip| match chip {
                Chip::Touch { source, .. } => source,
                Chip::More(number) => format!("+{number}"),
            })
            .collect();
        assert_eq!(shown, ["0", "1", "2", "+14", "17", "18", "19"]);
    }
}
