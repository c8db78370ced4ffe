//! Trims the JavaScript that wasm-bindgen generates to what the tracker needs.
//!
//! Names are shortened on both sides, and some helpers are replaced, because they guard against
//! cases that the loader rules out. The replacements fit the output of one pinned version; if it
//! reads differently the build stops, because otherwise nobody would notice a rule that no longer
//! fits.

use anyhow::{Context, Result, ensure};
use std::fmt::Write as _;
use walrus::Module as Wasm;

/// The replaced helpers, by name. They encode a text into fresh memory and create a new view of the
/// memory each time; that is fast enough, because the module is called at most a few times a
/// second.
const HELPERS: [(&str, &str); 5] = [
    (
        "passStringToWasm0",
        "function passStringToWasm0(arg, malloc) {
            const bytes = cachedTextEncoder.encode(arg);
            const ptr = malloc(WASM_VECTOR_LEN = bytes.length, 1);
            getUint8ArrayMemory0().set(bytes, ptr);
            return ptr;
        }",
    ),
    ("decodeText", "function decodeText(bytes) { return cachedTextDecoder.decode(bytes); }"),
    (
        "getUint8ArrayMemory0",
        "function getUint8ArrayMemory0() { return new Uint8Array(wasm.memory.buffer); }",
    ),
    (
        "getDataViewMemory0",
        "function getDataViewMemory0() { return new DataView(wasm.memory.buffer); }",
    ),
    ("__wbg_set_wasm", "function connect(instance) { wasm = instance; wasm.__wbindgen_start(); }"),
];

/// Code that only the original helpers needed.
const UNNEEDED: [&str; 2] = ["cachedTextDecoder.decode();", ", wasm.__wbindgen_realloc"];

/// The trimmed glue: statements that define `connect`, `begin` and `hear`, and the imports.
pub(super) struct Glue {
    pub(super) statements: String,
    /// A JavaScript expression: the imports to instantiate the module with.
    pub(super) imports: String,
}

impl Glue {
    /// Trims the glue, and renames the module's imports and exports to match.
    pub(super) fn trim(text: &str, wasm: &mut Wasm) -> Result<Self> {
        let mut text = text.replace("export function ", "function ");
        ensure!(!text.contains("export "), "the glue exports more than functions:\n{text}");
        for (name, replacement) in HELPERS {
            let (start, end) = function(&text, name)?;
            text.replace_range(start..end, replacement);
        }
        for words in UNNEEDED {
            ensure!(text.contains(words), "no `{words}` in the glue");
            text = text.replace(words, "");
        }
        drop_catch(&mut text, "hear")?;
        rename_exports(&mut text, wasm);
        let imports = rename_imports(&text, wasm)?;
        Ok(Self { statements: text, imports })
    }
}

/// The start and end of a function.
fn function(text: &str, name: &str) -> Result<(usize, usize)> {
    let head = format!("function {name}(");
    let start = text.find(&head).with_context(|| format!("no `{head}` in the glue"))?;
    let end = block_end(text, start).with_context(|| format!("`{head}` does not end"))?;
    Ok((start, end))
}

/// The end of the first block after a position. The glue has no braces inside strings.
fn block_end(text: &str, from: usize) -> Option<usize> {
    let mut depth = 0;
    for (index, byte) in text.bytes().enumerate().skip(from) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(index + 1),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Removes the `try` from a function that only frees memory before it throws again: a module that
/// has thrown is never called again, so its memory need not be freed.
fn drop_catch(text: &mut String, name: &str) -> Result<()> {
    let (start, end) = function(text, name)?;
    let within = |part: &str| text[start..end].find(part).map(|found| start + found);
    let opening = within("try {").with_context(|| format!("no `try` in `{name}`"))?;
    let catch = within("catch (e) {").with_context(|| format!("no `catch` in `{name}`"))?;
    let catch_end = block_end(text, catch).with_context(|| format!("`{name}` does not end"))?;
    ensure!(text[catch..catch_end].contains("throw e"), "`{name}` catches for another reason");
    text.replace_range(catch..catch_end, "");
    text.replace_range(opening..opening + "try ".len(), "");
    Ok(())
}

/// Shortens the exports' names, and removes exports that the glue does not use.
fn rename_exports(text: &mut String, wasm: &mut Wasm) {
    let mut unused = Vec::new();
    let mut names = short_names();
    for export in wasm.exports.iter_mut() {
        let old = format!("wasm.{}", export.name);
        let places: Vec<_> = text
            .match_indices(&old)
            .map(|(place, _)| place)
            .filter(|place| !text[place + old.len()..].starts_with(is_name_character))
            .collect();
        if places.is_empty() {
            unused.push(export.id());
            continue;
        }
        export.name = names.next().unwrap_or_default();
        for place in places.into_iter().rev() {
            text.replace_range(place..place + old.len(), &format!("wasm.{}", export.name));
        }
    }
    unused.into_iter().for_each(|export| wasm.exports.delete(export));
    walrus::passes::gc::run(wasm);
}

fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// Shortens the imports' names, and returns the object that provides them.
fn rename_imports(text: &str, wasm: &mut Wasm) -> Result<String> {
    let mut object = String::from("{a:{");
    for (import, short) in wasm.imports.iter_mut().zip(short_names()) {
        function(text, &import.name)?;
        write!(object, "{short}:{},", import.name)?;
        import.module = "a".to_owned();
        import.name = short;
    }
    object.push_str("}}");
    Ok(object)
}

/// The names `a` to `z`, then `A` to `Z`, then `a0` and so on.
fn short_names() -> impl Iterator<Item = String> {
    let letters = || ('a'..='z').chain('A'..='Z');
    let single = letters().map(String::from);
    single.chain(
        (0..10).flat_map(move |digit| letters().map(move |letter| format!("{letter}{digit}"))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found() {
        let check = |text: &str, expected: Option<&str>| {
            let found = function(text, "f").ok().map(|(start, end)| &text[start..end]);
            assert_eq!(found, expected, "{text}");
        };
        check("function f() { if (a) { b } } c", Some("function f() { if (a) { b } }"));
        check("function g() {} function f(a) {}", Some("function f(a) {}"));
        check("function ff() {}", None);
        check("function f() {", None);
    }

    #[test]
    fn a_catch_that_throws_again_is_dropped() {
        let mut text =
            "function f() { let a; try { a = 1 } catch (e) { g(a); throw e; } h(a); }".to_owned();
        drop_catch(&mut text, "f").unwrap();
        assert_eq!(text, "function f() { let a; { a = 1 }  h(a); }");
        let mut text = "function f() { try { a = 1 } catch (e) { g(a) } }".to_owned();
        assert!(drop_catch(&mut text, "f").is_err());
    }

    #[test]
    fn short_names_do_not_repeat() {
        let names: Vec<_> = short_names().take(120).collect();
        assert_eq!((names[0].as_str(), names[52].as_str()), ("a", "a0"));
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), 120);
    }
}
