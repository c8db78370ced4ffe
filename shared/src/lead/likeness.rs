//! Likenesses: what two leads have in common that may make them one person. They only suggest a
//! merge; nothing is merged because of them.

use super::contact::Contact;
use super::identity::IdentityKind;
use crate::ids::LeadId;
use icu_normalizer::ComposingNormalizerBorrowed;
use serde::{Deserialize, Serialize};

/// Shorter names before the `@` say too little about who someone is.
const MAILBOX_CHARS: usize = 6;
/// Shorter names without spaces do too.
const UNSPACED_CHARS: usize = 3;
/// Mailboxes of a role, which many people share.
const ROLES: [&str; 20] = [
    "account",
    "accounts",
    "accounting",
    "admin",
    "billing",
    "career",
    "careers",
    "contact",
    "enquiries",
    "feedback",
    "inquiry",
    "kontakt",
    "marketing",
    "newsletter",
    "noreply",
    "office",
    "postmaster",
    "reception",
    "service",
    "support",
];

/// What two leads have in common.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum LikeBy {
    /// Both converted in the same visit of one browser.
    Visit,
    /// The name.
    Name,
    /// The part of the e-mail address before the `@`, but for separators, doubled letters and the
    /// order of letters.
    Email,
    /// The phone number.
    Phone,
}

/// An older lead that may be the same person.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Likeness {
    /// The other lead.
    pub lead: LeadId,
    /// What they have in common.
    pub by: LikeBy,
}

impl Contact {
    /// The keys by which leads of the same person are likely to meet, and what each stands for.
    pub fn likenesses(&self) -> impl Iterator<Item = (IdentityKind, String, LikeBy)> {
        let name = self.full_name.as_deref().and_then(name_key);
        let mailbox = self.email.as_deref().and_then(mailbox_key);
        let name = name.map(|key| (IdentityKind::Name, key, LikeBy::Name));
        name.into_iter().chain(mailbox.map(|key| (IdentityKind::Mailbox, key, LikeBy::Email)))
    }
}

/// The words of a name in alphabetical order; `None` if it is only one word. Names in scripts
/// without spaces keep their order.
fn name_key(name: &str) -> Option<String> {
    let name = ComposingNormalizerBorrowed::new_nfkc().normalize(name).to_lowercase();
    let mut words: Vec<&str> =
        name.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if words.iter().all(|word| word.chars().all(is_unspaced)) {
        let name = words.concat();
        return (name.chars().count() >= UNSPACED_CHARS).then_some(name);
    }
    words.sort_unstable();
    words.dedup();
    (words.len() > 1).then(|| words.join(" "))
}

/// The letters before the `@`, sorted, each run of a letter once; `None` if they are too few or
/// name a role.
fn mailbox_key(email: &str) -> Option<String> {
    let (mailbox, _) = email.rsplit_once('@')?;
    let mailbox = mailbox.split_once('+').map_or(mailbox, |(mailbox, _)| mailbox).to_lowercase();
    let mut chars: Vec<char> = mailbox.chars().filter(|char| char.is_alphanumeric()).collect();
    let joined: String = chars.iter().collect();
    if chars.len() < MAILBOX_CHARS || ROLES.contains(&joined.as_str()) {
        return None;
    }
    chars.dedup();
    chars.sort_unstable();
    Some(chars.into_iter().collect())
}

/// Whether names in the character's script are written without spaces: Han, kana, Hangul.
fn is_unspaced(char: char) -> bool {
    matches!(char, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: fn(&str) -> Option<String>, one: &str, other: &str, meet: bool) {
        let keys = (key(one), key(other));
        assert_eq!(keys.0.is_some() && keys.0 == keys.1, meet, "{one} {other} {keys:?}");
    }

    #[test]
    fn names_that_meet() {
        let check = |one, other, meet| check(name_key, one, other, meet);
        check("Anna Meyer", "meyer, ANNA", true);
        check("Ａｎｎａ Meyer", "Anna  Meyer", true);
        check("Anna Meyer", "Anna Maria Meyer", false);
        check("山田 太郎", "山田太郎", true);
        check("山田 太郎", "太郎 山田", false);
        check("김 민준", "김민준", true);
        // One word, or one word twice, is not a full name.
        check("Anna", "Anna", false);
        check("test test", "test test", false);
        check("李", "李", false);
    }

    #[test]
    fn mailboxes_that_meet() {
        let check = |one, other, meet| check(mailbox_key, one, other, meet);
        check("anna.meyer@example.com", "annameyer@gmail.test", true);
        check("anna.meyer@example.com", "anna.meyer+news@example.com", true);
        check("anna.meyer@example.com", "ana.meyer@example.com", true);
        check("anna.meyer@example.com", "anna.meyre@example.com", true);
        check("anna.meyer@example.com", "anna.meier@example.com", false);
        check("info@example.com", "info@example.net", false);
        check("support@example.com", "support@example.net", false);
        check("a.b@example.com", "ab@example.net", false);
    }
}
