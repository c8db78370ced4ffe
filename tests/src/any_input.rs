//! Checks that must hold for any input, however malformed or hostile: a defined result within the
//! limits, the same result for the same input, and no panic.
//!
//! Tests run them over random bytes; `cargo xtask soak rules` runs them over bytes from a fuzzer.

use shared::bot::Bots;
use shared::device::Device;
use shared::ids::EventId;
use shared::journey::History;
use shared::limits;
use shared::page_view::{PageView, Totals};
use shared::source::{Additions, InternalTags, Label, OwnHosts, Rules};
use shared::visit::{Journey, Trail};
use shared::wire::decode::{Batch, Event};
use std::sync::LazyLock;
use url::Url;

static RULES: LazyLock<Rules> = LazyLock::new(Rules::built_in);
static BOTS: LazyLock<Bots> = LazyLock::new(Bots::built_in);

/// Checks the rules against any bytes. After a leading `T` they are a table as an operator might
/// write it; otherwise they are lines: a referrer, a user agent, then addresses.
pub fn check(data: &[u8]) {
    if let Some((b'T', table)) = data.split_first() {
        return check_table(&String::from_utf8_lossy(table));
    }
    if let Ok(batch) = Batch::parse(data) {
        batch.events.iter().for_each(|raw| drop(Event::parse(raw)));
    }
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    let (referrer, user_agent) =
        (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let stored = shared::wire::encode::cut(user_agent, limits::TEXT_BYTES);
    assert_eq!(BOTS.reason(user_agent), BOTS.reason(stored), "cutting it changed that");
    assert_eq!(Device::of(user_agent), Device::of(stored));
    let own = OwnHosts::new([user_agent, "site.example"]);
    let views: Vec<PageView> =
        lines.enumerate().filter_map(|(index, line)| view(index, line, referrer, &own)).collect();
    let journey = Journey::derive(&views);
    let mut shuffled: Vec<&PageView> = views.iter().rev().collect();
    shuffled.sort_by_key(|view| view.title.len());
    assert_eq!(journey, Journey::derive(shuffled), "the journey depends on the order of arrival");
    let counted: u32 = journey.touches.iter().map(|touch| touch.page_views).sum();
    assert_eq!(counted as usize, views.len());
    let trail = Trail::from_iter(views);
    let history = History::of_visitor(&trail, i64::MAX);
    let whole = history.touches_text(limits::JOURNEY_BYTES);
    assert!((2..=limits::JOURNEY_BYTES).contains(&whole.len()));
}

/// Parses a table. A refusal is fine, a panic is not.
fn check_table(text: &str) {
    let table = vec![("own.csv".to_owned(), text.to_owned())];
    let _ = Rules::with(Additions { sources: table.clone(), ..Additions::default() });
    let _ = Rules::with(Additions { click_ids: table, ..Additions::default() });
    let _ = Bots::with(text);
}

/// A page view whose address is `line`, with a time derived from the line's bytes.
fn view(index: usize, line: &str, referrer: &str, own: &OwnHosts) -> Option<PageView> {
    let [source, medium, campaign] = [referrer, line, line];
    bounded(&RULES.label_resolved(source, medium, campaign));
    let url = Url::parse(line).or_else(|_| Url::parse("https://site.example/")?.join(line)).ok()?;
    let evidence = RULES.evidence(&url, referrer, line);
    let label = RULES.label(&evidence, "", own, InternalTags::Ignore);
    bounded(&label);
    let stored = serde_json::to_string(&evidence).expect("evidence is JSON");
    let stored = serde_json::from_str(&stored).expect("stored evidence can be read");
    assert_eq!(
        label,
        RULES.label(&stored, "", own, InternalTags::Ignore),
        "stored evidence gives another label"
    );
    let clean = RULES.clean_url(&url);
    assert!(clean.len() <= limits::STORED_URL_BYTES);
    let at_ms = line.bytes().fold(index as i64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(i64::from(byte)).rem_euclid(limits::DAY_MS)
    });
    let totals = Totals { engaged_ms: line.len() as u32, active_at_ms: at_ms, ..Totals::default() };
    Some(PageView {
        id: EventId::new(at_ms, [index as u8; 10]),
        at_ms,
        received_at_ms: at_ms,
        url: clean,
        title: line.to_owned(),
        totals,
        evidence,
        label,
        rules: RULES.hash(),
        bot: None,
    })
}

fn bounded(label: &Label) {
    let texts = [&label.campaign, &label.term, &label.content, &label.keyword, &label.campaign_id];
    for text in texts.into_iter().flatten() {
        assert!(!text.is_empty());
    }
    assert!(!label.source.is_empty() && !label.medium.is_empty() && label.rule.contains('/'));
    let id = label.click_id.as_ref();
    assert!(id.is_none_or(|id| id.value.len() <= limits::CLICK_ID_BYTES));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes(data in proptest::collection::vec(any::<u8>(), 0..400)) {
            super::check(&data);
        }

        #[test]
        fn lines_that_look_like_addresses(
            lines in proptest::collection::vec("(https?://|android-app://|)[a-z0-9.:@%-]{0,20}/?[?#]?((utm_source|utm_medium|gclid|q|ref|pk_source)=[a-zA-Z0-9%+.&]{0,12}){0,3}", 0..8)
        ) {
            super::check(lines.join("\n").as_bytes());
        }

        #[test]
        fn lines_that_look_like_rows(rows in proptest::collection::vec("[a-z]{1,4},(search|email|paid|noise|x),[a-z=*./:%, ]{0,20}(,[a-z:0-9 ]{0,6}){0,2}", 0..4)) {
            super::check(format!("T{}", rows.join("\n")).as_bytes());
        }
    }
}
