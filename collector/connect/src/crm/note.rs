//! A conversion's journey as a note that people read, and the marker by which it is found again.
//!
//! What is left out of a note that is too long is decided here, for every vendor: the first line and
//! the newest ones stay. A vendor says how long a note may be and how a line is written.

use shared::cut;
use shared::ids::LeadId;
use std::fmt;

/// The longest line, in characters, before a vendor writes it in its own form.
pub const LINE_CHARACTERS: usize = 2_000;

/// A conversion's journey.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// Its title, such as `Attribution journey #1`.
    pub title: String,
    /// Its lines, plain text, oldest touch first.
    pub lines: Vec<String>,
    /// Stands on its last line.
    pub marker: NoteMarker,
    /// The conversion's time, Unix milliseconds.
    pub at_ms: i64,
}

/// What names a note: `clew-journey:LEAD:NUMBER`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoteMarker {
    /// The lead.
    pub lead: LeadId,
    /// The conversion's number among the lead's.
    pub number: u32,
}

impl NoteMarker {
    /// Whether a text holds this marker, and not one that only begins like it: `…:1` is not `…:12`.
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
    /// The lines as `write` puts them, in at most `room` characters: the first, how many are left out,
    /// and the newest that fit.
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
        /// Whatever the lines are, the room is kept as soon as it holds a word about what is missing.
        #[test]
        fn the_room_is_kept(lines in prop::collection::vec(".{0,60}", 0..30), room in 40..400_usize) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let fitted = note(&lines).fit(room, |line| format!("{line}\n"));
            prop_assert!(fitted.chars().count() <= room);
        }
    }
}
