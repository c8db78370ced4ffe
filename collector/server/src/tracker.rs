//! The tracker's files, embedded in this binary, each in the encodings that browsers accept.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256, Sha384};

/// One file in three encodings.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Uncompressed.
    pub plain: &'static [u8],
    /// Compressed with Brotli.
    pub brotli: &'static [u8],
    /// Compressed with gzip.
    pub gzip: &'static [u8],
    /// First 16 hex digits of the SHA-256, used in the immutable URL.
    pub hash: String,
    /// Value of the `integrity` attribute.
    pub integrity: String,
}

/// The tracker's script and WebAssembly module.
#[derive(Clone, Debug)]
pub struct Tracker {
    /// `s.js`: the loader and the glue code.
    pub script: Asset,
    /// `t.wasm`: the WebAssembly module.
    pub module: Asset,
}

impl Tracker {
    /// The embedded files; `None` if this binary was built without them.
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
