//! A database's address as people have it: with the parameters that libpq, cloud vendors and other
//! tools write into it.
//!
//! Each parameter is taken, or refused by name. No refusal shows a value, because an unencoded
//! character in a password can make any part of it look like one.

use crate::error::StoreError;
use percent_encoding::percent_decode_str;
use std::path::PathBuf;
use std::str::FromStr;
use tokio_postgres::Config;

/// A database's address.
#[derive(Debug)]
pub(super) struct Address {
    /// Hosts, user, database and so on, as written.
    pub(super) config: Config,
    /// `sslrootcert`: a file of certificates to trust.
    pub(super) certificates: Option<PathBuf>,
}

/// Parameters that the client understands as they are.
const TAKEN: [&str; 14] = [
    "channel_binding",
    "dbname",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "password",
    "port",
    "sslnegotiation",
    "tcp_user_timeout",
    "user",
];
/// Parameters that change nothing: the collector sets them itself, or TLS has no such choice.
const IGNORED: [&str; 6] = [
    "application_name",
    "connect_timeout",
    "fallback_application_name",
    "keepalives_idle",
    "sslcompression",
    "sslsni",
];
/// Parameters of libpq that have no counterpart.
const UNSUPPORTED: [&str; 14] = [
    "client_encoding",
    "krbsrvname",
    "passfile",
    "replication",
    "require_auth",
    "requirepeer",
    "service",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcrl",
    "sslkey",
    "sslpassword",
    "sslcertmode",
];
/// Parameters that are for another tool.
const OF_OTHER_TOOLS: [&str; 9] = [
    "connection_limit",
    "pool_max_conns",
    "pool_mode",
    "pool_timeout",
    "prepared_statements",
    "schema",
    "search_path",
    "socket_timeout",
    "statement_cache_size",
];

/// Reads an address. A password that it lacks is taken from `password`.
///
/// # Errors
/// [`StoreError::Unavailable`], with what to change.
pub(super) fn read(url: &str, password: Option<&str>) -> Result<Address, StoreError> {
    let wrong = |reason: &str| StoreError::Unavailable(format!("store.url: {reason}"));
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut kept, mut certificates) = (Vec::new(), None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decode_str(value).decode_utf8_lossy();
        match parameter(name, &value).map_err(|reason| wrong(&reason))? {
            Parameter::Kept => kept.push(pair.to_owned()),
            Parameter::As(other) => kept.push(other.to_owned()),
            Parameter::Renamed(other) => kept.push(format!("{other}={value}")),
            Parameter::Certificates(file) => certificates = Some(file),
            Parameter::Ignored => {}
        }
    }
    let url = match kept.is_empty() {
        true => base.to_owned(),
        false => format!("{base}?{}", kept.join("&")),
    };
    // The parser's message may contain the password.
    let unreadable = |_| {
        wrong(
            "it should be like postgres://user:password@host/database, with @ in a password written as \
             %40, / as %2F, ? as %3F, % as %25",
        )
    };
    let mut config = Config::from_str(&url).map_err(unreadable)?;
    if config.get_hosts().is_empty() {
        return Err(wrong("it names no host"));
    }
    if let Some(password) = password.filter(|_| config.get_password().is_none()) {
        config.password(password);
    }
    Ok(Address { config, certificates })
}

