//! The journey in words, for salespeople: one line per step, newest last.

use super::address::Address;
use crate::cut;
use crate::journey::History;
use crate::lead::{Conversion, ConversionKind};
use crate::time::rfc3339;
use crate::visit::Began;
use std::fmt::Write;
use std::ops::Range;

/// The maximum number of lines.
const LINES: usize = 20;
/// The longest line, and the longest path in it, in characters.
const LINE: usize = 250;
const PATH: usize = 80;

/// A step, which gets a line of its own.
enum Step<'a> {
    /// A touch, or several direct ones in a row, by index.
    Touches(Range<usize>),
    /// A conversion.
    Conversion(&'a Conversion),
}

/// Describes a history in at most [`LINES`] lines and `limit` characters; empty if there is no
/// history. Lines that do not fit are left out after the first line.
pub(super) fn describe(history: &History, limit: usize) -> String {
    let steps = steps(history);
    let describe_step = |step: &Step<'_>| cut::text(line(history, step), LINE);
    let Some((first, rest)) = steps.split_first() else { return String::new() };
    let first = describe_step(first);
    // Lines are built from the end, so a long history costs no more than what is shown.
    let shown = rest.len().min(LINES - 1);
    let mut lines: Vec<String> =
        rest[rest.len() - shown..].iter().rev().map(describe_step).collect();
    let length =
        |lines: &[String]| -> usize { lines.iter().map(|line| line.chars().count() + 1).sum() };
    let room = limit.saturating_sub(first.chars().count());
    let summed_up = history.left_out.touches as usize;
    if lines.len() < rest.len() || summed_up > 0 || length(&lines) > room {
        let left_out =
            |lines: &[String]| format!("… {} left out …", rest.len() - lines.len() + summed_up);
        lines.truncate(LINES - 2);
        while length(&lines) + left_out(&lines).chars().count() + 1 > room && lines.pop().is_some()
        {
        }
        lines.push(left_out(&lines));
    }
    lines.push(first);
    lines.reverse();
    cut::text(lines.join("\n"), limit)
}

/// Touches and conversions in time order. Direct touches in a row are one step, except for the very
/// first touch.
fn steps(history: &History) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut conversions = history.conversions.iter().peekable();
    for (place, touch) in history.touches.iter().enumerate() {
        // The last conversion ends the history, even if the browser's clock ran ahead.
        while let Some(before) = conversions.next_if(|next| {
            next.at_ms < touch.at_ms && Some(&next.id) != history.conversions.last().map(|c| &c.id)
        }) {
            steps.push(Step::Conversion(before));
        }
        let plain = |place: usize| history.touches[place].is_direct();
        match steps.last_mut() {
            Some(Step::Touches(run)) if run.start > 0 && plain(run.start) && plain(place) => {
                run.end = place + 1;
            }
            _ => steps.push(Step::Touches(place..place + 1)),
        }
    }
    steps.extend(conversions.map(Step::Conversion));
    steps
}

fn line(history: &History, step: &Step<'_>) -> String {
    match step {
        Step::Touches(run) => touches(history, run),
        Step::Conversion(conversion) => converted(conversion),
    }
}

fn touches(history: &History, run: &Range<usize>) -> String {
    let touches = &history.touches[run.clone()];
    let Some(touch) = touches.first() else { return String::new() };
    let label = &touch.label;
    let mut line = minute(touch.at_ms);
    match (touch.is_direct(), touch.began, run.start) {
        (true, _, 0) => line += " came directly",
        (true, ..) => line += " came back directly",
        (_, Began::Continued, _) => {
            append(&mut line, &[" came back, still by ", label.channel.label()])
        }
        _ => append(&mut line, &[" ", label.channel.label()]),
    }
    if let [_, .., last] = touches {
        let _ = write!(line, " {} times until {}", touches.len(), minute(last.at_ms));
    } else {
        if !touch.is_direct() {
            append(&mut line, &[" (", &label.source, ")"]);
        }
        if let Some(campaign) = &label.campaign {
            append(&mut line, &[", campaign \"", campaign, "\""]);
        }
        if let Some(term) = &label.term {
            append(&mut line, &[", keyword \"", term, "\""]);
        }
        append(&mut line, &[", landed on ", &path(&touch.landing_page)]);
    }
    let seen: u32 = touches.iter().map(|touch| touch.page_views).sum();
    let read: u32 = touches.iter().map(|touch| touch.engaged_pages).sum();
    let pages = if seen == 1 { "page" } else { "pages" };
    let _ = match (read, seen) {
        (0, _) => write!(line, ", looked at {seen} {pages}"),
        (1, 1) => write!(line, ", read the page"),
        _ => write!(line, ", read {read} of {seen} {pages}"),
    };
    line
}

fn converted(conversion: &Conversion) -> String {
    let mut line = minute(conversion.at_ms);
    line += match conversion.kind {
        ConversionKind::Form => " sent the form",
        ConversionKind::Call => " called",
        ConversionKind::Chat => " began a chat",
        ConversionKind::Booking => " made a booking",
        ConversionKind::Import => " was imported as a lead",
        ConversionKind::Api => " became a lead",
    };
    if let Some(form) = conversion.form_name.as_ref().or(conversion.form_id.as_ref()) {
        append(&mut line, &[" \"", form, "\""]);
    }
    if let Some(page) = &conversion.page_url {
        append(&mut line, &[" on ", &path(page)]);
    }
    line
}

/// Formats a time as `2026-11-21 10:15`, in UTC.
fn minute(at_ms: i64) -> String {
    let mut text = rfc3339(at_ms).replace('T', " ");
    // A formatted time is ASCII, so it can be cut anywhere.
    text.truncate(text.rfind(':').unwrap_or(text.len()));
    text
}

fn path(url: &str) -> String {
    let path = Address::of(url).map_or(url, |address| address.path);
    cut::text(path.to_owned(), PATH)
}

/// Appends texts from outside; line breaks become spaces.
fn append(line: &mut String, parts: &[&str]) {
    let is_break = |letter: char| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}');
    for part in parts {
        line.extend(part.chars().map(|letter| if is_break(letter) { ' ' } else { letter }));
    }
}
