//! API keys: the sites, scopes and expiry of each.

use super::SiteConfig;
use anyhow::{Result, bail, ensure};
use clew_core::secret::KeyHash;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shared::ids::SiteId;
use shared::limits::DAY_MS;
use shared::time::{parse_rfc3339, parse_utc};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::str::FromStr;

/// What a key may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Report leads, stages and revenue.
    LeadsWrite,
    /// Read leads with all their data.
    LeadsRead,
    /// Read reports.
    ReportsRead,
    /// Manage and test webhooks, and thereby decide where leads are sent.
    Hooks,
    /// Everything, including what only an operator should do.
    Admin,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 5] =
        [Self::LeadsWrite, Self::LeadsRead, Self::ReportsRead, Self::Hooks, Self::Admin];

    /// Its public name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeadsWrite => "leads:write",
            Self::LeadsRead => "leads:read",
            Self::ReportsRead => "reports:read",
            Self::Hooks => "hooks",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The name is not that of a scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a scope; use {}", Scope::ALL.map(Scope::as_str).join(", "))]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(UnknownScope)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::text::parsed(deserializer)
    }
}

/// The scopes of one key.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Whether the key may do what needs `scope`; [`Scope::Admin`] allows everything.
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&scope) || self.0.contains(&Scope::Admin)
    }

    /// Their names.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|scope| scope.as_str()).collect()
    }
}

/// When a key expires: a time, or a date, which means the end of that day in UTC.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expiry {
    written: String,
    at_ms: i64,
}

impl Expiry {
    /// The time from which the key is refused, Unix milliseconds.
    pub const fn at_ms(&self) -> i64 {
        self.at_ms
    }
}

/// The text as written.
impl fmt::Display for Expiry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written)
    }
}

/// The text is neither a date nor a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("should be a date like \"2027-01-31\" or a time like \"2027-01-31T12:00:00Z\"")]
pub struct ExpiryError;

impl FromStr for Expiry {
    type Err = ExpiryError;

    fn from_str(text: &str) -> Result<Self, ExpiryError> {
        let is_date = text.len() == "2027-01-31".len();
        let day = || parse_utc(text).filter(|_| is_date).map(|start_ms| start_ms + DAY_MS);
        let at_ms = parse_rfc3339(text).or_else(day).ok_or(ExpiryError)?;
        Ok(Self { written: text.to_owned(), at_ms })
    }
}

/// A string, or one of TOML's native dates and times, which serde sees as a map with one string.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a date or a time was expected")]
enum WrittenExpiry {
    Text(String),
    Toml(BTreeMap<String, String>),
}

impl<'de> Deserialize<'de> for Expiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match WrittenExpiry::deserialize(deserializer)? {
            WrittenExpiry::Text(text) => text,
            WrittenExpiry::Toml(date) => date.into_values().next().unwrap_or_default(),
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One API key.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(try_from = "Table")]
pub struct KeyConfig {
    /// What the key is for.
    pub name: String,
    /// The sites that the key gives access to, one or more.
    pub sites: Vec<SiteId>,
    /// What the key may do there.
    pub scopes: Scopes,
    /// When the key expires; `None` if it does not.
    pub expires: Option<Expiry>,
    /// The key's hash.
    pub hash: KeyHash,
}

/// `[[keys]]` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    site: Option<SiteId>,
    sites: Option<Vec<SiteId>>,
    #[serde(default)]
    scopes: Scopes,
    expires: Option<Expiry>,
    hash: KeyHash,
}

impl TryFrom<Table> for KeyConfig {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let Table { name, site, sites, scopes, expires, hash } = table;
        let sites = match (site, sites) {
            (Some(one), None) => vec![one],
            (None, Some(several)) if !several.is_empty() => several,
            _ => return Err(format!("key `{name}`: name either `site` or a list of `sites`")),
        };
        // Missing scopes must not mean all scopes.
        if scopes == Scopes::default() {
            return Err(format!(
                "key `{name}`: scopes are missing; a form handler needs scopes = [\"leads:write\"], and all \
                 scopes are {}",
                Scope::ALL.map(Scope::as_str).join(", ")
            ));
        }
        Ok(Self { name, sites, scopes, expires, hash })
    }
}

