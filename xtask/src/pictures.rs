//! `cargo xtask pictures`: takes the screenshots in `docs/images`, with the browser test.

use crate::{shell, test};
use anyhow::Result;
use std::fs;

/// Runs the browser test and saves a screenshot of each page.
pub(crate) fn run(_: &[String]) -> Result<()> {
    let folder = shell::root().join("docs/images");
    fs::create_dir_all(&folder)?;
    let folder = folder.display().to_string();
    test::tests(&["journey::sled::from"], &[("CLEW_SCREENSHOTS", &folder)])
}
