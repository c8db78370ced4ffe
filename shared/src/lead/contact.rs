//! Contacts: validates what a form says about a person, and derives the identities by which that
//! person is found again.

use super::phone::{self, Country};
use crate::limits;
use serde::{Deserialize, Serialize};

/// The person who converted, as the form reported them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Contact {
    /// As typed and trimmed; the domain in lower case and punycode.
    pub email: Option<String>,
    /// E.164 if its country is known; otherwise as typed.
    pub phone: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// The full name; built from first and last name if absent.
    pub full_name: Option<String>,
    /// Company.
    pub company: Option<String>,
    /// Job title.
    pub job_title: Option<String>,
}

/// Why a contact was refused. The message says what to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ContactError {
    /// Neither e-mail nor phone.
    #[error("contact needs an email or a phone, so that the person can be found again")]
    Nobody,
    /// The e-mail is not of the form `name@domain`.
    #[error("contact.email is not an e-mail address; use the form name@example.com")]
    Email,
    /// The phone has no digits.
    #[error("contact.phone has no digits; send a phone number or leave it out")]
    Phone,
    /// A value is longer than `limits::TEXT_BYTES` (`limits::EMAIL_BYTES` for an e-mail).
    #[error("a value in contact is too long; use at most 512 bytes, 254 for the email")]
    TooLong,
}

impl Contact {
    /// Trims values, drops empty ones, and validates e-mail and phone. A phone number without a
    /// country code is read as one of `country`. Normalising the result again changes nothing.
    ///
    /// # Errors
    /// [`ContactError`], which names the invalid field.
    pub fn normalised(self, country: Option<Country>) -> Result<Self, ContactError> {
        let mut contact = Self {
            email: trimmed(self.email)?,
            phone: trimmed(self.phone)?,
            first_name: trimmed(self.first_name)?,
            last_name: trimmed(self.last_name)?,
            full_name: trimmed(self.full_name)?,
            company: trimmed(self.company)?,
            job_title: trimmed(self.job_title)?,
        };
        if let Some(email) = &contact.email {
            contact.email = Some(normal_email(email)?);
        }
        if let Some(phone) = contact.phone {
            if !phone.chars().any(phone::is_digit) {
                return Err(ContactError::Phone);
            }
            contact.phone = Some(phone::e164(&phone, country).unwrap_or(phone));
        }
        if contact.full_name.is_none() {
            let names = [contact.first_name.as_deref(), contact.last_name.as_deref()];
            let names: Vec<&str> = names.into_iter().flatten().collect();
            contact.full_name = (!names.is_empty()).then(|| names.join(" "));
        }
        match contact.email.is_none() && contact.phone.is_none() {
            true => Err(ContactError::Nobody),
            false => Ok(contact),
        }
    }

    /// Overwrites with every value that the newer contact has.
    pub fn take(&mut self, newer: Self) {
        let take = |mine: &mut Option<String>, theirs: Option<String>| {
            if theirs.is_some() {
                *mine = theirs;
            }
        };
        take(&mut self.email, newer.email);
        take(&mut self.phone, newer.phone);
        take(&mut self.first_name, newer.first_name);
        take(&mut self.last_name, newer.last_name);
        take(&mut self.full_name, newer.full_name);
        take(&mut self.company, newer.company);
        take(&mut self.job_title, newer.job_title);
    }

    /// Takes only values that are still missing.
    pub fn fill(&mut self, newer: Self) {
        let known = std::mem::replace(self, newer);
        self.take(known);
    }

    /// The person's identities, strongest first: the e-mail in lower case, then the phone if it is
    /// E.164. A number kept as typed is not an identity.
    pub fn identities(&self) -> impl Iterator<Item = (IdentityKind, String)> + '_ {
        let email = self.email.as_ref().map(|email| (IdentityKind::Email, email.to_lowercase()));
        let phone = self.phone.as_ref().filter(|phone| phone::is_e164(phone));
        email.into_iter().chain(phone.map(|phone| (IdentityKind::Phone, phone.clone())))
    }
}

