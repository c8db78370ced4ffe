//! `cargo xtask tidy`: checks what the compiler cannot. Every complaint names a file and a line.
//!
//! `--modules` also prints each crate's modules and their dependency cycles.

mod circles;

use crate::shell;
use anyhow::{Context, Result, bail};
use circles::Crate;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

const MOST_LINES: usize = 400;
const TEXTS: [&str; 8] = ["rs", "js", "css", "html", "toml", "md", "csv", "svg"];

/// A word that only certain files may contain.
struct Border {
    word: &'static str,
    inside: &'static str,
    allowed: &'static [&'static str],
    why: &'static str,
}

const BORDERS: &[Border] = &[
    Border {
        word: " clew.",
        inside: "collector/store/src",
        allowed: &[
            "collector/store/src/postgres/statements.rs",
            "collector/store/src/postgres/migrate.rs",
            "collector/store/src/postgres/citus.rs",
        ],
        why: "put every SQL statement into statements.rs, which names the shard that it runs on",
    },
    Border {
        word: "SystemTime",
        inside: "shared/src",
        allowed: &[],
        why: "shared has no clock; take the time as an argument",
    },
    Border {
        word: "web_sys",
        inside: "tracker-wasm/src",
        allowed: &["tracker-wasm/src/lib.rs", "tracker-wasm/src/web.rs"],
        why: "only web.rs and lib.rs may use web-sys",
    },
];

/// Checks all text files that git tracks or would add.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let listed = shell::read("git", &["ls-files", "--cached", "--others", "--exclude-standard"]);
    let listed = listed.context("git could not list the files")?;
    let mut complaints = Vec::new();
    for name in listed.lines() {
        let path = Path::new(name);
        let is_text = path.extension().is_some_and(|end| TEXTS.iter().any(|text| end == *text));
        // A removed file is listed until its removal is committed.
        if let (true, Ok(text)) = (is_text, fs::read_to_string(shell::root().join(path))) {
            check(name, &text, &mut complaints);
        }
    }
    complaints.extend(wire_page()?);
    let read = |name: &str| {
        fs::read_to_string(shell::root().join(name))
            .with_context(|| format!("{name} could not be read"))
    };
    complaints.extend(pinned_rust(&read("rust-toolchain.toml")?, &read("Cargo.toml")?));
    let prints = arguments.iter().any(|argument| argument == "--modules");
    for root in listed.lines().filter(|name| is_root(name) && shell::root().join(name).is_file()) {
        let read = Crate::read(&shell::root(), root)?;
        if prints {
            print_modules(root, &read);
        }
        complaints.extend(large_circles(&read));
    }
    if complaints.is_empty() {
        return Ok(());
    }
    bail!("{} complaints:\n{}", complaints.len(), complaints.join("\n"))
}

fn check(name: &str, text: &str, complaints: &mut Vec<String>) {
    let mut complain = |line: usize, what: &str| complaints.push(format!("{name}:{line}: {what}"));
    for (number, line) in text.lines().enumerate() {
        if line.ends_with([' ', '\t', '\r']) {
            complain(number + 1, "space at the end of the line");
        }
    }
    if !text.ends_with('\n') {
        complain(text.lines().count(), "the file does not end with a line break");
    }
    let lines = text.lines().count();
    let is_code = name.ends_with(".rs") || name.ends_with(".js");
    if is_code && lines > MOST_LINES {
        complain(lines, "more than 400 lines: split the file by purpose");
    }
    if !name.ends_with(".rs") {
        return;
    }
    if !text.starts_with("//!") {
        complain(1, "the module does not start with a `//!` comment");
    }
    for border in BORDERS.iter().filter(|border| name.starts_with(border.inside)) {
        if border.allowed.iter().any(|allowed| name.starts_with(allowed)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//");
            if line.contains(border.word) && !is_comment {
                complain(number + 1, &format!("`{}`: {}", border.word, border.why));
            }
        }
    }
}

/// Whether a file is the root of a crate.
fn is_root(name: &str) -> bool {
    name.ends_with("src/lib.rs") || name.ends_with("src/main.rs")
}

