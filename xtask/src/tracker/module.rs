//! Builds the WebAssembly module: compiles it, binds it, removes unreachable code and optimises it.

use super::glue::Glue;
use crate::install::{self, Consent, Needed};
use crate::shell;
use anyhow::{Context, Result, anyhow, bail, ensure};
use std::{fs, path::Path};
use walrus::{
    Module as Wasm, RefType,
    ir::{CallIndirect, Visitor, dfs_in_order},
};
use wasm_bindgen_cli_support::{Bindgen, EncodeInto};

const TARGET: &str = "wasm32-unknown-unknown";
/// What makes the module smaller.
const WASM_OPT: Needed = (&["wasm-opt"], "binaryen");
/// A stack of 64 KiB in place of 1 MiB, below the data, so that to overflow it traps.
const LINKER: &str = "target.wasm32-unknown-unknown.rustflags=[\
    '-Clink-arg=-zstack-size=65536','-Clink-arg=--stack-first']";
/// The features that the compiler uses by default. They are listed because a newer wasm-opt knows
/// features that browsers lack.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Each pass was measured to make this module a little smaller. The linker leaves the first
/// kilobyte, the far end of the stack, empty, so the offsets of loads and stores can be folded
/// (`--low-memory-unused`).
const PASSES: [&str; 7] = [
    "--flatten",
    "--rereloop",
    "-Oz",
    "-Oz",
    "--low-memory-unused",
    "--strip-debug",
    "--strip-target-features",
];

/// Panic messages of the standard library. The tracker's own panic handler reads none of them.
const PANIC_TEXTS: [&str; 9] = [
    "Tried to shrink to a larger capacity",
    "RefCell already mutably borrowed",
    "RefCell already borrowed",
    "capacity overflow",
    "memory allocation of ",
    " bytes failed",
    "closure invoked recursively or after being dropped",
    "copy_from_slice: source slice length (",
    ") does not match destination slice length (",
];

/// The module, and the JavaScript that binds it.
pub(super) struct Module {
    pub(super) wasm: Vec<u8>,
    pub(super) glue: Glue,
    /// Whether wasm-opt optimised it.
    pub(super) optimised: bool,
}

/// Builds the module from `tracker-wasm`.
pub(super) fn build(consent: Consent) -> Result<Module> {
    ensure_target()?;
    let package = ["build", "--quiet", "--package", "tracker-wasm", "--profile", "tracker"];
    let place = ["--target", TARGET, "--target-dir", "target", "--config", LINKER];
    shell::run("cargo", &[package, place].concat())?;

    let compiled = shell::root().join("target").join(TARGET).join("tracker/tracker_wasm.wasm");
    let mut bound = Bindgen::new()
        .input_path(&compiled)
        .bundler(true)
        .and_then(|bindgen| {
            bindgen
                .typescript(false)
                .encode_into(EncodeInto::Always)
                .remove_name_section(true)
                .remove_producers_section(true)
                .generate_output()
        })
        .with_context(|| format!("wasm-bindgen could not bind {}", compiled.display()))?;
    let text = bound.start().context("wasm-bindgen generated no glue")?.clone();
    let wasm = bound.wasm_mut();
    remove_unreachable(wasm)?;
    let segments: Vec<_> = wasm.data.iter().map(walrus::Data::id).collect();
    for segment in &segments {
        blank_panic_texts(&mut wasm.data.get_mut(*segment).value);
    }
    let glue = Glue::trim(&text, wasm)?;
    let (wasm, optimised) = optimise(&wasm.emit_wasm(), consent)?;
    Ok(Module { wasm, glue, optimised })
}

fn ensure_target() -> Result<()> {
    let sysroot = shell::read("rustc", &["--print", "sysroot"])
        .context("`rustc --print sysroot` failed; is Rust installed?")?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).is_dir() {
        return Ok(());
    }
    bail!("the target for browsers is missing. Run: rustup target add {TARGET}")
}

/// Removes everything that only the function table refers to: closures and futures of js-sys, whose
/// addresses were taken by descriptions that binding has removed. The tracker itself makes no
/// indirect calls; if it ever does, this fails with an error rather than break it.
fn remove_unreachable(wasm: &mut Wasm) -> Result<()> {
    let tables: Vec<_> = wasm
        .tables
        .iter()
        .filter(|table| table.element_ty == RefType::FUNCREF)
        .map(walrus::Table::id)
        .collect();
    for table in tables {
        for segment in std::mem::take(&mut wasm.tables.get_mut(table).elem_segments) {
            wasm.elements.delete(segment);
        }
    }
    walrus::passes::gc::run(wasm);

    let mut calls = IndirectCalls::default();
    for (_, function) in wasm.funcs.iter_local() {
        dfs_in_order(&mut calls, function, function.entry_block());
    }
    ensure!(
        calls.0 == 0,
        "the tracker makes {} indirect calls (through a `dyn`, a `fn` value, or the formatting of a \
         panic); each keeps unused code in the module, so find and replace them",
        calls.0
    );
    Ok(())
}

/// Blanks the messages and source paths of panics, which browsers would download for nothing. The
/// paths also reveal folders of the build machine.
fn blank_panic_texts(data: &mut [u8]) {
    let find =
        |data: &[u8], text: &str| data.windows(text.len()).position(|part| part == text.as_bytes());
    for text in PANIC_TEXTS {
        while let Some(start) = find(data, text) {
            data[start..start + text.len()].fill(0);
        }
    }
    while let Some(end) = find(data, ".rs") {
        let in_path = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
        let length = data[..end].iter().rev().take_while(|byte| in_path(byte)).count();
        data[end - length..end + ".rs".len()].fill(0);
    }
}

#[derive(Default)]
struct IndirectCalls(usize);

impl Visitor<'_> for IndirectCalls {
    fn visit_call_indirect(&mut self, _: &CallIndirect) {
        self.0 += 1;
    }
}

/// Optimises for size where wasm-opt is there or may be installed; else says so and goes on.
fn optimise(wasm: &[u8], consent: Consent) -> Result<(Vec<u8>, bool)> {
    if let Err(error) = install::require(&[WASM_OPT], consent) {
        eprintln!("The module stays larger than it need be, without wasm-opt: {error:#}");
        return Ok((wasm.to_vec(), false));
    }
    let folder = shell::root().join("target/tracker-build");
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    let (from, to) = (folder.join("bound.wasm"), folder.join("optimised.wasm"));
    fs::write(&from, wasm).with_context(|| format!("cannot write {}", from.display()))?;
    let text = |path: &Path| {
        path.to_str().map(str::to_owned).ok_or_else(|| anyhow!("a path is not UTF-8"))
    };
    let (from, into) = (text(&from)?, text(&to)?);
    let mut arguments = PASSES.to_vec();
    arguments.extend(FEATURES);
    arguments.extend([from.as_str(), "-o", into.as_str()]);
    shell::run("wasm-opt", &arguments)?;
    let wasm = fs::read(&to).with_context(|| format!("cannot read {}", to.display()))?;
    Ok((wasm, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_panics_are_blanked() {
        let check = |text: &str, expected: &str| {
            let mut data = text.as_bytes().to_vec();
            blank_panic_texts(&mut data);
            assert_eq!(String::from_utf8_lossy(&data).replace('\0', ""), expected, "{text}");
        };
        check("a capacity overflow b", "a  b");
        check("clew_id=/some/where/x-1.2/src/a_b.rs site", "clew_id= site");
        check("clew_q clew_t", "clew_q clew_t");
    }
}