impl Contact {
    /// Whether the two contacts have an identity in common.
    pub fn shares_identity(&self, other: &Self) -> bool {
        self.identities().any(|mine| other.identities().any(|theirs| mine == theirs))
    }
}

/// Normalises an e-mail address to the form in [`Contact::identities`]; `None` if it is not valid.
pub fn email_identity(email: &str) -> Option<String> {
    normal_email(email.trim()).ok().map(|email| email.to_lowercase())
}

fn trimmed(value: Option<String>) -> Result<Option<String>, ContactError> {
    let Some(value) = value else { return Ok(None) };
    let text = value.trim();
    if text.len() > limits::TEXT_BYTES {
        return Err(ContactError::TooLong);
    }
    let visible: String = text.chars().filter(|character| !character.is_control()).collect();
    let visible = visible.trim();
    Ok((!visible.is_empty()).then(|| visible.to_owned()))
}

/// Dots and `+tags` of the local part stay: whether they matter depends on the mail server.
fn normal_email(email: &str) -> Result<String, ContactError> {
    if email.len() > limits::EMAIL_BYTES {
        return Err(ContactError::TooLong);
    }
    // An address pasted from a page may have these around it.
    let invisible = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}');
    let visible: String = email.chars().filter(|character| !invisible(*character)).collect();
    let (local, domain) = visible.trim().rsplit_once('@').ok_or(ContactError::Email)?;
    let domain = idna::domain_to_ascii(domain).map_err(|_| ContactError::Email)?;
    let normal = format!("{local}@{}", domain.trim_end_matches('.'));
    if normal.len() > limits::EMAIL_BYTES {
        return Err(ContactError::TooLong);
    }
    // As for public e-mail: a domain with a dot, no IP address, no display name.
    let options = email_address::Options::default()
        .with_required_tld()
        .without_domain_literal()
        .without_display_text();
    match email_address::EmailAddress::parse_with_options(&normal, options) {
        Ok(_) => Ok(normal),
        Err(_) => Err(ContactError::Email),
    }
}

/// The kinds of identity that find a lead.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// An e-mail address in lower case.
    Email,
    /// An E.164 phone number.
    Phone,
    /// A CRM record: `provider:type:id`.
    CrmRecord,
    /// A deal: `provider:id`.
    Deal,
}

