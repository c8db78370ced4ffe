//! Reads the search word from a search engine's URL.

use encoding_rs::Encoding;
use std::borrow::Cow;
use url::Url;

/// The longest word that is stored, in bytes.
const WORD_BYTES: usize = crate::limits::TAG_BYTES;

/// Where a search engine's URLs have the search word.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Words {
    places: Vec<Place>,
    /// The encodings to try if the text is not UTF-8.
    charsets: Vec<&'static Encoding>,
}

/// Where a word is.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Place {
    /// In a query parameter.
    Parameter(String),
    /// In the path segment that comes this many segments after the named one.
    Segment(String, usize),
}

/// Why the columns of search words are invalid.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum WordsError {
    /// The distance of a path segment is not a number.
    #[error("`{0}` should look like path:s:2")]
    Segment(String),
    /// An unknown charset.
    #[error("`{0}` is not a known charset")]
    Charset(String),
}

impl Words {
    /// Parses the two columns, such as `q path:s:2` and `gb2312`.
    pub(super) fn parse(places: &str, charsets: &str) -> Result<Self, WordsError> {
        let place = |text: &str| match text.strip_prefix("path:") {
            None => Ok(Place::Parameter(text.to_owned())),
            Some(rest) => {
                let (name, distance) = rest.split_once(':').unwrap_or((rest, "1"));
                let distance =
                    distance.parse().map_err(|_| WordsError::Segment(text.to_owned()))?;
                Ok(Place::Segment(name.to_owned(), distance))
            }
        };
        let charset = |label: &str| {
            Encoding::for_label(label.as_bytes())
                .ok_or_else(|| WordsError::Charset(label.to_owned()))
        };
        Ok(Self {
            places: places.split_whitespace().map(place).collect::<Result<_, _>>()?,
            charsets: charsets.split_whitespace().map(charset).collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn extend(&mut self, more: Self) {
        for place in more.places {
            if !self.places.contains(&place) {
                self.places.push(place);
            }
        }
        self.charsets.extend(more.charsets);
    }

    /// The search word in a URL, in lower case; `None` if there is none.
    pub fn find(&self, url: &Url) -> Option<String> {
        let texts = [url.query(), url.fragment()];
        self.places.iter().find_map(|place| match place {
            Place::Parameter(name) => texts.into_iter().flatten().find_map(|text| {
                let pairs = text.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
                let named = pairs.filter(|(key, _)| key == name).map(|(_, value)| value);
                named.filter_map(|value| self.word(&value.replace('+', " "))).next()
            }),
            Place::Segment(name, distance) => {
                let mut segments = url.path_segments()?;
                segments.find(|segment| segment == name)?;
                self.word(&segments.nth(distance.checked_sub(1)?)?.replace('+', " "))
            }
        })
    }

    fn word(&self, escaped: &str) -> Option<String> {
        let bytes = percent_encoding::percent_decode_str(escaped).collect::<Vec<u8>>();
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => self.decode(&bytes),
        };
        let visible: String = text.chars().filter(|character| !character.is_control()).collect();
        let word = visible.trim().to_lowercase();
        (!word.is_empty()).then(|| crate::wire::encode::cut(&word, WORD_BYTES).to_owned())
    }

    fn decode<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        let whole = |charset: &&'static Encoding| {
            charset.decode_without_bom_handling_and_without_replacement(bytes)
        };
        let read = self.charsets.iter().find_map(whole);
        read.unwrap_or_else(|| String::from_utf8_lossy(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(places: &str, charsets: &str, url: &str, expected: Option<&str>) {
        let words = Words::parse(places, charsets).unwrap();
        assert_eq!(words.find(&Url::parse(url).unwrap()).as_deref(), expected, "{url}");
    }

    #[test]
    fn words_in_addresses() {
        check("q", "", "https://a.example/search?x=1&q=Red+Shoes%20", Some("red shoes"));
        check("p q", "", "https://a.example/?q=later&p=first", Some("first"));
        check("q", "", "https://a.example/?q=", None);
        check("q", "", "https://a.example/?q=&q=second", Some("second"));
        check("q", "", "https://a.example/#q=old", Some("old"));
        check("q", "", "https://a.example/?Q=x", None);
        check("path:s", "", "https://a.example/s/Red%20Shoes/1", Some("red shoes"));
        check("path:s:2", "", "https://a.example/s/web/shoes", Some("shoes"));
        check("path:s", "", "https://a.example/s", None);
        check("q", "windows-1251", "https://a.example/?q=%ef%f0%e8%e2%e5%f2", Some("привет"));
        check("q", "windows-1251", "https://a.example/?q=%D0%BF%D1%80", Some("пр"));
        check("wd", "gb2312", "https://a.example/?wd=%d6%d0%b9%fa", Some("中国"));
        check("q", "", "https://a.example/?q=%ff%fe", Some("\u{fffd}\u{fffd}"));
        check("q", "", "https://a.example/?q=%00%01", None);
    }
}
