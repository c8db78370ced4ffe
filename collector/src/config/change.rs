//! What a reload of the configuration changes: which settings need a restart, and how many sites,
//! keys and destinations differ.

use super::{Config, StoreConfig};
use std::fmt;

impl Config {
    /// Resets the settings that need a restart to their values at the start. Returns the names of
    /// those that differed.
    pub fn keep_started(&mut self, started: &Self) -> Vec<&'static str> {
        let Self { listen, operator_listen, prefix, workers, limits, store, .. } = self;
        // Every setting of the store is listed, so that a new one cannot be forgotten here.
        let StoreConfig {
            url,
            queue,
            cache_mib,
            warn_free_mib,
            min_free_mib,
            password,
            connections,
            statement_seconds,
            tls_ca,
        } = store;
        let differ = [
            ("listen", keep(listen, &started.listen)),
            ("operator_listen", keep(operator_listen, &started.operator_listen)),
            ("prefix", keep(prefix, &started.prefix)),
            ("workers", keep(workers, &started.workers)),
            ("limits.connections", keep(&mut limits.connections, &started.limits.connections)),
            ("store.url", keep(url, &started.store.url)),
            ("store.queue", keep(queue, &started.store.queue)),
            ("store.cache_mib", keep(cache_mib, &started.store.cache_mib)),
            ("store.warn_free_mib", keep(warn_free_mib, &started.store.warn_free_mib)),
            ("store.min_free_mib", keep(min_free_mib, &started.store.min_free_mib)),
            ("store.password", keep(password, &started.store.password)),
            ("store.connections", keep(connections, &started.store.connections)),
            ("store.statement_seconds", keep(statement_seconds, &started.store.statement_seconds)),
            ("store.tls_ca", keep(tls_ca, &started.store.tls_ca)),
        ];
        differ.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}

/// Resets a value; returns whether it differed.
fn keep<T: PartialEq + Clone>(new: &mut T, started: &T) -> bool {
    let differs = new != started;
    new.clone_from(started);
    differs
}

/// How the tables of two configurations differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConfigDiff {
    /// Web sites, by name.
    pub sites: TableDiff,
    /// API keys, by hash.
    pub keys: TableDiff,
    /// Destinations, by name.
    pub destinations: TableDiff,
    /// Connections to CRMs, by name.
    pub crm: TableDiff,
    /// Inbound webhooks, by name.
    pub inbound: TableDiff,
}

impl ConfigDiff {
    /// Compares two configurations.
    pub fn between(before: &Config, after: &Config) -> Self {
        Self {
            sites: TableDiff::of(&before.sites, &after.sites, |site| &site.name),
            keys: TableDiff::of(&before.keys, &after.keys, |key| &key.hash),
            destinations: TableDiff::of(&before.destinations, &after.destinations, |to| &to.name),
            crm: TableDiff::of(&before.crm, &after.crm, |crm| &crm.name),
            inbound: TableDiff::of(&before.inbound, &after.inbound, |from| &from.name),
        }
    }
}

/// How many tables were added, changed and removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableDiff {
    added: usize,
    changed: usize,
    removed: usize,
}

impl TableDiff {
    fn of<T: PartialEq, N: PartialEq>(before: &[T], after: &[T], name: impl Fn(&T) -> &N) -> Self {
        let find = |list: &[T], one: &T| list.iter().position(|other| name(other) == name(one));
        let was = |one: &T| find(before, one).map(|place| before[place] == *one);
        let count = |state| after.iter().filter(|one| was(one) == state).count();
        Self {
            added: count(None),
            changed: count(Some(false)),
            removed: before.iter().filter(|one| find(after, one).is_none()).count(),
        }
    }
}

impl fmt::Display for TableDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { added, changed, removed } = self;
        write!(f, "{added} added, {changed} changed, {removed} removed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, &[]).unwrap()
    }

    fn check_kept(text: &str, expected: &[&str]) {
        let started = config("workers = 3\n[store]\nqueue = 5");
        let mut again = config(text);
        assert_eq!(again.keep_started(&started), expected, "{text}");
        assert_eq!((again.workers, again.store.queue, again.listen), (3, 5, started.listen));
        assert_eq!(again.keep_started(&started), [""; 0], "{text}");
    }

    #[test]
    fn what_needs_a_restart() {
        let rest = "workers = 3\n[store]\nqueue = 5";
        check_kept(rest, &[]);
        check_kept(&format!("log = \"debug\"\npublic_url = \"https://a.example\"\n{rest}"), &[]);
        check_kept(&format!("listen = \"127.0.0.1:1\"\n{rest}"), &["listen"]);
        check_kept(
            &format!("prefix = \"/x\"\n{rest}\ncache_mib = 1"),
            &["prefix", "store.cache_mib"],
        );
        check_kept(
            &format!(
                "operator_listen = \"\"\n{rest}\n[limits]\nconnections = 900\nrequest_seconds = 2"
            ),
            &["operator_listen", "limits.connections"],
        );
        check_kept("[store]\nurl = \"sled:x\"", &["workers", "store.url", "store.queue"]);
    }

    #[test]
    fn settings_that_need_none_are_taken() {
        let mut again = config("log = \"debug\"\nlisten = \"127.0.0.1:1\"");
        assert_eq!(again.keep_started(&config("")), ["listen"]);
        assert_eq!(again.log, "debug");
    }

    fn check_sites(before: &[(&str, &str)], after: &[(&str, &str)], expected: &str) {
        let with = |sites: &[(&str, &str)]| {
            let site = |(name, host): &(&str, &str)| {
                format!("[[sites]]\nname = \"{name}\"\nhosts = [\"{host}\"]\n")
            };
            config(&sites.iter().map(site).collect::<String>())
        };
        let diff = ConfigDiff::between(&with(before), &with(after));
        assert_eq!(diff.sites.to_string(), expected, "{before:?} {after:?}");
        assert_eq!(diff.keys.to_string(), "0 added, 0 changed, 0 removed");
    }

    #[test]
    fn counts() {
        let (a, b) = (("a", "a.example"), ("b", "b.example"));
        check_sites(&[], &[], "0 added, 0 changed, 0 removed");
        check_sites(&[a, b], &[b, a], "0 added, 0 changed, 0 removed");
        check_sites(&[], &[a, b], "2 added, 0 changed, 0 removed");
        check_sites(&[a], &[("a", "other.example"), b], "1 added, 1 changed, 0 removed");
        check_sites(&[a, b], &[b], "0 added, 0 changed, 1 removed");
    }
}
