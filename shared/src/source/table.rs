//! The table of sources: maps names, hosts and apps to platforms and their categories.
//!
//! Rows are data (`shared/sources/*.csv`): `source,category,names[,words[,charsets]]`. A name
//! without a dot is a value of `utm_source`, in which `%20` is a space. A name with a dot is a host
//! with its subdomains; `=` in front means this host only, `*.` its subdomains only. `google.*`
//! matches any public suffix, `x.com/i/grok` a part of a site, `app:` a package of
//! `android-app://`, and `mail.**` any unknown host with a label `mail`, or `mail7`.

use super::key::{normal_key, plain_host, wildcard};
use super::row_error::RowError;
use super::words::Words;
use crate::channel::Category;
use crate::host::registrable;
use crate::rows::{TableError, rows};
use std::collections::HashMap;

/// The platform that a name stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Platform {
    /// The canonical source.
    pub source: String,
    /// Its category.
    pub category: Category,
}

#[derive(Clone, Debug)]
struct HostRow {
    platform: usize,
    /// Whether it also matches subdomains.
    below: bool,
}

/// The row that a referrer matched.
#[derive(Clone, Copy, Debug)]
pub struct MatchedRow<'a> {
    /// The platform.
    pub platform: &'a Platform,
    /// The name as in the row, for the trace: `google.*`.
    pub name: &'a str,
}

/// All rows of all tables.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    platforms: Vec<Platform>,
    /// The names exactly as Google publishes them.
    published: HashMap<String, usize>,
    /// More values of `utm_source`.
    names: HashMap<String, usize>,
    hosts: HashMap<String, HostRow>,
    /// Hosts of which only the subdomains match.
    below: HashMap<String, usize>,
    /// Labels that match any host that no other row matches.
    labels: HashMap<String, usize>,
    /// Parts of sites: a host, or its form for any suffix, and its paths, longest first.
    paths: HashMap<String, Vec<(String, usize)>>,
    words: HashMap<String, Words>,
    /// The platforms of each canonical source that tags can name, in the order of the tables.
    canonical: HashMap<String, Vec<usize>>,
    /// Words in the user agents of apps' own browsers.
    apps: Vec<(String, usize)>,
}

impl Sources {
    /// Adds the names that Google publishes. Those with a dot are also hosts, unless
    /// [`Sources::add`] replaces them.
    ///
    /// # Errors
    /// [`TableError`] for the first line that is not a valid row, or that repeats a name.
    pub fn add_published(&mut self, table: &str) -> Result<(), TableError> {
        for (line, row) in rows(table) {
            let wrong = |error: RowError| TableError { line, reason: error.to_string() };
            let (platform, names, _) = self.platform(row).map_err(wrong)?;
            for written in names {
                let name = written.trim_start_matches('=').replace("%20", " ");
                if self.published.insert(name.clone(), platform).is_some() {
                    return Err(wrong(RowError::Repeated(name)));
                }
                if name.contains('.') {
                    self.add_host(written, platform, false).map_err(wrong)?;
                }
            }
        }
        Ok(())
    }

    /// Adds the rows of a table. A name replaces the same name of an earlier table.
    ///
    /// # Errors
    /// [`TableError`] for the first line that is not a valid row, or that repeats a name of the
    /// same table.
    pub fn add(&mut self, table: &str) -> Result<(), TableError> {
        let mut seen = HashMap::new();
        for (line, row) in rows(table) {
            let wrong = |error: RowError| TableError { line, reason: error.to_string() };
            let (platform, names, words) = self.platform(row).map_err(wrong)?;
            for name in names {
                if let Some(before) = seen.insert(name.to_owned(), line) {
                    return Err(wrong(RowError::InLine { name: name.to_owned(), before }));
                }
                match name.contains(['.', ':']) {
                    true => self.add_host(name, platform, true).map_err(wrong)?,
                    false if name.contains(['"', '\'', '=', '*', '/']) => {
                        return Err(wrong(RowError::Tag(name.to_owned())));
                    }
                    false => drop(self.names.insert(name.replace("%20", " "), platform)),
                }
            }
            let source = &self.platforms[platform].source;
            self.words.entry(source.clone()).or_default().extend(words);
        }
        Ok(())
    }

