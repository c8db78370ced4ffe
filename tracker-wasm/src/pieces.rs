//! Splits a text at a byte. The standard library's `split` accepts any pattern, and its code would
//! be larger than the tracker's whole queue.

/// The pieces of a text between occurrences of an ASCII character, as `str::split` returns them.
pub(crate) struct Pieces<'a> {
    rest: Option<&'a str>,
    separator: u8,
}

/// Splits a text at an ASCII character.
pub(crate) fn pieces(text: &str, separator: u8) -> Pieces<'_> {
    Pieces { rest: Some(text), separator }
}

/// The text before the first occurrence of an ASCII character, and the text after it if there is
/// one.
pub(crate) fn cut_at(text: &str, separator: u8) -> (&str, Option<&str>) {
    for (index, byte) in text.bytes().enumerate() {
        if byte == separator {
            return (text.get(..index).unwrap_or_default(), text.get(index + 1..));
        }
    }
    (text, None)
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (piece, rest) = cut_at(self.rest?, self.separator);
        self.rest = rest;
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_the_standard_library() {
        for text in ["", ",", "a", "a,b", ",a,,b,", "é,è"] {
            let got: std::vec::Vec<_> = pieces(text, b',').collect();
            assert_eq!(got, text.split(',').collect::<std::vec::Vec<_>>(), "{text}");
        }
    }
}
