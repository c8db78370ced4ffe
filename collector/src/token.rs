//! The sealed token: names a visitor to a form handler; only the collector can make or read it.
//!
//! It is base64url of the version, the key's id, a nonce (12 bytes) and the visitor's id (16 bytes)
//! sealed with ChaCha20-Poly1305, with the site's name as associated data: 62 characters. The nonce
//! is the second in which the token was issued (4 bytes) and an HMAC of what is sealed (8 bytes),
//! so it repeats only if the whole token does. The first configured key seals; all configured keys
//! open.
//!
//! A token proves that it was issued, within [`limits::TOKEN_AGE_MS`], to a client that knew the
//! value of the visitor's cookie. It does not reveal that value, so a leaked token (in a page, a
//! form's URL, a log) does not allow anyone to report page views as that visitor.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use clew_core::secret::TokenKey;
use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::Sha256;
use shared::ids::{SiteId, VisitorId};
use shared::limits;
use uuid::Uuid;

const VERSION: u8 = 2;
const HEAD_BYTES: usize = 2;
/// Purposes of the derived keys, so that each key serves only one purpose.
const SEALING: &[u8] = b"clew token v2: seal";
const NAMING: &[u8] = b"clew token v2: nonce";

/// A key's secret cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("token_keys: the secret of key {0} is not base64 of at least 16 bytes")]
pub struct TokenKeyError(u8);

/// Makes and opens tokens.
#[derive(Default)]
pub struct VisitorTokens {
    keys: Vec<Key>,
}

struct Key {
    id: u8,
    seal: LessSafeKey,
    nonce: Hmac<Sha256>,
}

impl VisitorTokens {
    /// Derives the keys from the configured secrets.
    ///
    /// # Errors
    /// If a secret is not base64 of at least 16 bytes; the error names the key.
    pub fn new(keys: &[TokenKey]) -> Result<Self, TokenKeyError> {
        let keyed = |key: &TokenKey| Key::derive(key).ok_or(TokenKeyError(key.id));
        Ok(Self { keys: keys.iter().map(keyed).collect::<Result<_, _>>()? })
    }

    /// Makes a visitor's token; `None` if no key is configured.
    pub fn seal(&self, site: &SiteId, visitor: VisitorId, now_ms: i64) -> Option<String> {
        let key = self.keys.first()?;
        let issued_s = u32::try_from(now_ms / 1000).unwrap_or_default().to_be_bytes();
        let named = key.nonce.clone().chain_update(site.as_str()).chain_update([0]);
        let named = named.chain_update(visitor.as_bytes()).chain_update(issued_s).finalize();
        let mut nonce = [0; NONCE_LEN];
        nonce[..4].copy_from_slice(&issued_s);
        nonce[4..].copy_from_slice(&named.into_bytes()[..NONCE_LEN - 4]);
        let mut sealed = visitor.as_bytes().to_vec();
        let once = Nonce::assume_unique_for_key(nonce);
        key.seal.seal_in_place_append_tag(once, label(key.id, site), &mut sealed).ok()?;
        Some(URL_SAFE_NO_PAD.encode([&[VERSION, key.id], nonce.as_slice(), &sealed].concat()))
    }

    /// The visitor that a token names; `None` if it is forged, damaged, too old or from another
    /// site.
    pub fn open(&self, site: &SiteId, token: &str, now_ms: i64) -> Option<VisitorId> {
        let bytes = URL_SAFE_NO_PAD.decode(token.trim()).ok()?;
        let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let key = self.keys.iter().find(|key| head == [VERSION, key.id])?;
        let mut sealed = sealed.to_vec();
        let once = Nonce::assume_unique_for_key(*nonce);
        let visitor = key.seal.open_in_place(once, label(key.id, site), &mut sealed).ok()?;
        let issued_ms = i64::from(u32::from_be_bytes(*nonce.first_chunk()?)) * 1000;
        let is_fresh = now_ms.saturating_sub(issued_ms) <= limits::TOKEN_AGE_MS;
        Uuid::from_slice(visitor).ok().map(VisitorId).filter(|_| is_fresh)
    }
}

impl Key {
    fn derive(key: &TokenKey) -> Option<Self> {
        let secret = STANDARD.decode(key.secret.reveal().trim()).ok()?;
        let mac = Hmac::<Sha256>::new_from_slice(&secret).ok().filter(|_| secret.len() >= 16)?;
        let derive = |purpose: &[u8]| mac.clone().chain_update(purpose).finalize().into_bytes();
        let seal = UnboundKey::new(&CHACHA20_POLY1305, &derive(SEALING)).ok()?;
        let nonce = Hmac::new_from_slice(&derive(NAMING)).ok()?;
        Some(Self { id: key.id, seal: LessSafeKey::new(seal), nonce })
    }
}

/// The associated data that a token is sealed with: version, key id and site.
fn label(key: u8, site: &SiteId) -> Aad<Vec<u8>> {
    Aad::from([&[VERSION, key], site.as_str().as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clew_core::Secret;

    fn keys(ids: &[u8]) -> VisitorTokens {
        let key = |id: &u8| TokenKey { id: *id, secret: Secret::new(STANDARD.encode([*id; 32])) };
        VisitorTokens::new(&ids.iter().map(key).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn only_the_right_site_with_the_right_key_opens_it() {
        let (site, other) = (SiteId::parse("demo").unwrap(), SiteId::parse("other").unwrap());
        let visitor = VisitorId::from_random([9; 16]);
        const NOW_MS: i64 = 1_700_000_000_000;
        let token = keys(&[1]).seal(&site, visitor, NOW_MS).unwrap();
        assert!(token.len() <= 64);
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        assert!(!bytes.windows(4).any(|part| visitor.as_bytes().windows(4).any(|id| id == part)));
        assert_eq!(keys(&[2, 1]).open(&site, &token, NOW_MS), Some(visitor));
        assert_eq!(keys(&[1]).open(&other, &token, NOW_MS), None);
        assert_eq!(keys(&[2]).open(&site, &token, NOW_MS), None);
        for index in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[index] = if forged[index] == b'A' { b'B' } else { b'A' };
            assert_eq!(
                keys(&[1]).open(&site, &String::from_utf8(forged).unwrap(), NOW_MS),
                None,
                "{index}"
            );
        }
        for bad in ["", "x", &token[1..], &"A".repeat(1000), "é"] {
            assert_eq!(keys(&[1]).open(&site, bad, NOW_MS), None, "{bad}");
        }
        let last_ms = NOW_MS + limits::TOKEN_AGE_MS;
        assert_eq!(keys(&[1]).open(&site, &token, last_ms), Some(visitor));
        assert_eq!(keys(&[1]).open(&site, &token, last_ms + 1), None);
        assert_eq!(VisitorTokens::default().seal(&site, visitor, 0), None);
    }

    #[test]
    fn weak_secrets_are_refused() {
        let weak = TokenKey { id: 3, secret: Secret::new("c2hvcnQ=") };
        assert!(VisitorTokens::new(&[weak]).err().unwrap().to_string().contains("key 3"));
    }
}
