//! Checks the statements and the schema against what Citus is known to refuse. Plain PostgreSQL
//! accepts all of it, so no other test would notice.

use super::migrate::{DISTRIBUTED, REFERENCE};
use super::statements::{ALL, INSERTS, Shard};

const SCHEMA: &[&str] = &[
    include_str!("migrations/V1__rows.sql"),
    include_str!("migrations/V3__records.sql"),
    include_str!("migrations/V4__hand_offs.sql"),
    include_str!("migrations/V5__lists.sql"),
];

/// Refused by Citus, refused in some forms, or not known to work across shards.
const REFUSED: &[&str] = &[
    // The clock, random numbers and sequences of one node: pass parameters instead.
    "now()",
    "current_timestamp",
    "clock_timestamp",
    "random()",
    "gen_random_uuid",
    "nextval",
    // Not supported across shards.
    " join ",
    "rollup",
    "grouping sets",
    "cube",
    "tablesample",
    "recursive",
    "exists",
    // Slow on Citus, or taken on one node only.
    "unnest",
    "copy ",
    "advisory",
    "listen",
];
/// Immutable functions, which `DO UPDATE SET` may call.
const IMMUTABLE: &[&str] = &["greatest", "least", "coalesce"];

/// Lower case, with single spaces.
fn plain(sql: &str) -> String {
    sql.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What Citus would refuse in a statement, if anything.
fn complaint(sql: &str, shard: Shard) -> Option<String> {
    let sql = plain(sql);
    if shard == Shard::Node {
        // Only about the node itself; anything about tables belongs to a shard.
        let asks = [" from clew.", " into clew.", "update clew.", " join clew."];
        return asks.iter().any(|asks| sql.contains(asks)).then(|| "it reads a table".to_owned());
    }
    if let Some(refused) = REFUSED.iter().find(|refused| sql.contains(**refused)) {
        return Some(format!("`{refused}` is refused"));
    }
    let names = |text: &str| -> Vec<String> {
        let name = |part: &str| {
            part.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap().to_owned()
        };
        text.split("clew.").skip(1).map(name).collect()
    };
    let tables = names(&sql);
    let column_of = |table: &String| {
        let found = DISTRIBUTED.iter().find(|(name, _)| *name == format!("clew.{table}"));
        found.map(|(_, column)| *column)
    };
    let columns: Vec<_> = tables.iter().map(column_of).collect();
    if let Some((_, set)) = sql.split_once("do update set") {
        let words: Vec<&str> = set.split('(').collect();
        for call in &words[..words.len() - 1] {
            let function = call.rsplit([' ', ',', '(']).next().unwrap();
            if !function.is_empty() && !IMMUTABLE.contains(&function) {
                return Some(format!("`{function}` in DO UPDATE SET is not known to be immutable"));
            }
        }
    }
    let wrong = match shard {
        Shard::One(column) => {
            let named = sql.matches(&format!("{column} = $1")).count();
            columns.iter().any(|known| *known != Some(column)) || named != tables.len()
        }
        Shard::Rows(column) => {
            let inserts = sql.starts_with("insert into clew.");
            let first = sql.split_once('(').unwrap().1.starts_with(&format!("{column},"));
            let conflict = sql.split_once("on conflict (").unwrap().1.starts_with(column);
            !inserts || !first || !conflict || columns.iter().any(|known| *known != Some(column))
        }
        Shard::Every => {
            let reads = sql.starts_with("select") || sql.starts_with("delete");
            !reads || sql.contains(" for update") || sql.contains(" for share") || tables.len() != 1
        }
        Shard::Node => false,
        Shard::Reference => tables
            .iter()
            .any(|table| !REFERENCE.iter().any(|name| *name == format!("clew.{table}"))),
    };
    wrong.then(|| format!("it does not run as {shard:?} says"))
}

#[test]
fn nothing_that_citus_refuses() {
    assert!(ALL.len() > 20 && INSERTS.len() > 5);
    for (name, statement) in ALL {
        assert_eq!(complaint(statement.sql, statement.shard), None, "{name}");
    }
    for (name, insert) in INSERTS {
        for rows in [1, 3, 128] {
            let (count, text) = insert.fitting(rows);
            let last = format!("${}", count * insert.width());
            assert!(count <= rows && rows < count * 2 && text.contains(&last), "{name}: {text}");
            assert_eq!(complaint(text, insert.shard), None, "{name}");
        }
    }
}

/// The check above detects what it is meant to detect.
#[test]
fn what_is_refused_is_seen() {
    let one = Shard::One("lb");
    for (sql, shard) in [
        ("SELECT document FROM clew.leads WHERE lead = $1 FOR UPDATE", Shard::Every),
        ("SELECT document FROM clew.leads WHERE lead = $1", one),
        ("SELECT document FROM clew.leads WHERE lb = $1", Shard::One("vb")),
        ("UPDATE clew.leads SET document = $1", Shard::Every),
        (
            "UPDATE clew.leads SET document = $2 WHERE lb = $1 AND lead IN (SELECT lead FROM clew.leads)",
            one,
        ),
        ("SELECT 1 FROM clew.leads JOIN clew.conversions USING (lead)", Shard::Every),
        ("UPDATE clew.leads SET site = now() WHERE lb = $1", one),
        (
            "INSERT INTO clew.leads (lead, lb) VALUES ($1, $2) ON CONFLICT (lb) DO NOTHING",
            Shard::Rows("lb"),
        ),
        (
            "INSERT INTO clew.leads (lb, lead) VALUES ($1, $2) ON CONFLICT (lead) DO NOTHING",
            Shard::Rows("lb"),
        ),
        (
            "INSERT INTO clew.leads (lb) VALUES ($1) ON CONFLICT (lb) DO UPDATE SET a = f(excluded.a)",
            Shard::Rows("lb"),
        ),
        ("SELECT a FROM clew.leads GROUP BY ROLLUP (a)", Shard::Every),
        ("SELECT pg_advisory_lock(1)", Shard::Reference),
        ("SELECT 1 FROM clew.leads", Shard::Node),
        ("DELETE FROM clew.leads", Shard::Reference),
    ] {
        assert!(complaint(sql, shard).is_some(), "{sql}");
    }
}

#[test]
fn every_key_begins_with_its_bucket() {
    let mut tables = Vec::new();
    for migration in SCHEMA {
        let code: Vec<&str> =
            migration.lines().map(|line| line.split("--").next().unwrap()).collect();
        let code = plain(&code.join("\n"));
        assert!(
            !code.contains("references")
                && !code.contains("foreign key")
                && !code.contains("serial")
        );
        assert!(!code.contains("unique"), "nothing can be unique across buckets");
        for table in code.split("create table ").skip(1) {
            let (name, rest) = table.split_once(" (").unwrap();
            let key = rest.split_once("primary key (").unwrap().1.split_once(')').unwrap().0;
            tables.push(name.to_owned());
            match DISTRIBUTED.iter().find(|(known, _)| *known == name) {
                Some((_, column)) => {
                    assert!(
                        rest.trim_start().starts_with(&format!("{column} smallint not null,")),
                        "{name}"
                    );
                    assert!(
                        key == *column || key.starts_with(&format!("{column},")),
                        "{name}: {key}"
                    );
                }
                None => assert!(
                    REFERENCE.contains(&name),
                    "{name} is neither distributed nor reference"
                ),
            }
        }
    }
    let known = DISTRIBUTED.iter().map(|(name, _)| *name).chain(REFERENCE.iter().copied());
    // The migration library makes the history table.
    let mut known: Vec<&str> = known.filter(|name| *name != "clew.schema_history").collect();
    known.sort_unstable();
    tables.sort_unstable();
    assert_eq!(tables, known);
}
