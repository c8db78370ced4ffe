//! Page views from the field, by kind.

use super::*;
use std::collections::BTreeMap;

/// Checks every row of `field.csv`, and reports all that are wrong.
#[test]
fn page_views_from_the_field() {
    let mut rows = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(include_bytes!("field.csv").as_slice());
    let (mut wrong, mut kinds) = (String::new(), BTreeMap::<String, (u32, u32)>::new());
    for row in rows.records() {
        let row = row.unwrap();
        let cells: Vec<&str> = row.iter().collect();
        let [kind, address, referrer, user_agent, source, medium, channels] = cells[..] else {
            panic!("{row:?}")
        };
        let url = Url::parse(address).unwrap();
        let own = OwnHosts::new(url.host_str());
        let evidence = RULES.evidence(&url, referrer, user_agent);
        let label = RULES.label(&evidence, "", &own, InternalTags::Ignore);
        let is_right = (source.is_empty() || label.source == source)
            && (medium.is_empty() || label.medium == medium)
            && channels.split('|').any(|channel| label.channel.as_str() == channel);
        let counted = kinds.entry(kind.to_owned()).or_default();
        counted.0 += 1;
        counted.1 += u32::from(is_right);
        if !is_right {
            let Label { source, medium, channel, rule, .. } = label;
            wrong +=
                &format!("{row:?}\n    {source} / {medium} / {} by {rule}\n", channel.as_str());
        }
    }
    assert!(wrong.is_empty(), "{wrong}{kinds:?}");
}
