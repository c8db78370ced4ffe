//! The tables: no name is repeated or shadowed, and every one resolves to its row.

use super::*;
use crate::rows::rows;
use std::collections::HashSet;

/// A name of a table.
struct Listed {
    file: &'static str,
    platform: Platform,
    /// As written.
    name: &'static str,
}

impl Listed {
    fn bare(&self) -> &'static str {
        self.name.trim_start_matches('=')
    }
}

fn listed() -> Vec<Listed> {
    let all = [("published.csv", PUBLISHED)].into_iter().chain(TABLES);
    let names = all.flat_map(|(file, text)| {
        rows(text).flat_map(move |(_, row)| {
            let cells: Vec<&str> = row.split(',').collect();
            let category = Category::parse(cells[1]).unwrap();
            let platform = Platform { source: cells[0].to_owned(), category };
            cells[2].split_whitespace().map(move |name| Listed {
                file,
                platform: platform.clone(),
                name,
            })
        })
    });
    names.collect()
}

/// No name is in the tables twice, unless a later table changes the meaning of a published one.
#[test]
fn no_name_stands_there_twice() {
    let mut seen = std::collections::HashMap::new();
    let mut twice = Vec::new();
    for row in listed() {
        let before = seen.insert(row.bare(), (row.file, row.platform.category));
        let again = before.filter(|(file, category)| {
            *file != "published.csv" || *category == row.platform.category
        });
        twice
            .extend(again.map(|(file, _)| format!("`{}` in {file} and in {}", row.name, row.file)));
    }
    assert_eq!(twice, Vec::<String>::new());
}

/// Every name resolves to its row: none is shadowed by another.
#[test]
fn every_name_resolves_to_what_it_says() {
    let listed = listed();
    let is_published = |row: &Listed| row.file == "published.csv";
    assert_eq!(listed.iter().filter(|row| is_published(row)).count(), 826, "as Google publishes");
    let own: HashSet<&str> =
        listed.iter().filter(|row| !is_published(row)).map(Listed::bare).collect();
    let published: HashSet<&str> =
        listed.iter().filter(|row| is_published(row)).map(Listed::bare).collect();
    let mut wrong = Vec::new();
    for row in &listed {
        let bare = row.bare();
        let spoken = bare.replace("%20", " ");
        let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
        let host = host.replace(".**", ".company.com");
        let host = host.replace("*.", "below.").replace(".*", ".co.uk");
        let found = match row.name {
            name if name.starts_with("ua:") => {
                let word = name[3..].replace("%20", " ");
                RULES.sources.in_app(word.trim()).map(|found| found.platform)
            }
            _ if is_published(row) && own.contains(bare) => RULES.sources.published(&spoken),
            name if name.starts_with("app:") => {
                RULES.sources.app(&name[4..], "").map(|found| found.platform)
            }
            _ if host.contains('.') => RULES.sources.host(&host, path).map(|found| found.platform),
            _ if published.contains(bare) && !is_published(row) => continue,
            _ => RULES.sources.named(&spoken),
        };
        if found != Some(&row.platform) {
            wrong.push(format!("{}: `{}` is {found:?}", row.file, row.name));
        }
        let exactly = RULES.sources.published(&spoken);
        if is_published(row) && exactly != Some(&row.platform) {
            wrong.push(format!("{}: `{}` as a dimension is {exactly:?}", row.file, row.name));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// No row repeats what the row of a wider host already says.
#[test]
fn no_row_is_idle() {
    let mut idle = Vec::new();
    for row in listed().iter().filter(|row| row.file != "published.csv") {
        let bare = row.bare();
        if RULES.sources.published(bare).is_some() {
            // It differs from Google's table.
            continue;
        }
        if bare.contains(['/', ':', '*']) || !bare.contains('.') {
            continue;
        }
        let Some((_, parent)) = bare.split_once('.') else { continue };
        // Compares with another host under the same parent, which does not have this row.
        let stranger = format!("zz-nobody.{parent}");
        let wider =
            RULES.sources.host(&stranger, "").filter(|wider| *wider.platform == row.platform);
        idle.extend(
            wider.map(|wider| format!("{}: `{}` under `{}`", row.file, row.name, wider.name)),
        );
    }
    assert_eq!(idle, Vec::<String>::new());
}

/// Sources of click ids and tags that are platforms are in the tables.
#[test]
fn click_ids_name_platforms() {
    for source in [
        "google",
        "bing",
        "tiktok",
        "x",
        "linkedin",
        "snapchat",
        "reddit",
        "quora",
        "nextdoor",
        "yandex",
        "facebook",
        "instagram",
        "pinterest",
    ] {
        assert!(
            RULES.sources.named(source).is_some_and(|platform| platform.source == source),
            "{source}"
        );
    }
}

/// What a referrer, an app or a click id gives as source and medium gives the same channel again
/// when it is written into tags.
#[test]
fn our_own_output_reads_as_itself() {
    let mut wrong = Vec::new();
    let mut check = |what: &str, first: &Label| {
        if first.origin != Origin::Marketing || first.source == NO_SOURCE {
            return;
        }
        let mut tags = form_urlencoded::Serializer::new(String::new());
        tags.append_pair("utm_source", &first.source);
        if first.medium != NO_MEDIUM {
            tags.append_pair("utm_medium", &first.medium);
        }
        tags.extend_pairs(first.campaign.iter().map(|campaign| ("utm_campaign", campaign)));
        let again = label(&format!("?{}", tags.finish()), "");
        if again.channel != first.channel {
            wrong.push(format!(
                "{what}: {} / {} is {:?}, then {} {:?}",
                first.source, first.medium, first.channel, again.source, again.channel
            ));
        }
    };
    for row in listed() {
        let bare = row.bare();
        let host =
            bare.replace(".**", ".company.com").replace("*.", "below.").replace(".*", ".co.uk");
        match bare.split_once(':') {
            Some(("app", package)) => check(bare, &label("", &format!("android-app://{package}/"))),
            Some(("ua", word)) => {
                let url = Url::parse("https://www.site.example/").unwrap();
                let evidence = RULES.evidence(&url, "", &word.replace("%20", " "));
                let own = OwnHosts::default();
                check(bare, &RULES.label(&evidence, "", &own, InternalTags::Ignore));
            }
            _ if host.contains('.') => check(bare, &label("", &format!("https://{host}"))),
            _ => check(bare, &label(&format!("?utm_source={bare}"), "")),
        }
    }
    for line in CLICK_IDS.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split(',').collect();
        let value = cells.get(5).and_then(|values| values.split(' ').next()).unwrap_or("x");
        check(
            line,
            &label(&format!("?{}={}", cells[0].replace('*', "x"), value.replace('*', "x")), ""),
        );
    }
    assert_eq!(wrong, Vec::<String>::new());
}
