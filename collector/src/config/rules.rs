//! `[rules]`: an operator's additions to the rules that label page views.

use anyhow::{Context, Result};
use serde::Deserialize;
use shared::bot::Bots;
use shared::channel::custom::{ChannelRule, ChannelRules};
use shared::source::{Additions, Rules};
use std::path::{Path, PathBuf};

/// Additions to the rules; docs/sources.md describes the files.
#[derive(Clone, PartialEq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesConfig {
    /// Files with additional sources.
    #[serde(default)]
    pub sources: Vec<PathBuf>,
    /// Files with additional click ids.
    #[serde(default)]
    pub click_ids: Vec<PathBuf>,
    /// Files with additional words that identify bots' user agents.
    #[serde(default)]
    pub bots: Vec<PathBuf>,
    /// Channel rules that are applied before Google's.
    #[serde(default)]
    pub channels: Vec<ChannelRule>,
}

impl RulesConfig {
    /// Makes file names relative to the configuration's folder.
    pub(super) fn resolve(&mut self, folder: &Path) {
        for file in self.sources.iter_mut().chain(&mut self.click_ids).chain(&mut self.bots) {
            *file = folder.join(&*file);
        }
    }

    /// Reads the files and builds the rules.
    ///
    /// # Errors
    /// If a file or rule is not valid; the error names the file and line, or the rule.
    pub fn read(&self) -> Result<Rules> {
        let additions = Additions {
            sources: texts(&self.sources)?,
            click_ids: texts(&self.click_ids)?,
            channels: ChannelRules::new(self.channels.clone()).map_err(wrong)?,
        };
        Rules::with(additions).map_err(wrong)
    }

    /// Reads the files and builds the bot detection.
    ///
    /// # Errors
    /// If a file is not valid; the error names the file and line.
    pub fn read_bots(&self) -> Result<Bots> {
        let mut all = String::new();
        for (name, text) in texts(&self.bots)? {
            // Each file is checked on its own, so that the error has the file's line number.
            Bots::with(&text).map_err(|error| wrong(format!("{name}, {error}")))?;
            all.push_str(&text);
            all.push('\n');
        }
        Bots::with(&all).map_err(wrong)
    }
}

/// Reads files; returns their names and texts.
fn texts(files: &[PathBuf]) -> Result<Vec<(String, String)>> {
    let read = |file: &PathBuf| {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file);
        let text = text.with_context(|| format!("rules: {name} cannot be read"))?;
        Ok((name, text))
    };
    files.iter().map(read).collect()
}

fn wrong(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("rules: {error}")
}
