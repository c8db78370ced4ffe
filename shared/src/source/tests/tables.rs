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
            _ if is_published(row) && own.contains(bare) => RULES.sources.published(&spoken),
            name if name.starts_with("app:") => {
                RULES.sources.app(&name[4..]).map(|found| found.platform)
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
