//! `clew attribute` as an analyst types it: the examples in its documentation, and its errors for
//! bad input.

use tests::process::{PipedOutput, run_with_input};

const PAGE: &str = include_str!("../../docs/attribution.md");

fn attribute(line: &str, input: &[u8]) -> PipedOutput {
    run_with_input(&format!("attribute {line}"), input)
}

/// Runs the blocks of `$ clew attribute OPTIONS <<END`, with the input up to `END` and the expected
/// output.
#[test]
fn the_examples_of_the_page() {
    let mut examples = 0;
    for block in PAGE.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        let (line, rest) = block.split_once(" <<END\n").unwrap();
        let (input, expected) = rest.split_once("END\n").unwrap();
        let output = attribute(line.strip_prefix("$ clew attribute ").unwrap(), input.as_bytes());
        assert!(output.success, "{line}: {}", output.complaint);
        assert!(same(&output.answer, expected), "{line}: {}", output.answer);
        examples += 1;
    }
    assert!(examples >= 4, "{examples} examples");
}

/// Numbers may differ in their last digits: machines do not agree on the last digits of a power.
fn same(answer: &str, expected: &str) -> bool {
    let near = |(one, other): (&str, &str)| match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => (one - other).abs() <= 1e-13 * other.abs(),
        _ => one == other,
    };
    let answer: Vec<&str> = answer.split([',', '\n']).collect();
    let expected: Vec<&str> = expected.split([',', '\n']).collect();
    answer.len() == expected.len() && answer.into_iter().zip(expected).all(near)
}

