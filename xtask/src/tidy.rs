//! `cargo xtask tidy`: what the compiler cannot check. Every complaint names a file and a line.

use crate::shell;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

const MOST_LINES: usize = 400;
const TEXTS: [&str; 8] = ["rs", "js", "css", "html", "toml", "md", "csv", "svg"];

/// A word that only some files may use.
struct Border {
    word: &'static str,
    inside: &'static str,
    allowed: &'static [&'static str],
    why: &'static str,
}

const BORDERS: &[Border] = &[
    Border {
        word: "actix_web",
        inside: "collector/src",
        allowed: &["collector/src/http", "collector/src/server.rs", "collector/src/error.rs"],
        why: "only http, server and error know actix-web",
    },
    Border {
        word: "StatusCode",
        inside: "collector/src",
        allowed: &[
            "collector/src/http",
            "collector/src/error.rs",
            "collector/src/outbox/client.rs",
            "collector/src/crm",
        ],
        why: "status codes are given in error and http (and read from strangers' answers)",
    },
    Border {
        word: "sled::",
        inside: "collector/src",
        allowed: &["collector/src/store/sled", "collector/src/app.rs"],
        why: "only store::sled knows sled, and app names it",
    },
    Border {
        word: "_postgres::",
        inside: "collector/src",
        allowed: &["collector/src/store/postgres"],
        why: "only store::postgres knows SQL",
    },
    Border {
        word: "postgres::",
        inside: "collector/src",
        allowed: &["collector/src/store/postgres", "collector/src/app.rs"],
        why: "only app names a backend",
    },
    Border {
        word: " clew.",
        inside: "collector/src",
        allowed: &[
            "collector/src/store/postgres/statements.rs",
            "collector/src/store/postgres/migrate.rs",
            "collector/src/store/postgres/citus.rs",
        ],
        why: "every statement stands in statements, where the shard that it runs on is told",
    },
    Border { word: "SystemTime", inside: "shared/src", allowed: &[], why: "shared has no clock" },
    Border {
        word: "web_sys",
        inside: "tracker-wasm/src",
        allowed: &["tracker-wasm/src/lib.rs", "tracker-wasm/src/web.rs"],
        why: "web-sys stays at the tracker's edge",
    },
];

/// Checks every text file that git knows or would take.
pub(crate) fn run(_: &[String]) -> Result<()> {
    let listed = shell::read("git", &["ls-files", "--cached", "--others", "--exclude-standard"]);
    let listed = listed.context("git could not list the files")?;
    let mut complaints = Vec::new();
    for name in listed.lines() {
        let path = Path::new(name);
        let is_text = path.extension().is_some_and(|end| TEXTS.iter().any(|text| end == *text));
        // A file that was removed is listed until that is committed.
        if let (true, Ok(text)) = (is_text, fs::read_to_string(shell::root().join(path))) {
            check(name, &text, &mut complaints);
        }
    }
    complaints.extend(wire_page()?);
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
        complain(text.lines().count(), "the file does not end with a line");
    }
    let lines = text.lines().count();
    let is_code = name.ends_with(".rs") || name.ends_with(".js");
    if is_code && lines > MOST_LINES {
        complain(lines, "more than 400 lines: the file has more than one reason to exist");
    }
    if !name.ends_with(".rs") {
        return;
    }
    if !text.starts_with("//!") {
        complain(1, "the module does not open with `//!`");
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
        hash.update(
            fs::read(root.join(file)).with_context(|| format!("{file} could not be read"))?,
        );
    }
    let hash: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let page = PathBuf::from("docs/wire.md");
    let text = fs::read_to_string(root.join(&page)).context("docs/wire.md could not be read")?;
    let told = text.contains(&format!("<!-- code: {hash} -->"));
    Ok((!told).then(|| {
        format!(
            "docs/wire.md:1: {} changed: see that the page still tells the truth, then put \
             <!-- code: {hash} --> into it",
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
    fn what_is_complained_of() {
        check_complaints("a.rs", "//! Good.\n", &[]);
        check_complaints("a.rs", "use x;\n", &["a.rs:1"]);
        check_complaints("a.md", "space \nno end", &["a.md:1", "a.md:2"]);
        check_complaints("a.js", &"x\n".repeat(401), &["a.js:401"]);
        check_complaints(
            "collector/src/ingest.rs",
            "//! x\nuse actix_web::web;\n// sled::\n",
            &["collector/src/ingest.rs:2"],
        );
        check_complaints("collector/src/http/leads.rs", "//! x\nuse actix_web::web;\n", &[]);
    }
}