impl IdentityKind {
    /// The name used in keys and rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::CrmRecord => "crm",
            Self::Deal => "deal",
        }
    }

    /// Parses the name.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Email, Self::Phone, Self::CrmRecord, Self::Deal];
        all.into_iter().find(|kind| kind.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn contact(email: &str, phone: &str) -> Contact {
        let text = |text: &str| Some(text.to_owned());
        Contact { email: text(email), phone: text(phone), ..Contact::default() }
    }

    /// An e-mail as typed, as it is kept, and as it is found by.
    fn check(typed: &str, expected: Result<(&str, &str), ContactError>) {
        let normal = contact(typed, "").normalised(None);
        let found = normal.map(|contact| {
            let (_, identity) = contact.identities().next().unwrap();
            (contact.email.unwrap(), identity)
        });
        let kept = found.as_ref().map(|(kept, by)| (kept.as_str(), by.as_str()));
        assert_eq!(kept.map_err(|error| *error), expected, "{typed}");
        assert_eq!(email_identity(typed), found.ok().map(|(_, by)| by), "{typed}");
    }

    #[test]
    fn emails() {
        check(" Lead@EXAMPLE.com ", Ok(("Lead@example.com", "lead@example.com")));
        check("\tlead@example.com\r\n", Ok(("lead@example.com", "lead@example.com")));
        check("\u{a0}lead@example.com\u{200b}", Ok(("lead@example.com", "lead@example.com")));
        check("lead@example.com.", Ok(("lead@example.com", "lead@example.com")));
        // nothing is folded that another person might have
        check("Lead+tag@example.com", Ok(("Lead+tag@example.com", "lead+tag@example.com")));
        check("l.e.ad@gmail.com", Ok(("l.e.ad@gmail.com", "l.e.ad@gmail.com")));
        check("lead@googlemail.com", Ok(("lead@googlemail.com", "lead@googlemail.com")));
        // one domain, however it is written
        let punycode = Ok(("lead@xn--bcher-kva.example", "lead@xn--bcher-kva.example"));
        check("lead@BÜCHER.example", punycode);
        check("lead@bücher.example", punycode);
        check("lead@bu\u{308}cher.example", punycode);
        check("lead@xn--bcher-kva.example", punycode);
        check("lead@bücher。example", punycode);
        check("Jörg@example.com", Ok(("Jörg@example.com", "jörg@example.com")));
        check("O'Neill@example.com", Ok(("O'Neill@example.com", "o'neill@example.com")));
        for bad in [
            "nobody",
            "a@b@c",
            "a@b",
            "a@[127.0.0.1]",
            "@example.com",
            "lead@",
            "lead @example.com",
            "lead@exam ple.com",
            "lead@example..com",
            "lead@.example.com",
            "lead..x@example.com",
            "lead@example.com, other@example.com",
            "Lead <lead@example.com>",
            "lead@-x.example",
        ] {
            check(bad, Err(ContactError::Email));
        }
        check(&format!("{}@example.com", "x".repeat(300)), Err(ContactError::TooLong));
        // 250 bytes, and more in punycode
        let long = format!("lead@{}example", "bücher.".repeat(29));
        assert!(long.len() <= limits::EMAIL_BYTES);
        check(&long, Err(ContactError::TooLong));
    }

    #[test]
    fn who_is_nobody() {
        let refused = |email, phone| contact(email, phone).normalised(None).err();
        assert_eq!(refused(" ", "\u{1}"), Some(ContactError::Nobody));
        assert_eq!(refused("", "call me"), Some(ContactError::Phone));
        for phone in ["01 42 68 53 00", "+999 12345678", "+99912345678"] {
            let typed = contact("", phone).normalised(None).unwrap();
            assert_eq!((typed.phone.as_deref(), typed.identities().count()), (Some(phone), 0));
        }
    }

    #[test]
    fn names_are_joined_and_newer_values_win() {
        let contact = |email: &str, first: Option<&str>| Contact {
            email: Some(email.to_owned()),
            first_name: first.map(str::to_owned),
            last_name: Some("Last".to_owned()),
            ..Contact::default()
        };
        let mut known = contact("a@example.com", Some("First")).normalised(None).unwrap();
        assert_eq!(known.full_name.as_deref(), Some("First Last"));
        known.take(contact("B@example.com", None));
        let mut filled = known.clone();
        filled.fill(Contact {
            company: Some("Example".to_owned()),
            ..contact("c@example.com", Some("Other"))
        });
        assert_eq!(
            (filled.email, filled.first_name),
            (known.email.clone(), known.first_name.clone())
        );
        assert_eq!(filled.company.as_deref(), Some("Example"));
        assert_eq!(
            (known.email.as_deref(), known.first_name.as_deref()),
            (Some("B@example.com"), Some("First"))
        );
        assert_eq!(
            known.identities().collect::<Vec<_>>(),
            [(IdentityKind::Email, "b@example.com".to_owned())]
        );
    }

    proptest! {
        /// Whatever is typed: no panic, and what comes out stays as it is.
        #[test]
        fn once_is_enough(
            email in prop_oneof![".*", "[a-zA-Zü.+]{1,9}@[a-zÜß。.-]{1,20}\\.[a-z]{2}"],
            phone in prop_oneof![".*", "[+(]?[0-9０-９ ()/.x#;a-f-]{0,25}"],
            country in prop_oneof![Just("-"), Just("FR"), Just("US"), Just("IT")],
        ) {
            let country = Country::parse(country);
            for contact in [contact(&email, ""), contact("", &phone)] {
                if let Ok(normal) = contact.normalised(country) {
                    prop_assert_eq!(normal.clone().normalised(country), Ok(normal.clone()));
                }
            }
        }
    }
}
