//! The settings that tests give a collector.

use clew_core::secret::KeyHash;

/// The API key of the test's site, with every scope.
pub const KEY: &str = "clew_test-key";
/// The API key of another site, with every scope.
pub const OTHER_KEY: &str = "clew_other-key";
/// The webhook secret of every test.
pub const WEBHOOK_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// The settings of a test's collector on a store. All browsers of a test are one client, so nothing
/// is rate-limited unless a test sets it, and a machine whose disk is low refuses no page views.
pub fn settings_for(url: &str) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\noperator_listen = \"\"\nworkers = 2\nlog = \"warn,clew=info,collector=info\"\n\
         [store]\nurl = \"{url}\"\nwarn_free_mib = 0\nmin_free_mib = 0\n\
         [rates]\nclient_per_second = 0\nvisitor_per_second = 0\nperson_per_hour = 0\n\
         [[token_keys]]\nid = 1\nsecret = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"\n\
         [[sites]]\nname = \"demo\"\nhosts = [\"example.com\", \"demo.test\"]\n\
         [[sites]]\nname = \"other\"\nhosts = [\"other.example\"]\n\
         {}{}",
        key("test", KEY, "site = \"demo\"\nscopes = [\"admin\"]"),
        key("other", OTHER_KEY, "site = \"other\"\nscopes = [\"admin\"]"),
    )
}

/// The settings of an API key. `lines` set its site and scopes.
pub fn key(name: &str, key: &str, lines: &str) -> String {
    format!("[[keys]]\nname = \"{name}\"\nhash = \"{}\"\n{lines}\n", KeyHash::of(key))
}

/// The settings of a destination.
pub fn destination(name: &str, url: &str) -> String {
    format!(
        "[[destinations]]\nname = \"{name}\"\nsite = \"demo\"\nurl = \"{url}\"\n\
         secret = \"{WEBHOOK_SECRET}\"\nallow_private = true\n"
    )
}
