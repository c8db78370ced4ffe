//! Compares the command's output with other tools' figures, and checks properties of any input.

use super::Attribute;
use clap::{Args, FromArgMatches};
use proptest::prelude::*;
use shared::attribution::Model;
use shared::money::fixed;

fn answer(line: &str, input: &[u8]) -> Result<String, String> {
    let words = std::iter::once("attribute").chain(line.split_whitespace());
    let command = Attribute::augment_args(clap::Command::new("attribute"));
    let matches = command.try_get_matches_from(words).map_err(|error| error.to_string())?;
    let attribute = Attribute::from_arg_matches(&matches).map_err(|error| error.to_string())?;
    let mut output = Vec::new();
    let answered = attribute.answer(input, &mut output);
    let output = String::from_utf8(output).unwrap();
    match answered {
        Ok(()) => Ok(output),
        Err(error) => {
            assert_eq!(output, "", "something was written before `{error:#}`");
            Err(format!("{error:#}"))
        }
    }
}

/// Compares rows of names and numbers; numbers may differ by `slack`, relative to their size.
fn check(line: &str, input: &str, slack: f64, expected: &str) {
    let answer = answer(line, input.as_bytes()).unwrap();
    let (found, expected) = (answer.split([',', '\n']), expected.split([',', '\n']));
    let near =
        |(found, expected): (&str, &str)| match (found.parse::<f64>(), expected.parse::<f64>()) {
            (Ok(found), Ok(expected)) => (found - expected).abs() <= slack * expected.abs(),
            _ => found == expected,
        };
    assert_eq!(found.clone().count(), expected.clone().count(), "{line}: {answer}");
    assert!(found.zip(expected).all(near), "{line}: {answer}");
}

const PATHS: &str = "\
path,conversions,value,nulls
Email > Search,10,1000,5
Search,4,200,20
Social > Email > Search,2,90.50,3
Direct > Social,1,10,8
Search > Search > Direct,3,333.33,1
";

/// Computed by `ChannelAttribution` 2.2.5 (`heuristic_models`), mta 0.0.9 (`position_based`, and
/// `shapley` over all 2^n coalitions) and marketing-attribution-models 2.1.1 (`run_markov`).
#[test]
fn paths_as_other_tools_count_them() {
    let check = |line: &str, expected: &str| {
        check(line, PATHS, 1e-13, &format!("channel,conversions,value\n{expected}\n"));
    };
    check("--model first", "Email,10,1000\nSearch,7,533.33\nSocial,2,90.5\nDirect,1,10");
    check("--model last", "Search,16,1290.5\nDirect,3,333.33\nSocial,1,10\nEmail,0,0");
    check(
        "--model linear",
        "Search,11.666666666666666,952.386666666666656\nEmail,5.666666666666667,530.166666666666629\n\
         Direct,1.5,116.11\nSocial,1.166666666666667,35.166666666666671",
    );
    let value = ["936.198", "518.1", "138.332", "41.2"];
    let position = ["Search,11.6", "Email,5.4", "Direct,1.7", "Social,1.3"];
    let rows: Vec<_> = position.iter().zip(value).map(|(row, v)| format!("{row},{v}")).collect();
    check("--model position", &rows.join("\n"));
    check(
        "--model shapley",
        "Search,11.166666666666666,896.831666666666667\nEmail,5.666666666666666,530.166666666666629\n\
         Direct,2,171.665\nSocial,1.1666666666666665,35.166666666666671",
    );
    check(
        "--model markov",
        "Search,10.791030561888546,891.173172305768844\nEmail,4.496262734120227,371.322155127403732\n\
         Direct,2.971342818389080,272.247607805927601\nSocial,1.741363885602146,99.087064760899779",
    );
}

/// Value by simulation, as `ChannelAttribution` 2.2.5 converges to with `conv_par=0.002`.
#[test]
fn markov_value_as_by_simulation() {
    let simulated = "channel,conversions,value\nSearch,10.786668,890.788373\nEmail,4.495616,371.119385\n\
                     Direct,2.976339,272.924321\nSocial,1.741377,98.997921\n";
    check("--model markov", PATHS, 0.003, simulated);
}

