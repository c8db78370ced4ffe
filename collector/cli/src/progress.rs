//! Progress bars on standard error, shown only if it is a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A bar for a known number of items.
pub(crate) fn bar(length: u64, what: &str) -> ProgressBar {
    styled(ProgressBar::new(length), &format!("{{bar:40}} {{pos}} of {{len}} {what}, {{eta}} left"))
}

/// A bar for the bytes of a file.
pub(crate) fn bytes(length: u64, what: &str) -> ProgressBar {
    let template = format!("{what} {{bar:40}} {{bytes}} of {{total_bytes}}, {{eta}} left");
    styled(ProgressBar::new(length), &template)
}

/// A spinner for an unknown number of items.
pub(crate) fn count(what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(200));
    styled(bar, &format!("{{spinner}} {{human_pos}} {what} in {{elapsed}}"))
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        // A plain bar is better than no bar.
        Err(_) => bar,
    }
}