#[test]
fn errors_name_what_is_wrong() {
    let check = |line: &str, input: &[u8], part: &str| {
        let output = attribute(line, input);
        assert!(!output.success, "{line} {input:?}: {}", output.answer);
        assert_eq!(output.answer, "", "{line} {input:?}");
        assert!(output.complaint.contains(part), "{line} {input:?}: {}", output.complaint);
    };
    // The command line.
    let good = b"path,conversions\na,1\n";
    check("", good, "--model");
    check("--model median", good, "`median` is not an attribution model; use one of first, last,");
    check("--model time-decay --half-life-days 0", good, "not a number of days above 0");
    check("--model time-decay --half-life-days -7", good, "not a number of days above 0");
    check("--model position --weights 40/20", good, "is not FIRST/BETWEEN/LAST");
    check("--model position --weights -1/1/1", good, "is not FIRST/BETWEEN/LAST");
    check("--model first --direct maybe", good, "should be keep or drop");
    check("--model time-decay", good, "paths do not have: use journeys with hours_before");
    check("--model first --lookback-days 30", good, "paths do not have: use journeys");
    // The header.
    check("--model first", b"", "the input is empty");
    check("--model first", b"\n\r\n", "the input is empty");
    check("--model first", b"path,visits\n", "lacks conversions: paths need path and conversions");
    check("--model first", b"x,y\n", "lacks path and conversions");
    check("--model first", b"journey,path\n", "lacks converted: journeys need");
    check("--model first", b"hours_before,converted\n", "lacks journey and path");
    check("--model first", b"path,conversions,Path\n", "more than one column `path`");
    check("--model first", b"path,\"conversions\na,1\n", "a quote that is never closed");
    let no_hours = b"journey,path,converted\nA,a,1\n";
    check("--model time-decay", no_hours, "lacks hours_before: time-decay needs it");
    check("--model first --lookback-days 9", no_hours, "lacks hours_before: --lookback-days");
    let milestone = b"journey,path,converted,lead_hours_before\nA,a,1,0\n";
    check("--model u", milestone, "lacks hours_before: milestones");
    // Rows of paths: the third line is the bad one, whatever the line endings.
    for (row, part) in [
        ("a,", "conversions `` is not a number from 0 to 1e15"),
        ("a,x", "conversions `x` is not a number"),
        ("a,-1", "conversions `-1` is not a number"),
        ("a,NaN", "conversions `NaN` is not a number"),
        ("a,inf", "conversions `inf` is not a number"),
        ("a,1e16", "conversions `1e16` is not a number"),
        (",1", "path is empty"),
        ("  ,1", "path is empty"),
        ("a > > b,1", "path `a > > b` is empty at touch 1"),
        ("a >,1", "path `a >` is empty at touch 1"),
        ("> a,1", "path `> a` is empty at touch 0"),
        ("a", "the header has 2 fields, but the row has 1"),
        ("a,1,2", "the header has 2 fields, but the row has 3"),
        ("a,\"1", "a quote is never closed"),
    ] {
        for end in ["\n", "\r\n"] {
            let input = format!("path,conversions{end}b,1{end}{row}{end}");
            check("--model linear", input.as_bytes(), &format!("line 3: {part}"));
        }
    }
    check("--model linear", b"path,conversions\n\n\"a\",1\n\n\xff,1\n", "line 5: not valid UTF-8");
    let quoted = b"path,conversions,note\na,1,\"\n\n\"\nb,1,\"\nc,1,2\n";
    check("--model linear", quoted, "line 5: a quote is never closed");
    for (row, part) in [
        ("a,1,x,0", "line 2: value `x`: is not a number"),
        ("a,1,-5,0", "line 2: value `-5`: is negative"),
        ("a,1,,0", "line 2: value ``: is not a number"),
        ("a,1,inf,0", "line 2: value `inf`: is not a number"),
        (
            "a,1,0.000000000000000000001,0",
            "line 2: value `0.000000000000000000001`: has more than 20",
        ),
        ("a,1,1e30,0", "line 2: value `1e30`: is too large"),
        ("a,0,5,1", "line 2: the row has a value but no conversions"),
        ("a,1,5,-1", "line 2: nulls `-1` is not a number"),
        ("a,1,1e18,0\na,1,1e18,0", "line 3: the sum of all values is too large"),
    ] {
        let input = format!("path,conversions,value,nulls\n{row}\n");
        check("--model linear", input.as_bytes(), part);
    }
    // Rows of journeys.
    for (row, part) in [
        ("A,a > b,3,1,1,", "the path has 2 touches, but hours_before has 1 numbers"),
        ("A,a,3 > 2,1,1,", "the path has 1 touches, but hours_before has 2 numbers"),
        ("A,a > b,3 > x,1,1,", "hours_before `x` is not a number"),
        ("A,a > b,3 > -2e15,1,1,", "hours_before `-2e15` is not a number from -1e15 to 1e15"),
        ("A,a > b,3 > nan,1,1,", "hours_before `nan` is not a number"),
        ("A,a > b,3 > ,1,1,", "hours_before `3 >` is empty at touch 1"),
        ("A,a,,1,1,", "hours_before is empty"),
        ("A,,1,1,1,", "path is empty"),
        ("A,a,1,yes,1,", "converted `yes` is neither 0 nor 1"),
        ("A,a,1,2,1,", "converted `2` is neither 0 nor 1"),
        ("A,a,1,,1,", "converted `` is neither 0 nor 1"),
        ("A,a,1,1,,", "value ``: is not a number"),
        ("A,a,1,0,x,", "value `x`: is not a number"),
        ("A,a,1,1,1,soon", "lead_hours_before `soon` is not a number"),
    ] {
        let header = "journey,path,hours_before,converted,value,lead_hours_before";
        let input = format!("{header}\nB,a,1,1,5,\n{row}\n");
        check("--model markov", input.as_bytes(), &format!("line 3: {part}"));
    }
    let many: String = (0..=1000).map(|channel| format!("c{channel},1\n")).collect();
    let many = format!("path,conversions\n{many}");
    check(
        "--model markov",
        many.as_bytes(),
        "line 1002: a Markov chain takes at most 1000 channels",
    );
    assert!(attribute("--model shapley", many.as_bytes()).success);
}

#[test]
fn a_path_of_ten_thousand_touches() {
    let path: Vec<String> = (0..10_000).map(|touch| format!("c{}", touch % 50)).collect();
    let hours: Vec<String> = (0..10_000).rev().map(|hour| format!("{hour}.5")).collect();
    let (path, hours) = (path.join(" > "), hours.join(" > "));
    let input = format!("journey,path,hours_before,converted,value\nA,{path},{hours},1,1000\n");
    for model in ["linear", "time-decay", "full-path", "markov", "shapley"] {
        let output = attribute(&format!("--model {model}"), input.as_bytes());
        assert!(output.success, "{model}: {}", output.complaint);
        assert_eq!(output.answer.lines().count(), 10_001, "{model}");
    }
}

#[test]
fn the_help_covers_the_formats() {
    let output = attribute("--help", b"");
    for part in ["hours_before", "journey,touch,channel,credit,value", "inverse-j", "Example:"] {
        assert!(output.answer.contains(part), "{part}: {}", output.answer);
    }
}