/// Computed by marketing-attribution-models 2.1.1 (`run_time_decay(24)`, `run_markov`).
#[test]
fn journeys_as_other_tools_credit_them() {
    let input = "converted,hours_before,value,journey,path\n\
                 1,336 > 168 > 0,100,A,Search > Email > Direct\n\
                 1,30.5 > 2.25,0.07,B,Email > Search\n\
                 0,50 > 3,,C,Social > Search\n";
    let rows = |credits: [&str; 5]| {
        let [a0, a1, a2, b0, b1] = credits;
        format!(
            "journey,touch,channel,credit,value\nA,0,Search,{a0}\nA,1,Email,{a1}\nA,2,Direct,{a2}\n\
             B,0,Email,{b0}\nB,1,Search,{b1}\nC,0,Social,0,0\nC,1,Search,0,0\n"
        )
    };
    let decay = rows([
        "6.0558347968267426e-05,0.006055834796826743",
        "0.0077514685399382305,0.7751468539938231",
        "0.9921879731120935,99.21879731120936",
        "0.3066363707202238,0.021464545950415668",
        "0.6933636292797762,0.04853545404958434",
    ]);
    check("--model time-decay --half-life-days 1", input, 1e-13, &decay);
    let markov = rows([
        "0.391304347826087,39.130434782608695",
        "0.3478260869565218,34.78260869565218",
        "0.2608695652173913,26.08695652173913",
        "0.4705882352941176,0.03294117647058823",
        "0.5294117647058824,0.03705882352941177",
    ]);
    check("--model markov", input, 1e-13, &markov);
}

#[test]
fn paths_as_the_field_writes_them() {
    let paths = "path,conversions\na > direct ×2 > b,4\na ×x,1\n";
    let expected = "channel,conversions,value\ndirect,2,0\na,1,0\na ×x,1,0\nb,1,0\n";
    check("--model linear", paths, 0.0, expected);
    let last = "channel,conversions,value\nc,1,0\ndirect,0,0\n";
    check("--model last-non-direct", "path,conversions\nc > direct ×2,1\n", 0.0, last);
    let cut = answer("--model linear", "path,conversions\na > … > b,1\n".as_bytes());
    assert!(cut.unwrap_err().contains("line 2: the path was shortened"));
}

#[test]
fn names_that_would_be_formulas() {
    let paths = "path,conversions\n=1+1 > @x,2\n";
    let counted = "channel,conversions,value\n'=1+1,1,0\n'@x,1,0\n";
    check("--model linear", paths, 0.0, counted);
    let journeys = "journey,path,converted,value\n-A,+b+c,1,12.5\n";
    let credited = "journey,touch,channel,credit,value\n'-A,0,'+b+c,1,12.5\n";
    check("--model linear", journeys, 0.0, credited);
}

#[test]
fn options() {
    let journeys = |line: &str, path: &str, hours: &str, more: [&str; 2], expected: &str| {
        let [header, cells] = more;
        let input =
            format!("journey,path,hours_before,converted{header}\nA,{path},{hours},1{cells}\n");
        let answer = answer(line, input.as_bytes()).unwrap();
        let credits = answer.lines().skip(1).filter_map(|row| row.split(',').nth(3));
        let credits: Vec<String> = credits.map(|credit| credit[..6].to_owned()).collect();
        assert_eq!(credits.join(" "), expected, "{line}");
    };
    let none = ["", ""];
    journeys("--model linear", "a > b", "9999 > 1", none, "0.5000 0.5000");
    journeys("--model linear --lookback-days 90", "a > b", "2160 > 1", none, "0.5000 0.5000");
    journeys("--model linear --lookback-days 90", "a > b", "2160.1 > 1", none, "0.0000 1.0000");
    journeys("--model linear --lookback-days 1", "a > b", "99 > 98", none, "0.0000 0.0000");
    // Touches after the conversion did not lead to it.
    journeys("--model linear", "a > b > c", "2 > 0 > -1", none, "0.5000 0.5000 0.0000");
    journeys("--model last", "a", "-1", none, "0.0000");
    for direct in ["direct", "(direct)", "Direct", "(DIRECT)"] {
        let path = format!("a > {direct}");
        journeys("--model last-non-direct", &path, "2 > 1", none, "1.0000 0.0000");
        journeys("--model last", &path, "2 > 1", none, "0.0000 1.0000");
        journeys("--model last --direct drop", &path, "2 > 1", none, "1.0000 0.0000");
        journeys("--model last --direct drop", direct, "2", none, "1.0000");
    }
    journeys(
        "--model position --weights 1/1/2",
        "a > b > c",
        "3 > 2 > 1",
        none,
        "0.2500 0.2500 0.5000",
    );
    // Milestones: none given, all given, and one that has not happened.
    let path = "a > b > c > e";
    journeys("--model w", path, "9 > 8 > 7 > 6", none, "0.4285 0.0714 0.0714 0.4285");
    let all = [",lead_hours_before,opportunity_hours_before,closed_hours_before", ",8,6.5,0"];
    journeys("--model full-path", path, "9 > 8 > 7 > 6", all, "0.2500 0.2500 0.2500 0.2500");
    journeys("--model u", path, "9 > 8 > 7 > 6", all, "0.5000 0.5000 0.0000 0.0000");
    let not_yet = [",lead_hours_before,opportunity_hours_before", ",8,"];
    journeys("--model w", path, "9 > 8 > 7 > 6", not_yet, "0.5000 0.5000 0.0000 0.0000");
}

