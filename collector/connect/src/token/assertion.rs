//! Signed assertions in place of a password (RFC 7523, RS256).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clew_core::Secret;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;

/// How long an assertion is valid, in seconds; vendors accept at most three minutes.
const HOLDS_S: i64 = 180;

/// States that an app acts for a user.
#[derive(Clone, Debug)]
pub struct Assertion {
    /// The app's id.
    pub app: String,
    /// The user's name.
    pub user: String,
    /// The audience that the assertion is meant for.
    pub audience: String,
    /// The app's RSA key, PEM (PKCS #8 or PKCS #1).
    pub key: Secret,
}

/// Why a private key cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// It is not PEM, or not a valid RSA key.
    #[error("the private key: {0}")]
    Unreadable(String),
    /// It is not an RSA key.
    #[error("the private key is not an RSA key in PKCS #8 or PKCS #1")]
    NotRsa,
    /// Signing failed.
    #[error("signing with the private key failed")]
    Failed,
}

impl Assertion {
    /// The signed assertion.
    ///
    /// # Errors
    /// If the key cannot be used.
    pub fn sign(&self, now_ms: i64) -> Result<String, KeyError> {
        let pair = self.pair()?;
        let claims = json!({
            "iss": self.app,
            "sub": self.user,
            "aud": self.audience,
            "exp": now_ms.div_euclid(1000) + HOLDS_S,
        });
        let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
        let head = encode(json!({ "alg": "RS256" }).to_string());
        let signed = format!("{head}.{}", encode(claims.to_string()));
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| KeyError::Failed)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Checks that the key can be used.
    ///
    /// # Errors
    /// The reason why it cannot.
    pub fn check(&self) -> Result<(), KeyError> {
        self.pair().map(drop)
    }

    fn pair(&self) -> Result<RsaKeyPair, KeyError> {
        let wrong = |error: &dyn std::fmt::Display| KeyError::Unreadable(error.to_string());
        let key = PrivateKeyDer::from_pem_slice(self.key.reveal().as_bytes())
            .map_err(|error| wrong(&error))?;
        match &key {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(KeyError::NotRsa),
        }
        .map_err(|error| wrong(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    fn assertion(key: &str) -> Assertion {
        Assertion {
            app: "app".into(),
            user: "clew@example.com".into(),
            audience: "https://login.example.com".into(),
            key: Secret::new(key),
        }
    }

    #[test]
    fn statements_hold_by_their_signature() {
        // Generated for this test and used nowhere else.
        let stated = assertion(include_str!("throwaway-key.pem"));
        let signed = stated.sign(1_795_255_200_999).unwrap();
        let (said, signature) = signed.rsplit_once('.').unwrap();
        let read = |part: &str| -> Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        let (head, claims) = said.split_once('.').unwrap();
        assert_eq!(read(head), json!({ "alg": "RS256" }));
        assert_eq!(
            read(claims),
            json!({
                "iss": "app", "sub": "clew@example.com", "aud": "https://login.example.com",
                "exp": 1_795_255_380,
            })
        );
        let public = stated.pair().unwrap().public_key().as_ref().to_vec();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
        let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(public.verify(said.as_bytes(), &signature).is_ok());
        signature[0] ^= 1;
        assert!(public.verify(said.as_bytes(), &signature).is_err());
    }

    #[test]
    fn keys_that_are_none() {
        for (key, expected) in [
            ("", "the private key"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "the private key"),
            (
                "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----",
                "not an RSA key",
            ),
        ] {
            let error = assertion(key).check().unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("AAAA"), "{error}");
        }
    }
}
