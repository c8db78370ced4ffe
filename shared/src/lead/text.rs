//! Texts as people type them.

use icu_normalizer::ComposingNormalizerBorrowed;

/// A text with composed letters (NFC), without control characters, invisible ones, and space
/// around it.
pub(super) fn visible(text: &str) -> String {
    let is_invisible = |letter: char| {
        letter.is_control() || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    };
    let seen: String = text.chars().filter(|letter| !is_invisible(*letter)).collect();
    ComposingNormalizerBorrowed::new_nfc().normalize(&seen).trim().to_owned()
}