#[test]
fn spellings_of_the_same_file() {
    let plain = "path,conversions,value\na > b,3,1.5\n\"c, d\",1,2\n";
    let expected = "channel,conversions,value\na,1.500000000,0.7500000000\nb,1.500000000,0.7500000000\n\
                    \"c, d\",1.000000000,2.000000000\n";
    let spaced = plain.replace(" > ", ">").replace("3,1.5", " 3 , 1.5");
    for input in [
        plain.to_owned(),
        plain.replace('\n', "\r\n"),
        plain.replace('\n', "\n\n"),
        plain.trim_end().to_owned(),
        format!("\u{feff}{plain}"),
        format!("\u{feff}{}", plain.replace("path,", "\"path\",")),
        plain.replace("path,conversions", " Path , CONVERSIONS "),
        spaced,
        "x,value,path,conversions\n\"\n\",1.50,a > b,3\n,2,\"c, d\",1\n".to_owned(),
        "path,conversions,value\na > b,3e0,15e-1\n\"c, d\",1.0,2\n".to_owned(),
    ] {
        assert_eq!(
            answer("--model linear", input.as_bytes()).as_deref(),
            Ok(expected),
            "{input:?}"
        );
    }
    // No input rows, no output rows.
    let empty = answer("--model markov", b"path,conversions\r\n");
    assert_eq!(empty.as_deref(), Ok("channel,conversions,value\n"));
    let empty = answer("--model markov", b"journey,path,converted,hours_before");
    assert_eq!(empty.as_deref(), Ok("journey,touch,channel,credit,value\n"));
}

fn sum(answer: &str) -> i128 {
    let values = answer.lines().skip(1).filter_map(|row| row.rsplit(',').next());
    values.map(|value| fixed::parse(value, 20).unwrap()).sum()
}

proptest! {
    /// The output values add up to the input values, to the last decimal place.
    #[test]
    fn no_value_is_lost(
        rows in prop::collection::vec((prop::collection::vec(0..5_usize, 1..9), 1..4_u32, 0..10_000_000_u64), 1..20),
        model in prop::sample::select(Model::NAMED.map(|(_, model)| model).to_vec()),
    ) {
        let names = ["direct", "a", "b", "c", "e"];
        let (mut paths, mut journeys) = (
            String::from("path,conversions,nulls,value\n"),
            String::from("journey,path,hours_before,converted,value\n"),
        );
        for (path, conversions, value) in &rows {
            let hours: Vec<String> = (0..path.len()).rev().map(|hour| (hour * 30).to_string()).collect();
            let path = path.iter().map(|name| names[*name]).collect::<Vec<_>>().join(" > ");
            let value = fixed::write((*value).into(), 3);
            paths += &format!("{path},{conversions},1,{value}\n");
            journeys += &format!("x,{path},{},1,{value}\n", hours.join(" > "));
        }
        let total: i128 = rows.iter().map(|(.., value)| i128::from(*value) * 10_i128.pow(17)).sum();
        let line = format!("--model {model}");
        if model != Model::TimeDecay {
            prop_assert_eq!(sum(&answer(&line, paths.as_bytes()).unwrap()), total);
        }
        prop_assert_eq!(sum(&answer(&line, journeys.as_bytes()).unwrap()), total);
    }

    /// Any input produces either output or an error, never both.
    #[test]
    fn any_input_is_answered_or_refused(
        bytes: Vec<u8>,
        rows in "[a>,\"0-9.\n\r -]{0,80}",
        header in prop::sample::select(vec![
            "", "path,conversions\n", "path,conversions,value,nulls\r\n",
            "journey,path,hours_before,converted,value\n",
            "journey,path,hours_before,converted,lead_hours_before\n",
        ]),
        model in prop::sample::select(Model::NAMED.map(|(_, model)| model).to_vec()),
    ) {
        let line = format!("--model {model}");
        let _ = answer(&line, &[header.as_bytes(), rows.as_bytes()].concat());
        let _ = answer(&line, &[header.as_bytes(), &bytes].concat());
    }
}
