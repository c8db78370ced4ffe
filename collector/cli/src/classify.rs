//! `clew classify`: applies the collector's rules to the visits in a CSV table.

use crate::output::Output;
use crate::table::{Column, Row, Table, shortened};
use anyhow::{Context, Result, ensure};
use clap::Args;
use collector::config::Config;
use collector::settings::Settings;
use shared::source::{Label, OwnHosts};
use std::borrow::Cow;
use std::io::{BufRead, BufWriter, Write};
use url::Url;

/// The part of `--help` below the options.
const FORMAT: &str = "\
Reads CSV with a header from standard input. Columns may be in any order; at least one of these is
required:

  url         the landing page; `www.example.com/x` and `/x?y` are accepted
  referrer    where the visitor came from: a URL or a bare host
  user_agent  the browser's User-Agent
  source, medium, campaign
              dimensions as resolved by GA4; used for rows without a url

Writes the input columns (with a ' before any cell that a spreadsheet would run as a formula), followed by:
  clew_source, clew_medium, clew_campaign, clew_term, clew_content, clew_channel
  clew_click_id  the click id that decided, for example gclid=Ab
  clew_bot       why the user agent looks like a bot
  clew_rule      the rules that decided: the source's rule, a slash, the channel's rule

The rules are those of the configuration, or the built-in rules if there is none. Empty cells, `null` and
`undefined` count as missing. So does `(not set)` as url or referrer; as source or medium it is GA4's name
for an unknown value, which is not direct. If a row cannot be read or a url is not valid, the error names
its line and nothing is written. docs/sources.md explains the rules.

Example:
  printf 'url,referrer\\nhttps://example.com/?gclid=Ab,https://t.co/x\\n' | clew classify";

#[derive(Debug, Args)]
#[command(after_long_help = FORMAT)]
pub(crate) struct Classify {}

/// The columns that are read.
const COLUMNS: [&str; 6] = ["url", "referrer", "user_agent", "source", "medium", "campaign"];
/// The columns that are added.
const ADDED: [&str; 9] = [
    "clew_source",
    "clew_medium",
    "clew_campaign",
    "clew_term",
    "clew_content",
    "clew_channel",
    "clew_click_id",
    "clew_bot",
    "clew_rule",
];

impl Classify {
    #[expect(clippy::unused_self, reason = "every command has this signature")]
    pub(crate) fn run(&self, config: Config) -> Result<()> {
        let settings = Settings::new(config)?;
        let mut output = BufWriter::new(std::io::stdout().lock());
        answer(&settings, std::io::stdin().lock(), &mut output)?;
        output.flush().context("cannot write to standard output")
    }
}

fn answer(settings: &Settings, input: impl BufRead, output: &mut impl Write) -> Result<()> {
    let table = Table::open(input)?;
    let mut columns = [None; COLUMNS.len()];
    for (column, name) in columns.iter_mut().zip(COLUMNS) {
        *column = table.find(name)?;
    }
    ensure!(
        columns.iter().any(Option::is_some),
        "the header has none of the columns {}; it has {}",
        COLUMNS.join(", "),
        table.written().collect::<Vec<_>>().join(", ")
    );
    // Held back until the last row is read: a bad row must leave no output.
    let mut answer = Output::new(Vec::new());
    answer.row(table.written().chain(ADDED))?;
    table.rows(|row| {
        let [.., user_agent, _, _, _] = columns;
        // An empty cell means that the user agent is unknown, not that the browser sent none.
        let user_agent = user_agent.map(|column| row.text(column)).filter(|text| !text.is_empty());
        let bot = user_agent.and_then(|text| settings.bots.reason(text));
        let label = judge(settings, columns, row)?;
        let added = added_cells(&label, bot.unwrap_or_default());
        answer.row(row.cells().chain(added.iter().map(String::as_str)))
    })?;
    output.write_all(&answer.finish()?).context("cannot write to standard output")
}

/// Labels a row.
fn judge(settings: &Settings, columns: [Option<Column>; 6], row: Row<'_>) -> Result<Label> {
    let text = |column: Option<Column>| column.map_or("", |column| row.text(column));
    let [url, referrer, user_agent, source, medium, campaign] = columns.map(text);
    let [url, referrer] = [url, referrer].map(|text| if is_nothing(text) { "" } else { text });
    let dimensions = [source, medium, campaign];
    let [source, medium, campaign] = dimensions.map(|text| if is_null(text) { "" } else { text });
    let resolved = [source, medium, campaign].iter().any(|text| !text.is_empty());
    if url.is_empty() && (resolved || referrer.is_empty()) {
        return Ok(settings.rules.label_resolved(source, medium, campaign));
    }
    let page = address(url).with_context(|| format!("url `{}` is not valid", shortened(url)))?;
    let host = page.host_str().unwrap_or_default();
    let sites = &settings.config.sites;
    let site = sites.iter().find(|site| OwnHosts::new(names(&site.hosts)).contain(host));
    let own = site.map_or(&[][..], |site| &site.hosts);
    let own = OwnHosts::new(names(own).chain([host]));
    let referrer = referring(referrer);
    let evidence = settings.rules.evidence(&page, &referrer, user_agent);
    let internal_tags = site.map(|site| site.internal_tags).unwrap_or_default();
    Ok(settings.rules.label(&evidence, page.as_str(), &own, internal_tags))
}

/// Whether a cell holds what databases write for a missing value.
fn is_null(text: &str) -> bool {
    text.eq_ignore_ascii_case("null") || text.eq_ignore_ascii_case("undefined")
}

/// Whether a url or referrer is missing; includes what analytics tools write in that case.
fn is_nothing(text: &str) -> bool {
    is_null(text) || matches!(text, "-" | "(not set)" | "(none)" | "(direct)")
}

/// Reads a referrer as other tools export it: a URL, or only its host.
fn referring(text: &str) -> Cow<'_, str> {
    let bare = text.trim_start_matches('/');
    let host = bare.split(['/', '?']).next().unwrap_or_default();
    match !text.contains("://") && host.contains('.') && !host.contains(char::is_whitespace) {
        true => Cow::Owned(format!("https://{bare}")),
        false => Cow::Borrowed(text),
    }
}

