//! Progress of long work, on a terminal's standard error; nothing where that is no terminal.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// Of so many of something.
pub(crate) fn bar(length: u64, what: &str) -> ProgressBar {
    styled(ProgressBar::new(length), &format!("{{bar:40}} {{pos}} of {{len}} {what}, {{eta}} left"))
}

/// Of a file's bytes.
pub(crate) fn bytes(length: u64, what: &str) -> ProgressBar {
    let template = format!("{what} {{bar:40}} {{bytes}} of {{total_bytes}}, {{eta}} left");
    styled(ProgressBar::new(length), &template)
}

/// Of something whose end is not known.
pub(crate) fn count(what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(200));
    styled(bar, &format!("{{spinner}} {{human_pos}} {what} in {{elapsed}}"))
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        // Progress that looks plain is better than none.
        Err(_) => bar,
    }
}