impl KeyConfig {
    /// Checks all keys against the configured sites.
    pub(super) fn check_all(keys: &[Self], sites: &[SiteConfig]) -> Result<()> {
        let mut hashes: Vec<&KeyHash> = Vec::new();
        for key in keys {
            let name = &key.name;
            let mut own = HashSet::new();
            for site in &key.sites {
                ensure!(
                    sites.iter().any(|known| known.name == *site),
                    "key `{name}`: site `{site}` is not configured"
                );
                ensure!(own.insert(site), "key `{name}`: site `{site}` is listed twice");
            }
            if hashes.contains(&&key.hash) {
                bail!("key `{name}`: another table has the same hash; use one table per key");
            }
            hashes.push(&key.hash);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    const SITES: &str = "[[sites]]\nname = \"demo\"\nhosts = [\"demo.example\"]\n\
                         [[sites]]\nname = \"shop\"\nhosts = [\"shop.example\"]\n";

    fn table(lines: &str) -> String {
        let hash = KeyHash::of(lines);
        format!("[[keys]]\nname = \"forms\"\nhash = \"{hash}\"\n{lines}\n")
    }

    fn check(keys: &str, expected: Result<(), &str>) {
        let read = Config::parse(&format!("{SITES}{keys}"), &[]);
        match (read.map_err(|error| format!("{error:#}")), expected) {
            (Ok(_), Ok(())) => {}
            (Err(message), Err(part)) if message.contains(part) => {}
            (found, _) => panic!("{keys}: {:?}", found.map(|config| config.keys)),
        }
    }

    #[test]
    fn tables() {
        let scopes = "scopes = [\"leads:write\", \"leads:read\"]";
        let one = format!("site = \"demo\"\n{scopes}");
        check(&table(&one), Ok(()));
        check(&table(&format!("sites = [\"demo\", \"shop\"]\n{scopes}")), Ok(()));
        check(&table(&format!("{one}\nexpires = \"2027-01-31\"")), Ok(()));
        check(&table(&format!("{one}\nexpires = \"2027-01-31T08:00:00+09:00\"")), Ok(()));
        check(&table(scopes), Err("key `forms`: name either `site` or a list of `sites`"));
        check(&table(&format!("sites = []\n{scopes}")), Err("name either `site` or"));
        check(&table(&format!("{one}\nsites = [\"shop\"]")), Err("name either `site` or"));
        check(
            &table(&format!("site = \"other\"\n{scopes}")),
            Err("site `other` is not configured"),
        );
        let twice = format!("sites = [\"demo\", \"demo\"]\n{scopes}");
        check(&table(&twice), Err("`demo` is listed twice"));
        check(
            &table("site = \"demo\""),
            Err("scopes are missing; a form handler needs scopes = [\"leads:write\"]"),
        );
        check(&table("site = \"demo\"\nscopes = []"), Err("key `forms`: scopes are missing"));
        check(
            &table("site = \"demo\"\nscopes = [\"leads\"]"),
            Err("not a scope; use leads:write,"),
        );
        for wrong in ["\"soon\"", "\"2027-02-30\"", "\"2027-01-31T08:00\"", "\"\"", "\"2027\""] {
            check(&table(&format!("{one}\nexpires = {wrong}")), Err("should be a date like"));
        }
        check(&table(&format!("{one}\nexpires = 2027-01-31")), Ok(()));
        check(&table(&format!("{one}\nexpires = 2027-01-31T08:00:00Z")), Ok(()));
        check(
            &table(&format!("{one}\nexpires = 2027-01-31T08:00:00")),
            Err("should be a date like"),
        );
        check(&table(&format!("{one}\nexpires = 2027")), Err("a date or a time was expected"));
        check(&table(&format!("{one}\nscope = \"admin\"")), Err("scope"));
        check(&format!("{}{}", table(&one), table(&one)), Err("another table has the same hash"));
    }

    #[test]
    fn the_moment_of_expiry() {
        for (written, at) in [
            ("2027-01-31", "2027-02-01T00:00:00Z"),
            ("2028-02-29", "2028-03-01T00:00:00Z"),
            ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00Z"),
            ("2027-01-31T09:00:00+09:00", "2027-01-31T00:00:00Z"),
        ] {
            let expiry: Expiry = written.parse().unwrap();
            assert_eq!(
                (Some(expiry.at_ms()), expiry.to_string()),
                (parse_rfc3339(at), written.into())
            );
        }
    }

    #[test]
    fn admin_alone_stands_for_others() {
        for own in Scope::ALL {
            assert_eq!(own.as_str().parse(), Ok(own));
            let scopes = Scopes(BTreeSet::from([own]));
            for needed in Scope::ALL {
                let expected = own == needed || own == Scope::Admin;
                assert_eq!(scopes.allow(needed), expected, "{own} for {needed}");
            }
        }
    }
}
