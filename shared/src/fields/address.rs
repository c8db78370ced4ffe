//! Splits stored URLs without parsing them again: they were parsed before they were stored, and a
//! lead's fields read many of them.

/// The host and path of a URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Address<'a> {
    /// The host as written, without user and port.
    pub(crate) host: &'a str,
    /// The path, at least `/`.
    pub(crate) path: &'a str,
}

impl<'a> Address<'a> {
    /// `None` if the URL has no host.
    pub(crate) fn of(url: &'a str) -> Option<Self> {
        let rest = &url[url.find("://")? + 3..];
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let host = authority.rsplit('@').next().unwrap_or(authority);
        let port = host.rfind(':').filter(|colon| host[*colon..].find(']').is_none());
        let host = &host[..port.unwrap_or(host.len())];
        let path = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
        let path = if path.is_empty() { "/" } else { path };
        (!host.is_empty()).then_some(Self { host, path })
    }

    /// The first path segment with its slash: `/blog` for `/blog/x`, `/` for the home page.
    pub(crate) fn group(self) -> &'a str {
        let end = self
            .path
            .get(1..)
            .and_then(|rest| rest.find('/'))
            .map_or(self.path.len(), |end| end + 1);
        &self.path[..end]
    }
}

/// A URL without query and fragment.
pub(crate) fn without_query(url: &str) -> &str {
    &url[..url.find(['?', '#']).unwrap_or(url.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Option<(&str, &str, &str)>) {
        let found = Address::of(url);
        let found = found.map(|address| (address.host, address.path, address.group()));
        assert_eq!(found, expected, "{url}");
    }

    #[test]
    fn addresses() {
        check("https://www.a.example/blog/x?y=1#z", Some(("www.a.example", "/blog/x", "/blog")));
        check("https://a.example/blog/", Some(("a.example", "/blog/", "/blog")));
        check("https://a.example/blog", Some(("a.example", "/blog", "/blog")));
        check("https://a.example/", Some(("a.example", "/", "/")));
        check("https://a.example", Some(("a.example", "/", "/")));
        check("https://a.example?x=/b", Some(("a.example", "/", "/")));
        check("https://a.example//b", Some(("a.example", "//b", "/")));
        check("https://a.example/ä/ö", Some(("a.example", "/ä/ö", "/ä")));
        check("https://me:secret@a.example:8443/b", Some(("a.example", "/b", "/b")));
        check("https://[::1]:8080/b", Some(("[::1]", "/b", "/b")));
        check("https://[::1]/b", Some(("[::1]", "/b", "/b")));
        check("android-app://com.google.android.gm/", Some(("com.google.android.gm", "/", "/")));
        check("https:///b", None);
        check("mailto:a@b.example", None);
        check("", None);
    }
}
