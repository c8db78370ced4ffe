//! The tracker's files as built into this binary, each in the encodings that browsers take.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256, Sha384};

/// One file in three encodings.
#[derive(Clone, Debug)]
pub struct Asset {
    /// As it is.
    pub plain: &'static [u8],
    /// Brotli at its best.
    pub brotli: &'static [u8],
    /// Gzip at its best.
    pub gzip: &'static [u8],
    /// First 16 hex digits of SHA-256: the immutable address.
    pub hash: String,
    /// The `integrity` attribute's value.
    pub integrity: String,
}

/// The script and the module.
#[derive(Clone, Debug)]
pub struct Tracker {
    /// `s.js`: loader and glue.
    pub script: Asset,
    /// `t.wasm`: the module.
    pub module: Asset,
}

impl Tracker {
    /// The files, or `None` in a binary that was built without them.
    pub fn built_in() -> Option<Self> {
        macro_rules! asset {
            ($name:literal) => {
                asset(
                    include_bytes!(concat!(env!("OUT_DIR"), "/", $name)),
                    include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".br")),
                    include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")),
                )
            };
        }
        Some(Self { script: asset!("s.js")?, module: asset!("t.wasm")? })
    }
}

fn asset(plain: &'static [u8], brotli: &'static [u8], gzip: &'static [u8]) -> Option<Asset> {
    if plain.is_empty() {
        return None;
    }
    let hash = base16ct::lower::encode_string(&Sha256::digest(plain)[..8]);
    let integrity = format!("sha384-{}", STANDARD.encode(Sha384::digest(plain)));
    Some(Asset { plain, brotli, gzip, hash, integrity })
}