fn names(hosts: &[String]) -> impl Iterator<Item = &str> {
    hosts.iter().map(String::as_str)
}

/// Reads a URL as logs have it: with or without scheme, with or without host.
fn address(text: &str) -> Option<Url> {
    if let Ok(url) = Url::parse(text) {
        // `localhost:3000/x` also parses, with `localhost` as its scheme; so does `about:blank`,
        // which is not a page of a site.
        let is_port = text.split_once(':').is_some_and(|(_, behind)| behind.starts_with(is_digit));
        if url.has_host() || !is_port {
            return Some(url).filter(Url::has_host);
        }
    }
    // A path without a host gets a host that cannot exist.
    let nowhere = Url::parse("https://page.invalid/").ok()?;
    match text.starts_with(['/', '?', '#']) || text.is_empty() {
        true => nowhere.join(text).ok(),
        false if text.contains("://") => None,
        false => Url::parse(&format!("https://{text}")).ok(),
    }
}

fn is_digit(letter: char) -> bool {
    letter.is_ascii_digit()
}

/// The cells that are added to a row.
fn added_cells(label: &Label, bot: &str) -> [String; 9] {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let click_id = label.click_id.as_ref().map(|id| match id.value.is_empty() {
        true => id.name.clone(),
        false => format!("{}={}", id.name, id.value),
    });
    [
        label.source.clone(),
        label.medium.clone(),
        text(&label.campaign),
        label.term.as_ref().or(label.keyword.as_ref()).cloned().unwrap_or_default(),
        text(&label.content),
        label.channel.as_str().to_owned(),
        click_id.unwrap_or_default(),
        bot.to_owned(),
        label.rule.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(input: &[u8]) -> Result<String, String> {
        let settings = Settings::new(Config::parse("", &[]).unwrap()).unwrap();
        let mut output = Vec::new();
        let answered = answer(&settings, input, &mut output);
        let output = String::from_utf8(output).unwrap();
        match answered {
            Ok(()) => Ok(output),
            Err(error) => {
                assert_eq!(output, "", "something was written before `{error:#}`");
                Err(format!("{error:#}"))
            }
        }
    }

    /// Checks the cells that are added to one row.
    fn check(header: &str, row: &str, expected: &str) {
        let answer = answered(format!("{header}\n{row}\n").as_bytes()).unwrap();
        let lines: Vec<&str> = answer.lines().collect();
        assert_eq!(lines, [format!("{header},{}", ADDED.join(",")), format!("{row},{expected}")]);
    }

    fn check_error(input: &[u8], expected: &str) {
        let error = answered(input).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn rows() {
        check(
            "url",
            "https://a.example/?gclid=Ab",
            "google,cpc,,,,paid_search,gclid=Ab,,click_id:gclid/paid_search",
        );
        check(
            "url,referrer",
            "https://a.example/,https://b.a.example/",
            "(direct),(none),,,,direct,,,own:b.a.example/direct",
        );
        check(
            "referrer",
            "https://www.google.fr/search?q=Shoes",
            "google,organic,,shoes,,organic_search,,,referrer:google.*/organic_search",
        );
        check(
            "url,referrer",
            "/pricing?utm_source=a&utm_medium=email,",
            "a,email,,,,email,,,tags/email",
        );
        check(
            "url,referrer",
            "www.a.example/?x=1,https://a.example/",
            "(direct),(none),,,,direct,,,own:a.example/direct",
        );
        check(
            "url",
            "https://a.example/?utm_source=a&utm_medium=b&utm_campaign=C&utm_term=D&utm_content=E&_hsenc=x",
            "a,b,C,D,E,other,_hsenc,,tags/other",
        );
        check(
            "source,medium,campaign",
            "Google,CPC,Spring",
            "google,cpc,Spring,,,paid_search,,,resolved/paid_search",
        );
        check(
            "SOURCE, Medium",
            "shop.app,referral",
            "shop,referral,,,,organic_shopping,,,resolved/organic_shopping",
        );
        check(
            "id,source,url",
            "7,google,https://a.example/",
            "(direct),(none),,,,direct,,,nothing/direct",
        );
        check(
            "url,user_agent",
            "https://a.example/,curl/8.5.0",
            "(direct),(none),,,,direct,,http library: curl,nothing/direct",
        );
        check(
            "url,user_agent",
            "https://a.example/,",
            "(direct),(none),,,,direct,,,nothing/direct",
        );
        check(
            "url,source,medium",
            "null,facebook,cpc",
            "facebook,cpc,,,,paid_social,,,resolved/paid_social",
        );
        check(
            "url,source,medium",
            "(not set),null,NULL",
            "(direct),(none),,,,direct,,,nothing/direct",
        );
        check(
            "source,medium",
            "(not set),(not set)",
            "(not set),(not set),,,,other,,,resolved/other",
        );
        check(
            "referrer",
            "www.google.com",
            "google,organic,,,,organic_search,,,referrer:google.com/organic_search",
        );
        check("referrer", "//t.co/x", "x,social,,,,organic_social,,,referrer:t.co/organic_social");
        check("referrer", "(direct)", "(direct),(none),,,,direct,,,nothing/direct");
        check(
            "url",
            "localhost:3000/?gclid=1",
            "google,cpc,,,,paid_search,gclid=1,,click_id:gclid/paid_search",
        );
        check(
            "url",
            "a.example:8080/?gclid=1",
            "google,cpc,,,,paid_search,gclid=1,,click_id:gclid/paid_search",
        );
        check("url,source", ",", "(direct),(none),,,,direct,,,nothing/direct");
        check("id,url", "-7,https://a.example/", "(direct),(none),,,,direct,,,nothing/direct");
    }

    #[test]
    fn no_cell_is_a_formula() {
        let input = "=id,url\n=1+1,https://a.example/?utm_source=-x&utm_campaign=@y\n";
        let answer = answered(input.as_bytes()).unwrap();
        let (header, row) = answer.split_once('\n').unwrap();
        assert!(header.starts_with("'=id,url,"), "{header}");
        assert!(
            row.starts_with("'=1+1,https://a.example/?utm_source=-x&utm_campaign=@y,'-x,"),
            "{row}"
        );
        assert!(row.contains(",'@y,"), "{row}");
    }

    #[test]
    fn what_cannot_be_read() {
        check_error(b"", "empty");
        check_error(b"path,conversions\na,1\n", "none of the columns url, referrer");
        check_error(b"url,referrer\nhttps://a.example/,\nhttps://a.example/\n", "line 3");
        check_error(
            b"url\nhttps://a.example/\nhttp://[broken/\n",
            "line 3: url `http://[broken/` is not valid",
        );
        check_error(b"url\nhttps://a.example/\xff\n", "line 2");
        check_error(b"url\nmailto:a@b.example\n", "line 2");
        check_error(b"url\nhttps://a.example:99999/\n", "line 2");
        check_error(b"url,url\nhttps://a.example/,\n", "more than one column `url`");
        check_error(b"url\n\"https://a.example/\n", "never closed");
    }
}
