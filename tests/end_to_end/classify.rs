//! `clew classify` as a marketer types it: the example in its documentation, custom rules, and its
//! errors for bad input.

use tempfile::TempDir;
use tests::process::run_with_input;

const PAGE: &str = include_str!("../../docs/sources.md");

/// Runs the blocks of `printf 'INPUT' | clew classify`, each followed by a block with the output.
#[test]
fn the_examples_of_the_page() {
    let blocks: Vec<&str> = PAGE.split("```").skip(1).step_by(2).collect();
    let mut examples = 0;
    for pair in blocks.windows(2) {
        let Some(line) = pair[0].strip_prefix("sh\n").map(str::trim) else { continue };
        let Some(input) = line.strip_suffix("' | clew classify") else { continue };
        let input = input.strip_prefix("printf '").unwrap().replace("\\n", "\n");
        let output = run_with_input("classify", input.as_bytes());
        assert!(output.success, "{}", output.complaint);
        assert_eq!(output.answer.trim(), pair[1].trim());
        examples += 1;
    }
    assert_eq!(examples, 1);
}

/// The custom rules in the documentation, as files beside a configuration.
#[test]
fn custom_rules() {
    let block = |kind: &str, begins: &str| {
        let blocks = PAGE.split("```").skip(1).step_by(2);
        let mut found = blocks.filter_map(|block| block.strip_prefix(kind)).map(str::trim_start);
        found.find(|text| text.starts_with(begins)).unwrap_or_else(|| panic!("no {begins}"))
    };
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "clew.toml",
        &block("toml", "[rules]").replace("\n\n[[", "\nbots = [\"bots.txt\"]\n\n[["),
    );
    write("sources.csv", block("", "# source,category"));
    write("click_ids.csv", "clickid,tracker,affiliate,affiliate\n");
    write("bots.txt", block("", "[monitor]"));
    let line = format!("classify --config {}", folder.path().join("clew.toml").display());
    let check = |row: &str, expected: &str| {
        let output = run_with_input(&line, format!("url,referrer,user_agent\n{row}\n").as_bytes());
        assert!(output.success, "{}", output.complaint);
        assert_eq!(output.answer.lines().nth(1).unwrap(), format!("{row},{expected}"));
    };
    let browser =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36";
    check(
        &format!("https://a.example/?utm_source=Partner-7,,{browser}"),
        "partner-7,(none),,,,affiliates,,,tags/custom:partners",
    );
    check(
        &format!("https://a.example/,https://login.example.net/x,{browser}"),
        "(direct),(none),,,,direct,,,excluded:login.example.net/direct",
    );
    check(
        &format!("https://a.example/,https://example.ch/?q=Shoes,{browser}"),
        "local-engine,organic,,shoes,,organic_search,,,referrer:example.ch/organic_search",
    );
    check(
        &format!("https://a.example/?clickid=5,,{browser}"),
        "tracker,affiliate,,,,affiliates,clickid=5,,click_id:clickid/affiliates",
    );
    check(
        "https://a.example/,,our-uptime-check/1.0",
        "(direct),(none),,,,direct,,monitor: our-uptime-check,nothing/direct",
    );
}

#[test]
fn errors_name_what_is_wrong() {
    let check = |line: &str, input: &[u8], part: &str| {
        let output = run_with_input(line, input);
        assert!(!output.success, "{line} {input:?}: {}", output.answer);
        assert_eq!(output.answer, "", "{line} {input:?}");
        assert!(output.complaint.contains(part), "{line} {input:?}: {}", output.complaint);
    };
    check("classify", b"", "the input is empty");
    check("classify", b"path\na\n", "none of the columns url, referrer");
    check(
        "classify",
        b"url\nhttps://a.example/\nhttp://[x/\n",
        "line 3: url `http://[x/` is not valid",
    );
    check("classify", b"url,referrer\nhttps://a.example/\n", "line 2");
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("clew.toml");
    let line = format!("classify --config {}", config.display());
    let check_rules = |settings: &str, file: &str, part: &str| {
        std::fs::write(&config, format!("[rules]\n{settings}\n")).unwrap();
        std::fs::write(folder.path().join("own"), file).unwrap();
        check(&line, b"url\nhttps://a.example/\n", part);
    };
    check_rules("sources = [\"none.csv\"]", "", "none.csv cannot be read");
    check_rules(
        "sources = [\"own\"]",
        "# ours\na,serch,a.example\n",
        "line 2: `serch` is not a category",
    );
    check_rules("click_ids = [\"own\"]", "a,b,c,bought\n", "line 1: the kind should be");
    check_rules("bots = [\"own\"]", "[monitor]\nok-word\n[\n", "own, line 3");
    check_rules(
        "[[rules.channels]]\nname = \"x\"\nchannel = \"Paid\"\nsource = \"a\"",
        "",
        "`Paid` cannot be a channel",
    );
    check_rules("[[rules.channels]]\nname = \"x\"\nchannel = \"email\"", "", "has no patterns");
}
