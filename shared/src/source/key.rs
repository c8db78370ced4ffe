//! The keys of host rows.

use crate::host::{before_registry_suffix, parse_host};

/// `images.google.co.uk` as `images.google.*`.
pub(super) fn wildcard(host: &str) -> Option<String> {
    before_registry_suffix(host).map(|front| format!("{front}.*"))
}

/// The key of a host row; `None` if the name is not a host.
pub(super) fn normal_key(name: &str) -> Option<String> {
    if let Some(package) = name.strip_prefix("app:") {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        return (!package.is_empty() && package.bytes().all(plain)).then(|| name.to_owned());
    }
    match name.strip_suffix(".*") {
        Some(front) => plain_host(front).map(|front| format!("{front}.*")),
        None => plain_host(name).filter(|host| host.contains('.')),
    }
}

/// A host of letters, digits, hyphens and underscores, as web hosts are; browsers accept more.
pub(super) fn plain_host(text: &str) -> Option<String> {
    let host = parse_host(text)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(plain);
    host.split('.').all(is_label).then_some(host)
}
