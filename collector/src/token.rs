//! The sealed token: names a visitor to a form handler in a way that nobody else can make.
//!
//! base64url of version, key id, site hash (4 bytes), visitor (16), issued-at (8) and a 16-byte
//! HMAC-SHA256 over all of it: 62 characters. The first configured key signs, all of them verify.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use clew_core::secret::TokenKey;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use shared::ids::{SiteId, VisitorId};
use subtle::ConstantTimeEq;
use uuid::Uuid;

const VERSION: u8 = 1;
const SEALED_BYTES: usize = 1 + 1 + 4 + 16 + 8;
const MAC_BYTES: usize = 16;

/// A key that cannot sign tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("token_keys: the secret of key {0} is not base64 of at least 16 bytes")]
pub struct TokenKeyError(u8);

/// Makes and opens tokens.
#[derive(Default)]
pub struct Tokens {
    keys: Vec<(u8, Hmac<Sha256>)>,
}

impl Tokens {
    /// From the configured keys.
    ///
    /// # Errors
    /// A sentence naming the key whose secret is not base64 of at least 16 bytes.
    pub fn new(keys: &[TokenKey]) -> Result<Self, TokenKeyError> {
        let keyed = |key: &TokenKey| {
            let secret = STANDARD.decode(key.secret.reveal().trim()).unwrap_or_default();
            let mac = Hmac::new_from_slice(&secret).ok().filter(|_| secret.len() >= 16);
            Ok((key.id, mac.ok_or(TokenKeyError(key.id))?))
        };
        Ok(Self { keys: keys.iter().map(keyed).collect::<Result<_, _>>()? })
    }

    /// The token of a visitor; `None` where no key is configured.
    pub fn seal(&self, site: &SiteId, visitor: VisitorId, now_ms: i64) -> Option<String> {
        let (id, mac) = self.keys.first()?;
        let mut bytes = Vec::with_capacity(SEALED_BYTES + MAC_BYTES);
        bytes.extend([VERSION, *id]);
        bytes.extend(site_hash(site));
        bytes.extend(visitor.as_bytes());
        bytes.extend(now_ms.to_be_bytes());
        let signature = sign(mac, &bytes);
        bytes.extend(signature);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The visitor that a token names; `None` where it is forged, damaged or of another site.
    pub fn open(&self, site: &SiteId, token: &str) -> Option<VisitorId> {
        let bytes = URL_SAFE_NO_PAD.decode(token.trim()).ok()?;
        if bytes.len() != SEALED_BYTES + MAC_BYTES {
            return None;
        }
        let (sealed, signature) = bytes.split_at(SEALED_BYTES);
        let (_, mac) = self.keys.iter().find(|(id, _)| *id == sealed[1])?;
        let genuine: bool = sign(mac, sealed).ct_eq(signature).into();
        if !genuine || sealed[0] != VERSION || sealed[2..6] != site_hash(site) {
            return None;
        }
        Uuid::from_slice(&sealed[6..22]).ok().map(VisitorId)
    }
}

fn sign(mac: &Hmac<Sha256>, bytes: &[u8]) -> [u8; MAC_BYTES] {
    let mut signature = [0; MAC_BYTES];
    signature
        .copy_from_slice(&mac.clone().chain_update(bytes).finalize().into_bytes()[..MAC_BYTES]);
    signature
}

fn site_hash(site: &SiteId) -> [u8; 4] {
    let hash = xxhash_rust::xxh3::xxh3_64(site.as_str().as_bytes()).to_be_bytes();
    [hash[0], hash[1], hash[2], hash[3]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use clew_core::Secret;

    fn keys(ids: &[u8]) -> Tokens {
        let key = |id: &u8| TokenKey { id: *id, secret: Secret::new(STANDARD.encode([*id; 32])) };
        Tokens::new(&ids.iter().map(key).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn only_the_right_site_with_the_right_key_opens_it() {
        let (site, other) = (SiteId::parse("demo").unwrap(), SiteId::parse("other").unwrap());
        let visitor = VisitorId::from_random([9; 16]);
        let token = keys(&[1]).seal(&site, visitor, 1_700_000_000_000).unwrap();
        assert!(token.len() <= 64);
        assert_eq!(keys(&[2, 1]).open(&site, &token), Some(visitor));
        assert_eq!(keys(&[1]).open(&other, &token), None);
        assert_eq!(keys(&[2]).open(&site, &token), None);
        for index in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[index] = if forged[index] == b'A' { b'B' } else { b'A' };
            assert_eq!(
                keys(&[1]).open(&site, &String::from_utf8(forged).unwrap()),
                None,
                "{index}"
            );
        }
        for bad in ["", "x", &token[1..], &"A".repeat(1000), "é"] {
            assert_eq!(keys(&[1]).open(&site, bad), None, "{bad}");
        }
        assert_eq!(Tokens::default().seal(&site, visitor, 0), None);
    }

    #[test]
    fn weak_secrets_are_refused() {
        let weak = TokenKey { id: 3, secret: Secret::new("c2hvcnQ=") };
        assert!(Tokens::new(&[weak]).err().unwrap().to_string().contains("key 3"));
    }
}
