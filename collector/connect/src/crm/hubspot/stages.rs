//! Maps HubSpot's lifecycle stages to our stages.

use shared::lifecycle::Stage;
use std::collections::BTreeMap;

/// The default stages of every account, by the values of `lifecyclestage`.
const STAGES: [(&str, Stage); 7] = [
    ("subscriber", Stage::Lead),
    ("lead", Stage::Lead),
    ("marketingqualifiedlead", Stage::Mql),
    ("salesqualifiedlead", Stage::Sql),
    ("opportunity", Stage::Opportunity),
    ("customer", Stage::Customer),
    ("evangelist", Stage::Customer),
];
/// The mapping in force: the configured stages override the defaults.
pub(super) fn all(configured: &BTreeMap<String, Stage>) -> BTreeMap<String, Stage> {
    let usual = STAGES.iter().map(|(word, stage)| ((*word).to_owned(), *stage));
    usual.chain(configured.iter().map(|(word, stage)| (word.clone(), *stage))).collect()
}
