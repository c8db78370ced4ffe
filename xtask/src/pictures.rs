//! `cargo xtask pictures`: takes the screenshots in `docs/images`, with the browser test.

use crate::install::Consent;
use crate::{shell, test};
use anyhow::Result;
use std::fs;

/// Walks the main job in the browser and keeps a picture of each page.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (consent, _) = Consent::take(arguments);
    let folder = shell::root().join("docs/images");
    fs::create_dir_all(&folder)?;
    let folder = folder.display().to_string();
    test::tests(&["journey::sled::from"], &[("CLEW_SCREENSHOTS", &folder)], consent)
}
