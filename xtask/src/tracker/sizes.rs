//! The tracker's size, and its budget.

use anyhow::{Context, Result, ensure};
use std::io::Write as _;

/// The most bytes that a browser downloads before the tracker runs, with brotli.
const BUDGET: i64 = 14_000;

/// One file's size in bytes: uncompressed, with gzip, with brotli.
#[derive(Clone, Copy)]
struct Weight([i64; 3]);

/// The weights of the tracker's parts.
pub(crate) struct Sizes {
    loader: Weight,
    script: Weight,
    wasm: Weight,
}

impl Sizes {
    /// Measures the loader alone, the script that is shipped, and the module.
    pub(super) fn of(loader: &[u8], script: &[u8], wasm: &[u8]) -> Result<Self> {
        Ok(Self { loader: weigh(loader)?, script: weigh(script)?, wasm: weigh(wasm)? })
    }

    /// A table for people, and one line of JSON for programs.
    pub(super) fn table(&self) -> String {
        let both = |one: Weight, other: Weight, sign: i64| {
            Weight(std::array::from_fn(|index| one.0[index] + sign * other.0[index]))
        };
        let glue = both(self.script, self.loader, -1);
        let total = both(self.script, self.wasm, 1);
        let rows = [
            ("loader", self.loader),
            ("glue", glue),
            ("script (both)", self.script),
            ("wasm", self.wasm),
            ("total", total),
        ];
        let mut text = format!("{:<14} {:>8} {:>8} {:>8}\n", "", "raw", "gzip", "brotli");
        for (name, Weight([raw, gzip, brotli])) in rows {
            text += &format!("{name:<14} {raw:>8} {gzip:>8} {brotli:>8}\n");
        }
        let [loader, glue, wasm, total] =
            [self.loader, glue, self.wasm, total].map(|Weight([_, _, brotli])| brotli);
        text += &format!(
            "{{\"loader_br\":{loader},\"glue_br\":{glue},\"wasm_br\":{wasm},\"total_br\":{total}}}"
        );
        text
    }

    /// Fails if the budget is exceeded. If the module could not be optimised, it only prints a
    /// warning.
    pub(super) fn check(&self, optimised: bool) -> Result<()> {
        let total = self.script.0[2] + self.wasm.0[2];
        let verdict = format!("the tracker has {total} bytes with brotli; the budget is {BUDGET}");
        if !optimised && total > BUDGET {
            eprintln!("{verdict}; install wasm-opt to make it smaller");
            return Ok(());
        }
        ensure!(total <= BUDGET, verdict);
        Ok(())
    }
}

fn weigh(bytes: &[u8]) -> Result<Weight> {
    let sizes = [bytes.len(), gzip(bytes)?.len(), brotli(bytes)?.len()];
    Ok(Weight(sizes.map(|size| i64::try_from(size).unwrap_or(i64::MAX))))
}

/// Compresses with brotli at its best level.
pub(super) fn brotli(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut packed = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        size_hint: bytes.len(),
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &*bytes, &mut packed, &parameters)
        .context("cannot compress the tracker with brotli")?;
    Ok(packed)
}

/// Compresses with gzip at its best level.
pub(super) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer
        .write_all(bytes)
        .and_then(|()| packer.finish())
        .context("cannot compress the tracker with gzip")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_adds_up() {
        let sizes = Sizes {
            loader: Weight([10, 9, 8]),
            script: Weight([30, 20, 15]),
            wasm: Weight([100, 60, 50]),
        };
        let table = sizes.table();
        assert_eq!(
            table.lines().last(),
            Some("{\"loader_br\":8,\"glue_br\":7,\"wasm_br\":50,\"total_br\":65}")
        );
        assert!(table.contains("glue                 20       11        7"));
        assert!(sizes.check(true).is_ok());
    }

    #[test]
    fn packed_bytes_are_fewer() {
        let text = b"the same words, the same words, the same words".repeat(20);
        assert!(brotli(&text).unwrap().len() < 80 && gzip(&text).unwrap().len() < 120);
    }
}