/// What becomes of a parameter.
enum Parameter {
    Kept,
    As(&'static str),
    Renamed(&'static str),
    Certificates(PathBuf),
    Ignored,
}

/// Decides about a parameter, or says what to change.
fn parameter(name: &str, value: &str) -> Result<Parameter, String> {
    let refuse = |reason: &str| Err(reason.to_owned());
    match (name, value) {
        ("sslmode", "disable" | "prefer" | "require") => Ok(Parameter::Kept),
        ("sslmode", "allow") => Ok(Parameter::As("sslmode=prefer")),
        // A certificate is always verified, and so is the host's name in it.
        ("sslmode", "verify-ca" | "verify-full") | ("ssl", "true" | "1" | "require") => {
            Ok(Parameter::As("sslmode=require"))
        }
        ("ssl", "false" | "0") => Ok(Parameter::As("sslmode=disable")),
        ("sslmode" | "ssl", _) => {
            refuse("sslmode should be disable, allow, prefer, require, verify-ca or verify-full")
        }
        ("sslrootcert", "system") => Ok(Parameter::Ignored),
        ("sslrootcert", file) => Ok(Parameter::Certificates(file.into())),
        ("gssencmode", "disable" | "prefer") => Ok(Parameter::Ignored),
        ("gssencmode", _) => refuse(
            "gssencmode should be disable or prefer: connections are encrypted with TLS, not with GSS",
        ),
        ("target_session_attrs", "any" | "read-write") => Ok(Parameter::Kept),
        ("target_session_attrs", "primary") => Ok(Parameter::As("target_session_attrs=read-write")),
        ("target_session_attrs", _) => refuse(
            "target_session_attrs should be any, primary or read-write, because the collector writes",
        ),
        ("keepalives_count", _) => Ok(Parameter::Renamed("keepalives_retries")),
        ("pgbouncer", "false" | "0") => Ok(Parameter::Ignored),
        ("pgbouncer", _) => refuse(POOLER),
        _ if TAKEN.contains(&name) => Ok(Parameter::Kept),
        _ if IGNORED.contains(&name) => Ok(Parameter::Ignored),
        _ if UNSUPPORTED.contains(&name) => {
            Err(format!("the parameter {name} is not supported; remove it"))
        }
        _ if OF_OTHER_TOOLS.contains(&name) => {
            Err(format!("the parameter {name} is for another tool; remove it"))
        }
        _ => refuse(
            "it has a parameter that PostgreSQL does not have; if this is part of the password, write ? \
             as %3F and & as %26",
        ),
    }
}

/// Why a pooler is refused.
pub(super) const POOLER: &str = "a pooler such as PgBouncer is between the collector and the database. The collector pools its \
     connections itself, and needs their prepared statements and settings: connect it to the database \
     directly";

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_postgres::config::{SslMode, TargetSessionAttrs};

    const BASE: &str = "postgres://clew:s3cr%3Ft@db.example.com:5432/clew";

    #[test]
    fn what_is_taken() {
        let check = |query: &str, mode: SslMode, file: Option<&str>| {
            let address = read(&format!("{BASE}?{query}"), Some("other")).unwrap();
            assert_eq!(address.config.get_ssl_mode(), mode, "{query}");
            assert_eq!(address.certificates, file.map(PathBuf::from), "{query}");
            assert_eq!(address.config.get_password(), Some(&b"s3cr?t"[..]), "{query}");
        };
        check("", SslMode::Prefer, None);
        check("sslmode=disable", SslMode::Disable, None);
        check("sslmode=allow", SslMode::Prefer, None);
        check("sslmode=verify-full", SslMode::Require, None);
        check(
            "sslmode=verify-ca&sslrootcert=%2Fetc%2Fca.pem",
            SslMode::Require,
            Some("/etc/ca.pem"),
        );
        check("sslmode=require&sslrootcert=system", SslMode::Require, None);
        check("ssl=true&application_name=x&gssencmode=disable", SslMode::Require, None);
        check(
            "connect_timeout=10&keepalives_count=3&channel_binding=prefer",
            SslMode::Prefer,
            None,
        );
        check("pgbouncer=false&sslsni=1", SslMode::Prefer, None);
    }

    #[test]
    fn several_hosts_of_which_one_can_be_written() {
        for attributes in ["primary", "read-write"] {
            let url =
                format!("postgresql://clew@a:5432,b:5433/clew?target_session_attrs={attributes}");
            let config = read(&url, None).unwrap().config;
            assert_eq!(config.get_hosts().len(), 2);
            assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        }
    }

    #[test]
    fn a_password_of_the_environment() {
        let with = |url: &str, password| {
            let address = read(url, password).unwrap();
            address.config.get_password().map(<[u8]>::to_vec)
        };
        assert_eq!(with("postgres://clew@db/clew", Some("p")), Some(b"p".to_vec()));
        assert_eq!(with("postgres://clew@db/clew", None), None);
        assert_eq!(with("postgres://clew:q@db/clew", Some("p")), Some(b"q".to_vec()));
    }

    #[test]
    fn what_is_refused_names_the_parameter_and_no_secret() {
        let check = |url: &str, part: &str| {
            let error = read(url, None).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
            assert!(!error.contains("s3cr") && !error.contains("hunter"), "{error}");
        };
        let query = |query: &str, part: &str| check(&format!("{BASE}?{query}"), part);
        query("sslmode=verify", "sslmode should be disable, allow");
        query("sslcert=client.pem", "the parameter sslcert is not supported");
        query("schema=public", "the parameter schema is for another tool");
        query("target_session_attrs=standby", "because the collector writes");
        query("gssencmode=require", "encrypted with TLS");
        query("pgbouncer=true", "connect it to the database directly");
        query("colour=red", "a parameter that PostgreSQL does not have");
        check("postgres://clew:s3cr?hunter2@db/clew", "write ? as %3F");
        check("postgres://clew:s3cr?hunter=2&b@db/clew", "write ? as %3F");
        check("postgres://clew:s3crhunter@db:port/clew", "should be like");
        check("postgres:///clew", "names no host");
    }
}
