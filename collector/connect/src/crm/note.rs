//! A conversion's journey as a note for people, and the marker by which the note is found again.
//!
//! If a note is too long, this module decides for every vendor what is left out: the first line and
//! the newest lines stay. A vendor provides the maximum length and the format of a line.

use shared::cut;
use shared::ids::LeadId;
use std::fmt;

/// The longest line, in characters, before the vendor formats it.
pub const LINE_CHARACTERS: usize = 2_000;

/// A conversion's journey.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// The title, such as `Attribution journey #1`.
    pub title: String,
    /// The lines in plain text, oldest touch first.
    pub lines: Vec<String>,
    /// The marker, which is the note's last line.
    pub marker: NoteMarker,
    /// The conversion's time, Unix milliseconds.
    pub at_ms: i64,
}

/// Identifies a note: `clew-journey:LEAD:NUMBER`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoteMarker {
    /// The lead.
    pub lead: LeadId,
    /// The conversion's number within the lead.
    pub number: u32,
}

impl NoteMarker {
    /// Whether a text contains this marker, and not just a longer one: `…:1` is not `…:12`.
    pub fn is_in(self, text: &str) -> bool {
        let marker = self.to_string();
        let mut ends = text.match_indices(&marker).map(|(at, _)| &text[at + marker.len()..]);
        ends.any(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
    }
}

impl fmt::Display for NoteMarker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "clew-journey:{}:{}", self.lead, self.number)
    }
}

impl Note {
    /// The lines as formatted by `write`, in at most `room` characters. If they do not all fit: the
    /// first line, the number of lines left out, and the newest lines that fit.
    pub fn fit(&self, room: usize, write: impl Fn(&str) -> String) -> String {
        let lines = self.lines.iter().map(|line| cut::text(line.clone(), LINE_CHARACTERS));
        let lines: Vec<String> = lines.map(|line| write(&line)).collect();
        let length = |text: &String| text.chars().count();
        if lines.iter().map(length).sum::<usize>() <= room {
            return lines.concat();
        }
        let left_out = |count: usize| write(&format!("… {count} more …"));
        let mut left = room.saturating_sub(length(&left_out(lines.len())));
        let mut fits = |line: &String| {
            let length = length(line);
            left.checked_sub(length).map(|rest| left = rest).is_some()
        };
        let first = lines.first().filter(|line| fits(line));
        let behind = lines.get(1..).unwrap_or_default();
        let newest = behind.iter().rev().take_while(|line| fits(line)).count();
        let kept = &behind[behind.len() - newest..];
        let omitted = lines.len() - kept.len() - usize::from(first.is_some());
        let first = first.cloned().unwrap_or_default();
        [first, left_out(omitted), kept.concat()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEAD: &str = "0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11";

    fn note(lines: &[&str]) -> Note {
        let marker = NoteMarker { lead: LeadId::parse(LEAD).unwrap(), number: 1 };
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        Note { title: "Attribution journey #1".into(), lines, marker, at_ms: 0 }
    }

    fn check(lines: &[&str], room: usize, expected: &str) {
        assert_eq!(note(lines).fit(room, |line| format!("<{line}>")), expected, "{lines:?}");
    }

    #[test]
    fn the_first_line_and_the_newest_stay() {
        check(&[], 100, "");
        check(&["a", "b"], 100, "<a><b>");
        check(&["a", "b"], 6, "<a><b>");
        let long = "x".repeat(20);
        check(&["a", &long, &long, "d"], 49, &format!("<a><… 1 more …><{long}><d>"));
        check(&["a", &long, &long, "d"], 30, "<a><… 2 more …><d>");
        check(&[&long, "b", "c"], 27, "<… 1 more …><b><c>");
        check(&["a", "b"], 0, "<… 2 more …>");
    }

    #[test]
    fn markers_end_where_their_number_does() {
        let marker = note(&[]).marker;
        assert_eq!(marker.to_string(), format!("clew-journey:{LEAD}:1"));
        for (text, expected) in [
            (format!("a\n{marker}"), true),
            (format!("<p>{marker}</p>"), true),
            (format!("{marker}2"), false),
            (format!("{marker}2 and {marker}"), true),
            (String::new(), false),
        ] {
            assert_eq!(marker.is_in(&text), expected, "{text}");
        }
    }

    proptest! {
        /// Whatever the lines are, the limit is kept if it has room for the line that says what is
        /// left out.
        #[test]
        fn the_room_is_kept(lines in prop::collection::vec(".{0,60}", 0..30), room in 40..400_usize) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let fitted = note(&lines).fit(room, |line| format!("{line}\n"));
            prop_assert!(fitted.chars().count() <= room);
        }
    }
}
