//! Seals secrets that arise at run time. They are encrypted in the store, so backups do not reveal
//! them.
//!
//! A sealed text is `v1.`, the key's id, a dot, and the base64url of the nonce (12 bytes) and the
//! ChaCha20-Poly1305 ciphertext. The keys are derived from `token_keys` by HMAC with a label of
//! their own. The first key seals and all of them open, so they are rotated together with
//! `token_keys`.

use crate::secret::TokenKey;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use base64::{DecodeError, Engine};
use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::Sha256;

const VERSION: &str = "v1";
/// Binds the derived key to this purpose.
const PURPOSE: &[u8] = b"clew seal v1";

/// Seals and opens texts.
#[derive(Default)]
pub struct Seal {
    keys: Vec<(u8, LessSafeKey)>,
}

/// Why a secret could not be sealed or opened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SealError {
    /// The secret of a configured key is not base64.
    #[error("token_keys: the secret of key {0}: {1}")]
    Unreadable(u8, DecodeError),
    /// No key is configured.
    #[error(
        "secrets are kept sealed, and there is no key to seal them with: add `[[token_keys]]` to the \
         configuration"
    )]
    NoKey,
    /// The key that sealed it is no longer configured.
    #[error("a secret was sealed with key {0}, which is no longer in token_keys: restore that key")]
    KeyGone(u8),
    /// It was changed or truncated, or sealed with another label or key.
    #[error(
        "a sealed secret cannot be opened: it was changed, or sealed with another key or label"
    )]
    Damaged,
    /// The operating system returned no random bytes, or the text is too long for the cipher.
    #[error("the secret could not be sealed on this machine")]
    Machine,
}

impl Seal {
    /// Derives the sealing keys from the configured ones.
    ///
    /// # Errors
    /// [`SealError::Unreadable`] if a key's secret is not base64.
    pub fn new(keys: &[TokenKey]) -> Result<Self, SealError> {
        let derived = |key: &TokenKey| {
            let secret = STANDARD.decode(key.secret.reveal().trim());
            let secret = secret.map_err(|error| SealError::Unreadable(key.id, error))?;
            let mac = Hmac::<Sha256>::new_from_slice(&secret).map_err(|_| SealError::Machine)?;
            let bytes = mac.chain_update(PURPOSE).finalize().into_bytes();
            let unbound = UnboundKey::new(&CHACHA20_POLY1305, &bytes);
            Ok((key.id, LessSafeKey::new(unbound.map_err(|_| SealError::Machine)?)))
        };
        Ok(Self { keys: keys.iter().map(derived).collect::<Result<_, SealError>>()? })
    }

    /// Seals a text. Only the same label opens it; the label says whose secret it is and what it is
    /// for.
    ///
    /// # Errors
    /// [`SealError::NoKey`] or [`SealError::Machine`].
    pub fn seal(&self, label: &str, text: &str) -> Result<String, SealError> {
        let (id, key) = self.keys.first().ok_or(SealError::NoKey)?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::Machine)?;
        let mut sealed = text.as_bytes().to_vec();
        let (label, random) = (Aad::from(label), Nonce::assume_unique_for_key(nonce));
        key.seal_in_place_append_tag(random, label, &mut sealed).map_err(|_| SealError::Machine)?;
        let bytes = [nonce.as_slice(), &sealed].concat();
        Ok(format!("{VERSION}.{id}.{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Opens a text that was sealed with the same label.
    ///
    /// # Errors
    /// [`SealError::KeyGone`] or [`SealError::Damaged`].
    pub fn open(&self, label: &str, sealed: &str) -> Result<String, SealError> {
        let mut parts = sealed.splitn(3, '.');
        let (version, id, text) = (parts.next(), parts.next(), parts.next());
        if version != Some(VERSION) {
            return Err(SealError::Damaged);
        }
        let id = id.and_then(|id| id.parse().ok()).ok_or(SealError::Damaged)?;
        let (_, key) =
            self.keys.iter().find(|(known, _)| *known == id).ok_or(SealError::KeyGone(id))?;
        let bytes = text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let bytes = bytes.ok_or(SealError::Damaged)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or(SealError::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Damaged)?;
        let mut sealed = sealed.to_vec();
        let opened = key.open_in_place(nonce, Aad::from(label), &mut sealed);
        let opened = opened.map_err(|_| SealError::Damaged)?;
        String::from_utf8(opened.to_vec()).map_err(|_| SealError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    /// Keys with these ids; each secret is the id repeated 32 times.
    fn seal(ids: &[u8]) -> Seal {
        let key = |id: &u8| TokenKey { id: *id, secret: Secret::new(STANDARD.encode([*id; 32])) };
        let keys: Vec<_> = ids.iter().map(key).collect();
        Seal::new(&keys).unwrap()
    }

    #[test]
    fn only_the_same_label_and_key_open_it() {
        for text in ["", "whsec_x", "é\n\0", &"x".repeat(10_000)] {
            let sealed = seal(&[1]).seal("hook hk_1", text).unwrap();
            assert!(text.is_empty() || !sealed.contains(text));
            assert_eq!(seal(&[2, 1]).open("hook hk_1", &sealed).as_deref(), Ok(text));
            assert_ne!(seal(&[1]).seal("hook hk_1", text).unwrap(), sealed, "a nonce twice");
            let other = seal(&[1]).open("hook hk_2", &sealed).unwrap_err();
            assert_eq!(other, SealError::Damaged);
            let gone = seal(&[2]).open("hook hk_1", &sealed).unwrap_err();
            assert_eq!(gone, SealError::KeyGone(1));
            let passed_off = sealed.replacen("v1.1.", "v1.2.", 1);
            assert!(seal(&[1, 2]).open("hook hk_1", &passed_off).is_err());
        }
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let sealed = seal(&[1]).seal("a", "secret").unwrap();
        for index in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(seal(&[1]).open("a", &changed).is_err(), "{index}");
            assert!(seal(&[1]).open("a", &sealed[..index]).is_err(), "{index}");
        }
        for bad in ["v1", "v1.1", "v1.1.", "v1.1.AAAA", "v1.999.AAAA", "v2.1.AAAA", "é"] {
            assert!(seal(&[1]).open("a", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn without_a_key_it_says_what_to_configure() {
        let error = Seal::default().seal("a", "b").unwrap_err();
        assert!(error.to_string().contains("add `[[token_keys]]`"), "{error}");
    }
}
