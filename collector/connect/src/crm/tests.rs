//! Which settings of a connection are accepted, and that the example shows their defaults.

use super::*;
use figment::Figment;
use figment::providers::{Format, Toml};

const EXAMPLE: &str = include_str!("../../../../clew.example.toml");
const REQUIRED: &str = "name = 'sales'\nsite = 'demo'\ncurrency = 'EUR'\n";
const HUBSPOT: &str = "[hubspot]\ntoken = 't'\n";
const SALESFORCE: &str =
    "[salesforce]\nlogin_url = 'https://a.example'\nclient_id = 'i'\nclient_secret = 's'\n";

fn read(text: &str) -> CrmConfig {
    Figment::from(Toml::string(text)).extract().unwrap()
}

/// A connection with one vendor's table, with all of the example's lines in force.
fn example(vendor: &str) -> CrmConfig {
    let (_, block) = EXAMPLE.split_once("# [[crm]]\n").unwrap();
    let lines = block.lines().map_while(|line| line.strip_prefix("# "));
    let (mut text, mut is_meant) = (String::new(), true);
    for line in lines {
        let line = line.replace("[crm.", "[");
        if line.starts_with('[') {
            is_meant = line.contains("stages]") || line.starts_with(&format!("[{vendor}]"));
        }
        if is_meant {
            text += &format!("{line}\n");
        }
    }
    read(&text)
}

#[test]
fn the_example_shows_the_defaults() {
    let defaults = read(&format!("{REQUIRED}{HUBSPOT}"));
    let shown = example("hubspot");
    let expected = CrmConfig {
        stages: shown.stages.clone(),
        deal_stages: shown.deal_stages.clone(),
        hubspot: shown.hubspot.clone(),
        ..defaults.clone()
    };
    assert_eq!(shown, expected);
    let (shown, defaults) = (shown.hubspot.unwrap(), defaults.hubspot.unwrap());
    assert_eq!(defaults.base_url.as_str(), "https://api.hubapi.com/");
    assert_eq!(defaults.token.as_ref().map(Secret::reveal), Some("t"));
    let expected = HubspotConfig {
        base_url: defaults.base_url,
        app_url: defaults.app_url,
        api: defaults.api,
        allow_legacy_signature: defaults.allow_legacy_signature,
        calls_in_10_seconds: defaults.calls_in_10_seconds,
        ..shown.clone()
    };
    assert_eq!(shown, expected);

    let defaults = read(&format!("{REQUIRED}{SALESFORCE}")).salesforce.unwrap();
    let shown = example("salesforce").salesforce.unwrap();
    let expected = SalesforceConfig {
        audience: defaults.audience,
        api: defaults.api,
        calls_in_10_seconds: defaults.calls_in_10_seconds,
        ..shown.clone()
    };
    assert_eq!(shown, expected);
}

fn check(text: &str, expected: Result<(), &str>) {
    let found = read(&format!("{REQUIRED}{text}")).check().map_err(|error| format!("{error:#}"));
    match (&found, expected) {
        (Ok(()), Ok(())) => {}
        (Err(message), Err(part)) if message.contains(part) => {}
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn good_and_bad_connections() {
    check(HUBSPOT, Ok(()));
    check(SALESFORCE, Ok(()));
    check("", Err("it needs exactly one vendor's table"));
    check(&format!("{HUBSPOT}{SALESFORCE}"), Err("it needs exactly one vendor's table"));
    check(&format!("fields = ['gclid']\n{HUBSPOT}"), Ok(()));
    check(&format!("fields = ['shoes']\n{HUBSPOT}"), Err("there is no field `shoes`"));
    let plain = format!("{HUBSPOT}base_url = 'http://127.0.0.1:8084'");
    check(&plain, Err("hubspot.base_url: should be https"));
    check(&format!("allow_private = true\n{plain}"), Ok(()));
    for (vendor, name) in [(HUBSPOT, "hubspot"), (SALESFORCE, "salesforce")] {
        let few = format!("{name}.calls_in_10_seconds: should be at least 10");
        check(&format!("{vendor}calls_in_10_seconds = 9"), Err(&few));
        check(&format!("{vendor}calls_in_10_seconds = 10"), Ok(()));
    }
    check("[hubspot]\nclient_id = 'i'", Err("set token, or client_id"));
    check("[hubspot]\nclient_id = 'i'\nclient_secret = 's'\nrefresh_token = 'r'", Ok(()));
    check(&format!("{HUBSPOT}client_secret = 's'"), Ok(()));
    check(&format!("{HUBSPOT}refresh_token = 'r'"), Err("either token, or refresh_token"));
    for (api, expected) in [("2027-03", Ok(())), ("v3", Ok(())), ("v4", Err("hubspot.api"))] {
        check(&format!("{HUBSPOT}api = '{api}'"), expected);
    }
    check(&format!("{SALESFORCE}refresh_token = 'r'"), Ok(()));
    check(&format!("{SALESFORCE}private_key = 'k'"), Err("private_key requires user"));
    let key = format!("{SALESFORCE}private_key = 'k'\nuser = 'u'\n");
    check(&key, Ok(()));
    check(&format!("{key}refresh_token = 'r'"), Err("either private_key or refresh_token"));
    check(&SALESFORCE.replace("client_secret = 's'", ""), Err("set client_secret"));
    check(&format!("{SALESFORCE}api = '68'"), Err("salesforce.api: should be like"));
    check(&format!("{SALESFORCE}hook_secret = 'short'"), Err("at least 32 random characters"));
    check(&format!("{SALESFORCE}hook_secret = '{}'", "x".repeat(32)), Ok(()));
}
