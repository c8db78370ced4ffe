//! The signatures of HubSpot's webhooks, as its page "Validating Requests" defines them.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The escapes that HubSpot decodes in a target's URL; all others stay.
const DECODED: [(&str, &str); 12] = [
    ("%3A", ":"),
    ("%2F", "/"),
    ("%3F", "?"),
    ("%40", "@"),
    ("%21", "!"),
    ("%24", "$"),
    ("%27", "'"),
    ("%28", "("),
    ("%29", ")"),
    ("%2A", "*"),
    ("%2C", ","),
    ("%3B", ";"),
];

/// `X-HubSpot-Signature-v3`: base64 of the HMAC-SHA256 over method, URL, body and timestamp.
pub fn v3(secret: &str, method: &str, uri: &str, body: &str, timestamp_ms: i64) -> String {
    let mut decoded = uri.to_owned();
    for (escape, sign) in DECODED {
        decoded = decoded.replace(escape, sign).replace(&escape.to_lowercase(), sign);
    }
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    for part in [method, &decoded, body, &timestamp_ms.to_string()] {
        mac.update(part.as_bytes());
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

/// `X-HubSpot-Signature` of version 1: hex of the SHA-256 over secret and body.
pub fn v1(secret: &str, body: &str) -> String {
    hex(&[secret, body])
}

/// `X-HubSpot-Signature` of version 2: hex of the SHA-256 over secret, method, URL and body.
pub fn v2(secret: &str, method: &str, uri: &str, body: &str) -> String {
    hex(&[secret, method, uri, body])
}

fn hex(parts: &[&str]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(parts.concat()))
}
