//! Secrets, which are never printed, and API keys, of which only hashes are kept.

use base16ct::HexDisplay;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// A secret from the configuration: the text itself, or `env:NAME`, which is resolved when the
/// configuration is loaded.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text. Call this only where the secret is used.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Replaces `env:NAME` with the value that `lookup` returns for `NAME`.
    ///
    /// # Errors
    /// [`Unset`] if there is no such variable.
    pub fn resolve(&mut self, lookup: impl Fn(&str) -> Option<String>) -> Result<(), Unset> {
        if let Some(name) = self.0.strip_prefix("env:") {
            // A file that sets variables often ends them with a space or a line feed.
            let found = lookup(name.trim()).ok_or_else(|| Unset(name.trim().to_owned()))?;
            found.trim().clone_into(&mut self.0);
        }
        Ok(())
    }
}

/// The environment variable of an `env:NAME` secret is not set.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the environment variable {0} is not set")]
pub struct Unset(pub String);

/// A configured key. Sealed tokens and sealed secrets are made with it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenKey {
    /// Part of everything made with the key, so that keys can be rotated.
    pub id: u8,
    /// Base64 of at least 16 random bytes, or `env:NAME`.
    pub secret: Secret,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The hash of an API key, `sha256:` and 64 hex digits in the configuration. A key is 32 random
/// bytes, which cannot be guessed, so a fast hash is enough.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Hashes a key as sent by a caller.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// Whether this is the key's hash. Compares in constant time.
    pub fn matches(&self, key: &str) -> bool {
        self.0.ct_eq(&Self::of(key).0).into()
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{:x}", HexDisplay(&self.0))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

impl<'de> Deserialize<'de> for KeyHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || {
            serde::de::Error::custom(
                "an API key's hash must be `sha256:` and 64 hex digits, as `clew key` prints it",
            )
        };
        let digits =
            text.strip_prefix("sha256:").filter(|digits| digits.len() == 64).ok_or_else(wrong)?;
        let mut hash = [0; 32];
        base16ct::mixed::decode(digits, &mut hash).map_err(|_| wrong())?;
        Ok(Self(hash))
    }
}

/// Makes a new API key from 32 random bytes.
pub fn new_api_key(random: [u8; 32]) -> String {
    format!("clew_{}", URL_SAFE_NO_PAD.encode(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_match_their_hash_alone() {
        let key = new_api_key([7; 32]);
        let written = KeyHash::of(&key).to_string();
        let read: KeyHash = serde_json::from_value(written.into()).unwrap();
        assert!(read.matches(&key) && !read.matches("clew_x") && !read.matches(""));
        for bad in [
            "",
            "sha256:",
            "md5:00",
            &format!("sha256:{}", "zz".repeat(32)),
            &format!("sha256:{}", "+f".repeat(32)),
            &format!("sha256:{}", "é".repeat(32)),
        ] {
            assert!(serde_json::from_value::<KeyHash>(bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_hide_and_resolve() {
        let mut secret = Secret::new("env:TOKEN");
        assert_eq!(secret.resolve(|_| None), Err(Unset("TOKEN".to_owned())));
        secret.resolve(|name| (name == "TOKEN").then(|| "hush".to_owned())).unwrap();
        assert_eq!((secret.reveal(), format!("{secret:?}").contains("hush")), ("hush", false));
    }
}
