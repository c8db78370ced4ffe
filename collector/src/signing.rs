//! Signatures of Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clew_core::Secret;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// How far a webhook's timestamp may differ from now, so that a recorded request cannot be replayed
/// later.
const TOLERANCE_SECONDS: u64 = 5 * 60;

/// The signing key of one secret.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

/// The secret does not have the required form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the secret should be `whsec_` followed by base64 of 24 to 64 random bytes")]
pub struct SecretError;

impl SigningKey {
    /// Parses `whsec_` followed by base64 of 24 to 64 bytes.
    ///
    /// # Errors
    /// If the secret does not have that form.
    pub fn parse(secret: &Secret) -> Result<Self, SecretError> {
        let encoded = secret.reveal().trim().strip_prefix("whsec_").ok_or(SecretError)?;
        let key = STANDARD.decode(encoded).map_err(|_| SecretError)?;
        if !(24..=64).contains(&key.len()) {
            return Err(SecretError);
        }
        Hmac::new_from_slice(&key).map(Self).map_err(|_| SecretError)
    }

    /// Makes one signature.
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let signed = format!("{id}.{timestamp_s}.");
        let mac = self.0.clone().chain_update(signed.as_bytes()).chain_update(body).finalize();
        format!("v1,{}", STANDARD.encode(mac.into_bytes()))
    }
}

/// The keys of one webhook; two while its secret is being replaced.
#[derive(Clone)]
pub struct SigningKeys(pub Vec<SigningKey>);

impl SigningKeys {
    /// The value of `webhook-signature`: one signature per key.
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let signatures = self.0.iter().map(|key| key.sign(id, timestamp_s, body));
        signatures.collect::<Vec<_>>().join(" ")
    }

    /// Checks an incoming webhook before its body is read: its timestamp, and whether any signature
    /// is well formed. Returns the timestamp, Unix seconds.
    ///
    /// # Errors
    /// A sentence about the header at fault.
    pub fn check_head(timestamp: &str, signatures: &str, now_ms: i64) -> Result<i64, &'static str> {
        let timestamp_s: i64 =
            timestamp.parse().map_err(|_| "webhook-timestamp is not a number of seconds")?;
        if timestamp_s.abs_diff(now_ms.div_euclid(1000)) > TOLERANCE_SECONDS {
            return Err("webhook-timestamp is more than five minutes off");
        }
        let is_signature = |given: &str| {
            let decoded = given.strip_prefix("v1,").and_then(|mac| STANDARD.decode(mac).ok());
            decoded.is_some_and(|mac| mac.len() == Sha256::output_size())
        };
        match signatures.split(' ').any(is_signature) {
            true => Ok(timestamp_s),
            false => Err("webhook-signature has no v1 signature"),
        }
    }

    /// Verifies an incoming webhook by its three headers: it has to be signed with one of these
    /// keys, and at most five minutes ago or ahead.
    ///
    /// # Errors
    /// A sentence about what is wrong.
    pub fn check(
        &self,
        id: &str,
        timestamp: &str,
        signatures: &str,
        body: &[u8],
        now_ms: i64,
    ) -> Result<(), &'static str> {
        let timestamp_s = Self::check_head(timestamp, signatures, now_ms)?;
        match self.verify(id, timestamp_s, body, signatures) {
            true => Ok(()),
            false => Err("no signature matches the body"),
        }
    }

    /// Whether any of a webhook's signatures was made by one of these keys, compared in constant
    /// time.
    fn verify(&self, id: &str, timestamp_s: i64, body: &[u8], signatures: &str) -> bool {
        let is_given = |ours: String| {
            let same = |given: &str| bool::from(given.as_bytes().ct_eq(ours.as_bytes()));
            signatures.split(' ').any(same)
        };
        self.0.iter().any(|key| is_given(key.sign(id, timestamp_s, body)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specifications_vector() {
        let key =
            SigningKey::parse(&Secret::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")).unwrap();
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        let signature = key.sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body);
        assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    /// Receives the specification's test vector; expects the error, or an empty string if it is
    /// accepted.
    fn check(timestamp: &str, signatures: &str, body: &[u8], now_s: i64, expected: &str) {
        let keys =
            ["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"];
        let keys = SigningKeys(
            keys.map(|secret| SigningKey::parse(&Secret::new(secret)).unwrap()).to_vec(),
        );
        let id = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
        let found = keys.check(id, timestamp, signatures, body, now_s * 1000);
        assert_eq!(found.err().unwrap_or_default(), expected, "{timestamp} {signatures}");
    }

    #[test]
    fn webhooks_that_come_in() {
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        let (good, at) = ("v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=", 1_649_367_553);
        let other = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let (forged, off, none) = (
            "no signature matches the body",
            "webhook-timestamp is more than five minutes off",
            "webhook-signature has no v1 signature",
        );
        let timestamp = "1649367553";
        check(timestamp, good, body, at, "");
        check(timestamp, &format!("{other} v1a,x {good}"), body, at, "");
        check(timestamp, good, body, at + 300, "");
        check(timestamp, good, body, at - 300, "");
        check(timestamp, good, body, at + 301, off);
        check(timestamp, good, body, at - 301, off);
        check("1649367554", good, body, at, forged);
        check(timestamp, other, body, at, forged);
        check(timestamp, "", body, at, none);
        check(timestamp, &good.replace("v1,", "v2,"), body, at, none);
        check(timestamp, &good[..20], body, at, none);
        check(timestamp, good, b"{}", at, forged);
        check("soon", good, body, at, "webhook-timestamp is not a number of seconds");
        check("9223372036854775807", good, body, at, off);
        check("-9223372036854775808", good, body, at, off);
    }

    #[test]
    fn secrets_of_another_form_are_refused() {
        for bad in ["", "whsec_", "whsec_!!!", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_c2hvcnQ="]
        {
            assert!(SigningKey::parse(&Secret::new(bad)).is_err(), "{bad}");
        }
    }
}
