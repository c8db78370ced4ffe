//! Verifies the signatures of HubSpot's webhooks: version 3, and the older versions if allowed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// How far a signed time may differ from ours, in either direction.
const TOLERANCE_MS: u64 = 300_000;

/// The escapes that HubSpot decodes in the URL before signing. All others stay as they are.
const DECODED: [(&str, char); 12] = [
    ("3A", ':'),
    ("2F", '/'),
    ("3F", '?'),
    ("40", '@'),
    ("21", '!'),
    ("24", '$'),
    ("27", '\''),
    ("28", '('),
    ("29", ')'),
    ("2A", '*'),
    ("2C", ','),
    ("3B", ';'),
];

/// Why a webhook's signature is not accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum SignatureError {
    /// No secret is configured.
    #[error("no client_secret is configured")]
    NoSecret,
    /// The webhook has no signature.
    #[error("it has no signature")]
    Missing,
    /// It is version 1 or 2, but only version 3 is accepted.
    #[error("its signature is of an older version, which is not allowed")]
    Legacy,
    /// It is an unknown version.
    #[error("its signature is of an unknown version")]
    Version,
    /// Its time is missing or cannot be parsed.
    #[error("its timestamp is missing or not a number")]
    Timestamp,
    /// Its time is too far from ours.
    #[error("it is signed for another time")]
    Stale,
    /// It was made with another secret or for another request.
    #[error("the signature is wrong")]
    Wrong,
}

/// A received signature of a valid form. It can be checked before the body is read.
pub(super) enum Signature {
    /// Version 3: the base64 HMAC of method, URL, body and time.
    V3 {
        /// The HMAC.
        mac: Vec<u8>,
        /// The signed text of the time.
        timestamp: String,
        /// The time, Unix milliseconds.
        at_ms: i64,
    },
    /// Version 1: the hex hash of secret and body.
    V1(String),
    /// Version 2: the hex hash of secret, method, URL and body.
    V2(String),
}

impl Signature {
    pub(super) fn v3(signature: &str, timestamp: &str) -> Result<Self, SignatureError> {
        let at_ms = timestamp.parse().map_err(|_| SignatureError::Timestamp)?;
        let mac = STANDARD.decode(signature).ok().filter(|mac| mac.len() == Sha256::output_size());
        let mac = mac.ok_or(SignatureError::Wrong)?;
        Ok(Self::V3 { mac, timestamp: timestamp.to_owned(), at_ms })
    }

    pub(super) fn legacy(signature: &str, version: &str) -> Result<Self, SignatureError> {
        let signature = signature.to_ascii_lowercase();
        let is_hash = signature.len() == 2 * Sha256::output_size();
        match version {
            "v1" | "v2" if !is_hash => Err(SignatureError::Wrong),
            "v1" => Ok(Self::V1(signature)),
            "v2" => Ok(Self::V2(signature)),
            _ => Err(SignatureError::Version),
        }
    }

    /// Refuses a signature made at another time. The older versions contain no time.
    pub(super) fn check_time(&self, now_ms: i64) -> Result<(), SignatureError> {
        match self {
            Self::V3 { at_ms, .. } if now_ms.abs_diff(*at_ms) > TOLERANCE_MS => {
                Err(SignatureError::Stale)
            }
            Self::V3 { .. } | Self::V1(_) | Self::V2(_) => Ok(()),
        }
    }
}

/// What a signature covers. All webhooks are `POST` requests.
pub(super) struct Signed<'a> {
    /// The webhook URL configured in HubSpot.
    pub(super) url: &'a str,
    /// The body's bytes.
    pub(super) body: &'a [u8],
}

impl Signed<'_> {
    /// Checks that the signature was made with the secret for this request.
    pub(super) fn check(&self, secret: &str, signature: &Signature) -> Result<(), SignatureError> {
        let is_right = match signature {
            Signature::V3 { mac, timestamp, .. } => self.fits_v3(secret, mac, timestamp),
            Signature::V1(hash) => fits_hash(hash, &[secret.as_bytes(), self.body]),
            Signature::V2(hash) => {
                fits_hash(hash, &[secret.as_bytes(), b"POST", self.url.as_bytes(), self.body])
            }
        };
        is_right.then_some(()).ok_or(SignatureError::Wrong)
    }

    fn fits_v3(&self, secret: &str, given: &[u8], timestamp: &str) -> bool {
        // A key of any length is accepted.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
        for part in [b"POST", decoded(self.url).as_bytes(), self.body, timestamp.as_bytes()] {
            mac.update(part);
        }
        mac.verify_slice(given).is_ok()
    }
}

fn fits_hash(given: &str, parts: &[&[u8]]) -> bool {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let expected = base16ct::lower::encode_string(&hash.finalize());
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}

