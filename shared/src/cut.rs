//! Cuts texts and URLs to a limit, counted in Unicode characters.
//!
//! A cut text ends with an ellipsis. A cut URL stays a valid URL: it loses whole parameters, then
//! whole path segments, so that it can still be opened and no percent escape is split.

/// Cuts a text to at most `limit` characters. If it was longer, the last character is an ellipsis.
pub fn text(mut text: String, limit: usize) -> String {
    // A text has at least as many bytes as characters.
    if text.len() <= limit || text.chars().count() <= limit {
        return text;
    }
    let end = text.char_indices().nth(limit.saturating_sub(1)).map_or(0, |(end, _)| end);
    text.truncate(end);
    text.push('…');
    text
}

/// Cuts a URL to at most `limit` characters; `None` if not even its host fits.
///
/// A longer URL loses its fragment, then its last parameters, then its last path segments.
pub fn url(mut url: String, limit: usize) -> Option<String> {
    let Some((most, _)) = url.char_indices().nth(limit) else { return Some(url) };
    let path = url.find("://").map(|scheme| scheme + 3)?;
    let path = path + url[path..].find(['/', '?', '#'])?;
    let query = path + url[path..].find(['?', '#']).unwrap_or(url.len() - path);
    let fragment = query + url[query..].find('#').unwrap_or(url.len() - query);
    // The URL may end before each of these, and after each slash of its path.
    let ends = || url[query..fragment].match_indices(['?', '&']).map(|(at, _)| query + at);
    let slashes = || url[path..query].match_indices('/').map(|(at, _)| path + at + 1);
    let fits = |end: &usize| *end <= most;
    let end = (fits(&fragment).then_some(fragment))
        .or_else(|| ends().rfind(fits))
        .or_else(|| fits(&query).then_some(query))
        .or_else(|| slashes().rfind(fits))?;
    url.truncate(end);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check_url(address: &str, limit: usize, expected: Option<&str>) {
        assert_eq!(url(address.to_owned(), limit).as_deref(), expected, "{address} {limit}");
    }

    #[test]
    fn texts() {
        for (given, limit, expected) in [
            ("äöü", 3, "äöü"),
            ("äöüß", 3, "äö…"),
            ("abcd", 4, "abcd"),
            ("abcde", 4, "abc…"),
            ("🎉🎉", 1, "…"),
            ("", 0, ""),
        ] {
            assert_eq!(text(given.to_owned(), limit), expected, "{given} {limit}");
        }
    }

    #[test]
    fn addresses() {
        let whole = "https://a.example/one/two?x=1&y=%C3%A4#part";
        check_url(whole, 43, Some(whole));
        check_url(whole, 42, Some("https://a.example/one/two?x=1&y=%C3%A4"));
        check_url(whole, 37, Some("https://a.example/one/two?x=1"));
        check_url(whole, 28, Some("https://a.example/one/two"));
        check_url(whole, 24, Some("https://a.example/one/"));
        check_url(whole, 21, Some("https://a.example/"));
        check_url(whole, 17, None);
        check_url("https://a.example/%C3%A4%C3%A4", 23, Some("https://a.example/"));
        check_url("https://a.example?x=1", 20, Some("https://a.example"));
        check_url("https://ä.example/ööö", 21, Some("https://ä.example/ööö"));
        check_url("https://ä.example/ööö", 20, Some("https://ä.example/"));
        check_url("mailto:somebody", 5, None);
        check_url("https://aaaaaaaaaaaaaa", 5, None);
    }

    proptest! {
        /// A cut URL is within the limit, a prefix of the original, and still a URL.
        #[test]
        fn a_cut_address_is_one(path in "(/[a-zä%0-9]{0,9}){0,6}([?](&?[a-z=%]{0,9}){0,4})?(#.{0,9})?", limit in 0..80usize) {
            let whole = format!("https://a.example{path}");
            if let Some(cut) = url(whole.clone(), limit) {
                prop_assert!(cut.chars().count() <= limit && whole.starts_with(&cut), "{cut}");
                prop_assert!(::url::Url::parse(&cut).is_ok(), "{cut}");
                let rest = &whole[cut.len()..];
                prop_assert!(rest.is_empty() || rest.starts_with(['?', '&', '#', '/']) || cut.ends_with('/'), "{cut}");
            }
        }
    }
}