fn print_modules(root: &str, read: &Crate) {
    let (files, needs) = read.size();
    let circles = read.circles();
    println!("{root}: {files} files, {needs} dependencies, {} cycles", circles.len());
    for circle in circles {
        let names: Vec<_> = circle.iter().map(|file| file.display().to_string()).collect();
        println!("  {}: {}", names.len(), names.join(", "));
    }
}

/// Cycles of files that are too large.
fn large_circles(read: &Crate) -> Vec<String> {
    let circles = read.circles().into_iter().filter(|circle| circle.len() > circles::MOST);
    let complaint = |circle: Vec<&Path>| {
        let needs = read.within(&circle);
        let needs =
            needs.iter().map(|(from, to)| format!("  {} needs {}", from.display(), to.display()));
        let needs: Vec<String> = needs.collect();
        format!(
            "{}:1: {} files depend on each other in a cycle:\n{}",
            circle[0].display(),
            circle.len(),
            needs.join("\n")
        )
    };
    circles.map(complaint).collect()
}

/// CI builds with the oldest Rust that is supported, as nothing else shows that it suffices.
fn pinned_rust(toolchain: &str, workspace: &str) -> Option<String> {
    let value = |text: &str, key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        line.map(str::to_owned)
    };
    let pinned = value(toolchain, "channel");
    let is_same = pinned.is_some() && pinned == value(workspace, "rust-version");
    (!is_same).then(|| {
        "rust-toolchain.toml:1: the channel is not the `rust-version` of Cargo.toml: pin the oldest \
         Rust that is supported"
            .to_owned()
    })
}

/// The page on the wire carries the hash of the code that it describes: change one, read the other.
fn wire_page() -> Result<Option<String>> {
    let root = shell::root();
    let files = [
        "shared/src/wire.rs",
        "shared/src/wire/encode.rs",
        "shared/src/wire/decode.rs",
        "shared/src/outcome.rs",
    ];
    let mut hash = Sha256::new();
    for file in files {
        hash.update(fs::read(root.join(file)).with_context(|| format!("cannot read {file}"))?);
    }
    let hash = base16ct::lower::encode_string(&hash.finalize()[..8]);
    let page = PathBuf::from("docs/wire.md");
    let text = fs::read_to_string(root.join(&page)).context("cannot read docs/wire.md")?;
    let is_marked = text.contains(&format!("<!-- code: {hash} -->"));
    Ok((!is_marked).then(|| {
        format!(
            "docs/wire.md:1: {} changed: check that the page is still correct, then set its mark to \
             <!-- code: {hash} -->",
            files.join(", ")
        )
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_complaints(name: &str, text: &str, expected: &[&str]) {
        let mut complaints = Vec::new();
        check(name, text, &mut complaints);
        let found: Vec<_> =
            complaints.iter().map(|complaint| complaint.split(": ").next()).collect();
        assert_eq!(found, expected.iter().copied().map(Some).collect::<Vec<_>>(), "{complaints:?}");
    }

    #[test]
    fn rust_is_pinned_at_the_oldest() {
        let check = |toolchain: &str, workspace: &str, expected: bool| {
            let complaint = pinned_rust(toolchain, workspace);
            assert_eq!(complaint.is_none(), expected, "{toolchain} {workspace}");
        };
        let workspace = "[workspace.package]\nrust-version = \"1.95.0\"\n";
        check("[toolchain]\nchannel = \"1.95.0\"\n", workspace, true);
        check("channel = \"1.96.0\"", workspace, false);
        check("channel = \"stable\"", workspace, false);
        check("channel = \"1.95.0\"", "", false);
        check("", "", false);
    }

    #[test]
    fn what_is_complained_of() {
        check_complaints("a.rs", "//! Good.\n", &[]);
        check_complaints("a.rs", "use x;\n", &["a.rs:1"]);
        check_complaints("a.md", "space \nno end", &["a.md:1", "a.md:2"]);
        check_complaints("a.js", &"x\n".repeat(401), &["a.js:401"]);
        let statement = "//! x\nlet text = \"SELECT 1 FROM clew.leads\";\n// clew.leads\n";
        check_complaints(
            "collector/store/src/postgres/leads.rs",
            statement,
            &["collector/store/src/postgres/leads.rs:2"],
        );
        check_complaints("collector/store/src/postgres/statements.rs", statement, &[]);
    }
}