fn decoded(url: &str) -> String {
    let mut parts = url.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let found = part.get(..2).and_then(|escape| {
            DECODED.iter().find(|(known, _)| known.eq_ignore_ascii_case(escape))
        });
        match found {
            Some((_, letter)) => {
                text.push(*letter);
                text.push_str(&part[2..]);
            }
            None => {
                text.push('%');
                text.push_str(part);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy";
    const URL: &str = "https://www.example.com/webhook_uri";
    const BODY: &str = "{'example_field':'example_value'}";
    const FIRST: &str = "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=";
    const OURS: &str = "https://track.example.com/v1/crm/hubspot/webhook";
    const EVENTS: &str = r#"[{"eventId":100,"subscriptionId":12345,"portalId":62515,"appId":54321,"occurredAt":1790000000000,"subscriptionType":"deal.propertyChange","attemptNumber":0,"objectId":777,"propertyName":"dealstage","propertyValue":"closedwon","changeSource":"CRM_UI"}]"#;

    #[test]
    fn version_3() {
        let good = 1_693_657_560_000;
        for (secret, url, body, timestamp, signature, now_ms, expected) in [
            // HubSpot's published examples.
            (SECRET, URL, BODY, "1693657560000", FIRST, good, Ok(())),
            (
                SECRET,
                URL,
                BODY,
                "1700000300000",
                "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw=",
                1_700_000_300_000,
                Ok(()),
            ),
            (
                "test-client-secret",
                OURS,
                EVENTS,
                "1790000001000",
                "NtC5P7OurPhLdF7Gjv0iSBfOoCiNnpDooHpv5uQ66YA=",
                1_790_000_001_000,
                Ok(()),
            ),
            // At and beyond the tolerance, in both directions.
            (SECRET, URL, BODY, "1693657560000", FIRST, good + 300_000, Ok(())),
            (SECRET, URL, BODY, "1693657560000", FIRST, good - 300_000, Ok(())),
            (SECRET, URL, BODY, "1693657560000", FIRST, good + 300_001, Err("another time")),
            (SECRET, URL, BODY, "1693657560000", FIRST, good - 300_001, Err("another time")),
            (SECRET, URL, BODY, "-9223372036854775808", FIRST, i64::MAX, Err("another time")),
            // Anything that differs from what was signed.
            ("other", URL, BODY, "1693657560000", FIRST, good, Err("wrong")),
            (SECRET, "https://www.example.com/", BODY, "1693657560000", FIRST, good, Err("wrong")),
            (SECRET, URL, "{}", "1693657560000", FIRST, good, Err("wrong")),
            (SECRET, URL, BODY, "1693657560001", FIRST, good, Err("wrong")),
            (SECRET, URL, BODY, "1693657560000", "K36dawei", good, Err("wrong")),
            (SECRET, URL, BODY, "1693657560000", "", good, Err("wrong")),
            (SECRET, URL, BODY, "1693657560000", "***", good, Err("wrong")),
            (SECRET, URL, BODY, "now", FIRST, good, Err("not a number")),
        ] {
            let signed = Signed { url, body: body.as_bytes() };
            let found = Signature::v3(signature, timestamp).and_then(|signature| {
                signature.check_time(now_ms)?;
                signed.check(secret, &signature)
            });
            match (&found, expected) {
                (Err(found), Err(part)) => {
                    assert!(found.to_string().contains(part), "{found} {timestamp}");
                }
                _ => assert_eq!(found.is_ok(), expected.is_ok(), "{timestamp} {now_ms}"),
            }
        }
    }

    #[test]
    fn versions_1_and_2() {
        let first = r#"[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]"#;
        let hash = "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de";
        let second = Sha256::digest(format!("{SECRET}POST{URL}{BODY}"));
        let second = base16ct::lower::encode_string(&second);
        for (version, body, signature, expected) in [
            ("v1", first, hash, true),
            ("v1", BODY, hash, false),
            ("v2", first, hash, false),
            ("v2", BODY, &second, true),
            ("v2", BODY, "", false),
            ("v3", first, hash, false),
            ("", first, hash, false),
        ] {
            let signed = Signed { url: URL, body: body.as_bytes() };
            let found = Signature::legacy(signature, version)
                .and_then(|signature| signed.check(SECRET, &signature));
            assert_eq!(found.is_ok(), expected, "{version} {found:?}");
        }
    }

    #[test]
    fn some_escapes_are_decoded() {
        for (url, expected) in [
            ("https://a.example/x", "https://a.example/x"),
            (
                "https://a.example/%3A%2f%3F%40%21%24%27%28%29%2A%2C%3B",
                "https://a.example/:/?@!$'()*,;",
            ),
            ("https://a.example/%20%C3%A9?q=%253A", "https://a.example/%20%C3%A9?q=%253A"),
            ("https://a.example/100%", "https://a.example/100%"),
            ("https://a.example/%ä%3", "https://a.example/%ä%3"),
        ] {
            assert_eq!(decoded(url), expected);
        }
    }
}
