//! The table, and the bounds that a collector has to keep.

use crate::trial::{Percentiles, Trial};
use std::fmt::Write;
use std::time::Duration;

/// Above it a wait counts. Attackers and collector share the machine's cores, which attackers elsewhere
/// would not.
const FLOOR: Duration = Duration::from_millis(20);
const MOST_BYTES: u64 = 512 << 20;
const MOST_LINES_A_MINUTE: u64 = 200;

/// The head of the table.
pub(crate) const HEAD: &str = "| attack | pages p50, p99 (ms): calm → attacked | leads | /readyz | a bare fdatasync | memory (MiB) | disk (MB/s) | log (lines/min) | attackers were answered | person's lead (ms, kB) | person | conversions, webhooks | repeated | lost |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |";

impl Trial {
    /// A row of the table.
    pub(crate) fn row(&self, name: &str) -> String {
        let ended = if self.ended { " (ended)" } else { "" };
        let person = match self.found.changed.is_empty() {
            true => "unchanged".to_owned(),
            false => self.found.changed.join("; "),
        };
        let mut answers = String::new();
        for (status, count) in &self.statuses {
            let status = if *status == 0 { "none".to_owned() } else { status.to_string() };
            let comma = if answers.is_empty() { "" } else { ", " };
            write!(answers, "{comma}{status}: {count}").unwrap();
        }
        format!(
            "| {name} | {} | {} | {} | {} | {}{ended} | {:.1} | {} | {answers} | {:.0}, {} | {person} | {}, {} | {} | {} |",
            waits(self.calm.pages, self.attacked.pages),
            waits(self.calm.leads, self.attacked.leads),
            waits(self.calm.ready, self.attacked.ready),
            waits(self.calm.machine, self.attacked.machine),
            self.peak_bytes >> 20,
            self.disk_bytes as f64 / 1e6 / self.length.as_secs_f64(),
            self.lines_a_minute(),
            ms(self.found.took),
            self.found.bytes / 1_000,
            self.conversions,
            self.webhooks,
            self.repeated,
            self.lost,
        )
    }

    /// The bounds that it broke.
    pub(crate) fn broken(&self) -> Vec<String> {
        let waits = [
            ("pages", self.calm.pages, self.attacked.pages),
            ("leads", self.calm.leads, self.attacked.leads),
            ("/readyz", self.calm.ready, self.attacked.ready),
        ];
        let is_slow =
            |calm: Percentiles, attacked: Percentiles| attacked.p99 > FLOOR.max(calm.p99 * 2);
        let slow = waits.into_iter().filter(|(_, calm, attacked)| is_slow(*calm, *attacked));
        let mut broken: Vec<String> = slow
            .map(|(what, calm, attacked)| {
                format!(
                    "the p99 of {what} rose from {:.1} to {:.1} ms",
                    ms(calm.p99),
                    ms(attacked.p99)
                )
            })
            .collect();
        let mut check = |is_broken: bool, bound: String| {
            if is_broken {
                broken.push(bound);
            }
        };
        check(self.ended, "the collector ended".into());
        let mib = self.peak_bytes >> 20;
        check(self.peak_bytes > MOST_BYTES, format!("{mib} MiB of memory"));
        check(self.lost > 0, format!("{} events and leads are lost", self.lost));
        check(
            !self.found.changed.is_empty(),
            format!("the person: {}", self.found.changed.join("; ")),
        );
        let lines = self.lines_a_minute();
        check(lines > MOST_LINES_A_MINUTE, format!("{lines} lines a minute in the log"));
        broken
    }

    fn lines_a_minute(&self) -> u64 {
        self.lines * 60 / self.length.as_secs().max(1)
    }
}

fn waits(calm: Percentiles, attacked: Percentiles) -> String {
    let text = |times: Percentiles| format!("{:.1}, {:.1}", ms(times.p50), ms(times.p99));
    format!("{} → {}", text(calm), text(attacked))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