    /// Parses a row and adds its platform; returns the platform, the names and the search words.
    fn platform<'a>(&mut self, row: &'a str) -> Result<(usize, Vec<&'a str>, Words), RowError> {
        let cells: Vec<&str> = row.split(',').map(str::trim).collect();
        let [source, category, names, rest @ ..] = &cells[..] else {
            return Err(RowError::TooFewColumns);
        };
        let category =
            Category::parse(category).ok_or_else(|| RowError::Category((*category).to_owned()))?;
        let words = match rest {
            [] => Words::default(),
            [words] => Words::parse(words, "")?,
            [words, charsets] => Words::parse(words, charsets)?,
            _ => return Err(RowError::TooManyColumns),
        };
        if source.is_empty() || source.chars().any(char::is_uppercase) {
            return Err(RowError::Source);
        }
        let names: Vec<&str> = names.split_whitespace().collect();
        if let Some(name) = names.iter().find(|name| name.chars().any(char::is_uppercase)) {
            return Err(RowError::Capitals((*name).to_owned()));
        }
        if names.is_empty() && words == Words::default() {
            return Err(RowError::NamesNothing);
        }
        if category.can_be_named() {
            let places = self.canonical.entry((*source).to_owned()).or_default();
            places.push(self.platforms.len());
        }
        self.platforms.push(Platform { source: (*source).to_owned(), category });
        Ok((self.platforms.len() - 1, names, words))
    }

    fn add_host(&mut self, written: &str, platform: usize, replace: bool) -> Result<(), RowError> {
        if let Some(word) = written.strip_prefix("ua:") {
            self.apps.push((word.replace("%20", " "), platform));
            return Ok(());
        }
        let name = written.trim_start_matches('=');
        let wrong = || RowError::Host(written.to_owned());
        if let Some(label) = name.strip_suffix(".**") {
            let label = plain_host(label).filter(|label| !label.contains('.')).ok_or_else(wrong)?;
            self.labels.insert(label, platform);
            return Ok(());
        }
        if let Some((host, path)) = name.split_once('/') {
            let key = normal_key(host).ok_or_else(wrong)?;
            let paths = self.paths.entry(key).or_default();
            paths.retain(|(other, _)| other != path);
            paths.push((path.to_owned(), platform));
            paths.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
            return Ok(());
        }
        if let Some(host) = name.strip_prefix("*.") {
            self.below.insert(normal_key(host).ok_or_else(wrong)?, platform);
            return Ok(());
        }
        let key = normal_key(name).ok_or_else(wrong)?;
        if replace || !self.hosts.contains_key(&key) {
            self.hosts.insert(key, HostRow { platform, below: !written.starts_with('=') });
        }
        Ok(())
    }

    /// The platform of a name (in lower case) in Google's published table.
    pub fn published(&self, name: &str) -> Option<&Platform> {
        let parents = std::iter::successors(Some(name), |name| Some(name.split_once('.')?.1));
        let below =
            || parents.skip(1).find_map(|parent| self.published.get(&format!("*.{parent}")));
        self.published.get(name).or_else(below).map(|platform| &self.platforms[*platform])
    }

    /// The platform of a value of `utm_source` (in lower case): from Google's table, then from the
    /// other names, then from a host written out, then from our own names of platforms.
    pub fn named(&self, name: &str) -> Option<&Platform> {
        let by_name = || self.names.get(name).map(|platform| &self.platforms[*platform]);
        let by_host = || {
            let host = name.strip_prefix("www.").unwrap_or(name);
            let found = host.contains('.').then(|| self.longest(host, ""))??;
            found.platform.category.can_be_named().then_some(found.platform)
        };
        let canonical = || Some(&self.platforms[*self.canonical.get(name)?.first()?]);
        self.published(name).or_else(by_name).or_else(by_host).or_else(canonical)
    }

    /// The platform of a value of `utm_source` beside a medium. Of a company that is several kinds
    /// of sites it is the kind whose visitors have that medium, if the value is the company's name
    /// as we write it.
    pub fn named_with(&self, name: &str, medium: Option<&str>) -> Option<&Platform> {
        let usual = self.named(name)?;
        let is_other = |medium: &&str| *medium != usual.category.medium() && name == usual.source;
        let Some(medium) = medium.filter(is_other) else {
            return Some(usual);
        };
        let others = self.canonical.get(&usual.source).into_iter().flatten();
        let mut others = others.map(|place| &self.platforms[*place]);
        Some(others.find(|platform| platform.category.medium() == medium).unwrap_or(usual))
    }

    /// The row for an app's package, or for a part of the app.
    pub fn app(&self, package: &str, path: &str) -> Option<MatchedRow<'_>> {
        let key = format!("app:{package}");
        let whole = || {
            let (name, row) = self.hosts.get_key_value(&key)?;
            Some(MatchedRow { platform: &self.platforms[row.platform], name })
        };
        self.part(&key, path).or_else(whole)
    }

    /// The word of an app in the user agent of its own browser.
    pub fn app_word(&self, user_agent: &str) -> Option<&str> {
        let user_agent = user_agent.to_lowercase();
        self.apps.iter().rev().map(|(word, _)| word.as_str()).find(|word| user_agent.contains(word))
    }

    /// The row for the word of an app (without spaces around it).
    pub fn in_app(&self, word: &str) -> Option<MatchedRow<'_>> {
        let mut rows = self.apps.iter().rev();
        let (name, platform) = rows.find(|(known, _)| known.trim() == word)?;
        Some(MatchedRow { platform: &self.platforms[*platform], name })
    }

    /// The most specific row for a host and a path. A part of a site comes before its host,
    /// `gemini.google.com` before `google.*`, and a row for a single label comes last.
    pub fn host(&self, host: &str, path: &str) -> Option<MatchedRow<'_>> {
        let only_part = || self.only_part(host, path);
        self.longest(host, path).or_else(only_part).or_else(|| self.labelled(host))
    }

    /// The row for a part of a site, if the referrer has no path and no row knows the rest of the
    /// site: browsers send no more than the host to other sites.
    fn only_part(&self, host: &str, path: &str) -> Option<MatchedRow<'_>> {
        let is_part = host != registrable(host) && matches!(path, "" | "/");
        let (name, paths) = self.paths.get_key_value(host).filter(|_| is_part)?;
        let (_, platform) = paths.first()?;
        Some(MatchedRow { platform: &self.platforms[*platform], name })
    }

    fn labelled(&self, host: &str) -> Option<MatchedRow<'_>> {
        // Only labels in front of the registrable part: in `mail.co.uk`, `mail` is a registered
        // name.
        let front = host.strip_suffix(registrable(host))?.strip_suffix('.')?;
        let (name, platform) = front.split('.').find_map(|label| {
            let label = label.trim_end_matches(|letter: char| letter.is_ascii_digit());
            self.labels.get_key_value(label)
        })?;
        Some(MatchedRow { platform: &self.platforms[*platform], name })
    }

    fn longest(&self, host: &str, path: &str) -> Option<MatchedRow<'_>> {
        let mut any_suffix = wildcard(host);
        let mut rest = host;
        loop {
            for key in [Some(rest), any_suffix.as_deref()].into_iter().flatten() {
                if let Some(found) = self.part(key, path) {
                    return Some(found);
                }
                let is_host = rest.len() == host.len();
                if let Some((name, row)) =
                    self.hosts.get_key_value(key).filter(|(_, row)| is_host || row.below)
                {
                    return Some(MatchedRow { platform: &self.platforms[row.platform], name });
                }
                if let Some((name, platform)) = self.below.get_key_value(key).filter(|_| !is_host) {
                    return Some(MatchedRow { platform: &self.platforms[*platform], name });
                }
            }
            rest = rest.split_once('.')?.1;
            any_suffix = any_suffix.and_then(|key| {
                key.split_once('.').map(|(_, rest)| rest.to_owned()).filter(|rest| rest != "*")
            });
        }
    }

    fn part(&self, key: &str, path: &str) -> Option<MatchedRow<'_>> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let within = |row: &str| {
            path.strip_prefix(row).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let (name, paths) = self.paths.get_key_value(key)?;
        let (_, platform) = paths.iter().find(|(row, _)| within(row))?;
        Some(MatchedRow { platform: &self.platforms[*platform], name })
    }

    /// Where a source's URLs have the search word.
    pub fn words(&self, source: &str) -> Option<&Words> {
        self.words.get(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(table: &str, expected: Result<(), (usize, &str)>) {
        let added = Sources::default().add(table);
        match (&added, expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err((line, part)))
                if error.line == line && error.reason.contains(part) => {}
            _ => panic!("{table}: {added:?}"),
        }
    }

    #[test]
    fn good_and_bad_rows() {
        check(
            "# note\n\nfoo,search,foo foo.com =bar.com *.baz.com foo.* foo.com/x app:com.foo,q path:s:2,gb2312",
            Ok(()),
        );
        check("foo,search", Err((1, "names")));
        check("foo,serch,foo.com", Err((1, "`serch`")));
        check("foo,search,foo.com foo.com", Err((1, "`foo.com`")));
        check("foo,search,foo.com\nbar,social,foo.com", Err((2, "line 1")));
        check("Foo,search,foo.com", Err((1, "lower case")));
        check("foo,search,Foo.com", Err((1, "lower case")));
        check("foo,search,foo_bar.com", Ok(()));
        check("foo,search,foo_bar!.com", Err((1, "not a host")));
        check("foo,search,\"quot.com", Err((1, "not a host")));
        check("foo,search,a.de b..de", Err((1, "`b..de`")));
        check("foo,search,name.*.x", Err((1, "not a host")));
        check("foo,search,mple.com=x", Err((1, "not a host")));
        check("foo,search,\"quot", Err((1, "does not have")));
        check("foo,search,fo%o.com", Err((1, "not a host")));
        check("foo,search,", Err((1, "needs at least one name or search word")));
        check("foo,search,foo.com,q,klingon", Err((1, "klingon")));
        check("foo,search,foo.com,q,gb2312,x", Err((1, "five")));
    }

    #[test]
    fn the_longest_row_wins_on_label_boundaries() {
        let mut table = Sources::default();
        let rows = "wide,search,wide.com\nclose,social,=close.com\nbelow,email,*.below.com\nany,video,any.*\n\
                    part,assistant,wide.com/i/part\ndeep,email,mail.wide.com\nmail,email,mail.any.*\nlabel,email,webmail.**\napp,social,app:com.wide";
        table.add(rows).unwrap();
        let check = |host: &str, path: &str, expected: Option<&str>| {
            let found = table.host(host, path).map(|found| found.platform.source.as_str());
            assert_eq!(found, expected, "{host}{path}");
        };
        check("wide.com", "/", Some("wide"));
        check("a.b.wide.com", "/", Some("wide"));
        check("notwide.com", "/", None);
        check("wide.com.evil.com", "/", None);
        check("mail.wide.com", "/", Some("deep"));
        check("wide.com", "/i/part/x", Some("part"));
        check("wide.com", "/i/partial", Some("wide"));
        check("close.com", "/", Some("close"));
        check("a.close.com", "/", None);
        check("below.com", "/", None);
        check("a.below.com", "/", Some("below"));
        check("any.co.uk", "/", Some("any"));
        check("x.any.de", "/", Some("any"));
        check("mail.any.co.jp", "/", Some("mail"));
        check("any.blogspot.com", "/", None);
        check("any.test", "/", None);
        check("localhost", "/", None);
        check("webmail.company.co.uk", "/", Some("label"));
        check("webmail03.company.com", "/", Some("label"));
        check("eu.webmail.company.com", "/", Some("label"));
        check("webmail.co.uk", "/", None);
        check("webmail.com", "/", None);
        check("mywebmail.company.com", "/", None);
        check("webmail.wide.com", "/", Some("wide"));
        check("", "", None);
        check("com.wide", "/", None);
        assert_eq!(table.app("com.wide", "").map(|found| found.name), Some("app:com.wide"));
    }
}
