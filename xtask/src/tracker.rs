//! `cargo xtask tracker`: builds the files that browsers download into `target/tracker`.
//!
//! The module is compiled, bound and optimised ([`module`]). The glue that wasm-bindgen generates
//! is trimmed ([`glue`]) and joined with the hand-written loader into one script ([`script`]). Both
//! are stored uncompressed, with brotli and with gzip, and their size is checked against the budget
//! ([`sizes`]).

mod glue;
mod module;
mod script;
mod sizes;

use crate::install::Consent;
use crate::shell;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use sizes::Sizes;
use std::{fs, path::Path};

/// Builds the tracker; `--sizes` prints its size.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (consent, arguments) = Consent::take(arguments);
    let show_sizes = match arguments[..] {
        [] => false,
        ["--sizes"] => true,
        _ => bail!("the arguments are --sizes and --install"),
    };
    let sizes = build(consent)?;
    if show_sizes {
        println!("{}", sizes.table());
    }
    Ok(())
}

/// Builds the tracker and says what it weighs; fails where that is over the budget.
pub(crate) fn build(consent: Consent) -> Result<Sizes> {
    let module = module::build(consent)?;
    let file = format!("t.{}.wasm", hash(&module.wasm));
    let loader = shell::root().join("tracker-wasm/loader.js");
    let loader = fs::read_to_string(&loader)
        .with_context(|| format!("cannot read the loader {}", loader.display()))?;
    let script = script::join(&loader, &module.glue, &file)?;
    let loader = script::minify(&loader)?;

    let folder = shell::root().join("target/tracker");
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    write(&folder, "s.js", script.as_bytes())?;
    write(&folder, "t.wasm", &module.wasm)?;

    let sizes = Sizes::of(loader.as_bytes(), script.as_bytes(), &module.wasm)?;
    sizes.check(module.optimised)?;
    Ok(sizes)
}

/// The first 16 hexadecimal digits of a file's SHA-256, so that a file's URL always means the same
/// content.
fn hash(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(bytes)[..8])
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    for (suffix, content) in
        [("", bytes.to_vec()), (".br", sizes::brotli(bytes)?), (".gz", sizes::gzip(bytes)?)]
    {
        let path = folder.join(format!("{name}{suffix}"));
        // Rewriting the file would trigger a rebuild of the collector.
        if fs::read(&path).is_ok_and(|known| known == content) {
            continue;
        }
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
