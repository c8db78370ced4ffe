//! Contacts: validates what a form says about a person, and derives the identities by which that
//! person is found again.

use super::name;
use super::phone::{self, Country};
use crate::limits;
use crate::wire::encode::cut;
use icu_normalizer::ComposingNormalizerBorrowed;
use serde::{Deserialize, Serialize};

/// What pasted links begin with.
const MAILTO: &str = "mailto:";
/// Carriers whose customers still have addresses that the standard forbids.
const ODD_CARRIERS: [&str; 3] = ["docomo.ne.jp", "ezweb.ne.jp", "au.com"];

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
    /// First name in kana.
    pub first_name_kana: Option<String>,
    /// Last name in kana.
    pub last_name_kana: Option<String>,
    /// Company.
    pub company: Option<String>,
    /// Job title.
    pub job_title: Option<String>,
}

/// A contact as it can be used, and the values that could not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NormalContact {
    /// What can be used.
    pub contact: Contact,
    /// The rest, as typed.
    pub raw: Vec<RawValue>,
}

/// A value of a contact that could not be used as it was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RawValue {
    /// The member: `email`, `phone`, `company`, …
    pub member: String,
    /// The value as typed, at most `limits::RAW_BYTES`.
    pub value: String,
    /// Why it could not be used.
    pub reason: RawReason,
}

/// Why a value could not be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum RawReason {
    /// It is not an e-mail address.
    NotAnEmail,
    /// It has no digits.
    NoDigits,
    /// It is longer than `limits::TEXT_BYTES` (`limits::EMAIL_BYTES` for an e-mail). Texts are cut.
    TooLong,
}

impl RawReason {
    /// What it means for the member, as the end of a sentence about the value.
    pub fn as_sentence(self) -> &'static str {
        match self {
            Self::NotAnEmail => "is not an e-mail address; it was kept as typed",
            Self::NoDigits => "has no digits; it was kept as typed",
            Self::TooLong => "is too long; it was cut, and kept as typed beside",
        }
    }
}

/// Why a contact was refused. The message says what to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ContactError {
    /// Neither e-mail nor phone.
    #[error("contact needs an email or a phone, so that the person can be found again")]
    Nobody,
    /// The only value that could name somebody is not an e-mail address of the form `name@domain`.
    #[error("contact.email is not an e-mail address; use the form name@example.com")]
    Email,
    /// The only value that could name somebody is a phone without digits.
    #[error("contact.phone has no digits; send a phone number or leave it out")]
    Phone,
    /// The only value that could name somebody is an e-mail longer than `limits::EMAIL_BYTES`.
    #[error("contact.email is too long; use at most 254 bytes")]
    TooLong,
}

impl Contact {
    /// Trims values, drops empty ones, and reads e-mail and phone. A phone number without a
    /// country code is read as one of `country`. What cannot be used is kept as typed. Normalising
    /// the result again changes nothing.
    ///
    /// # Errors
    /// [`ContactError`] if nothing in it names a person.
    pub fn normalised(self, country: Option<Country>) -> Result<NormalContact, ContactError> {
        let mut raw = Vec::new();
        let mut text = |member, value| trimmed(member, value, &mut raw);
        let mut contact = Self {
            first_name: text("first_name", self.first_name),
            last_name: text("last_name", self.last_name),
            full_name: text("full_name", self.full_name),
            first_name_kana: text("first_name_kana", self.first_name_kana),
            last_name_kana: text("last_name_kana", self.last_name_kana),
            company: text("company", self.company),
            job_title: text("job_title", self.job_title),
            phone: text("phone", self.phone),
            email: None,
        };
        let mut error = ContactError::Nobody;
        if let Some(email) = self.email.filter(|email| !visible(email).is_empty()) {
            match normal_email(&email) {
                Ok(email) => contact.email = Some(email),
                Err(reason) => {
                    error = match reason {
                        RawReason::TooLong => ContactError::TooLong,
                        _ => ContactError::Email,
                    };
                    raw.push(RawValue::new("email", &email, reason));
                }
            }
        }
        match contact.phone.take() {
            Some(phone) if phone.chars().any(phone::is_digit) => {
                contact.phone = Some(phone::e164(&phone, country).unwrap_or(phone));
            }
            Some(phone) => {
                raw.push(RawValue::new("phone", &phone, RawReason::NoDigits));
                error = if error == ContactError::Nobody { ContactError::Phone } else { error };
            }
            None => {}
        }
        if contact.full_name.is_none() {
            contact.full_name =
                name::full(contact.first_name.as_deref(), contact.last_name.as_deref());
        }
        match contact.email.is_none() && contact.phone.is_none() {
            true => Err(error),
            false => Ok(NormalContact { contact, raw }),
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
        take(&mut self.first_name_kana, newer.first_name_kana);
        take(&mut self.last_name_kana, newer.last_name_kana);
        take(&mut self.company, newer.company);
        take(&mut self.job_title, newer.job_title);
    }

    /// Takes only values that are still missing.
    pub fn fill(&mut self, newer: Self) {
        let known = std::mem::replace(self, newer);
        self.take(known);
    }

    /// The values that it has, by member.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("email", &self.email),
            ("phone", &self.phone),
            ("first_name", &self.first_name),
            ("last_name", &self.last_name),
            ("full_name", &self.full_name),
            ("first_name_kana", &self.first_name_kana),
            ("last_name_kana", &self.last_name_kana),
            ("company", &self.company),
            ("job_title", &self.job_title),
        ];
        all.into_iter().filter_map(|(member, value)| Some((member, value.as_deref()?)))
    }

    /// The person's identities, strongest first: the e-mail in lower case, then the phone if it is
    /// E.164. A number kept as typed is not an identity, nor is a service number or a filler.
    pub fn identities(&self) -> impl Iterator<Item = (IdentityKind, String)> + '_ {
        let email = self.email.as_ref().map(|email| (IdentityKind::Email, email.to_lowercase()));
        let phone = self.phone.as_ref();
        let phone = phone.filter(|phone| phone::is_e164(phone) && !phone::is_nobodys(phone));
        email.into_iter().chain(phone.map(|phone| (IdentityKind::Phone, phone.clone())))
    }
}

impl Contact {
    /// Whether the two contacts name the same person. Two different e-mails are two people,
    /// whatever number they share.
    pub fn names_same(&self, other: &Self) -> bool {
        let email = |contact: &Self| contact.email.as_ref().map(|email| email.to_lowercase());
        match (email(self), email(other)) {
            (Some(mine), Some(theirs)) => mine == theirs,
            _ => self.identities().any(|mine| other.identities().any(|theirs| mine == theirs)),
        }
    }
}

impl RawValue {
    fn new(member: &str, value: &str, reason: RawReason) -> Self {
        let value = cut(value, limits::RAW_BYTES).to_owned();
        Self { member: member.to_owned(), value, reason }
    }
}

/// Normalises an e-mail address to the form in [`Contact::identities`]; `None` if it is not valid.
pub fn email_identity(email: &str) -> Option<String> {
    normal_email(email).ok().map(|email| email.to_lowercase())
}

/// A text without what cannot be seen, cut to its limit.
fn trimmed(member: &str, value: Option<String>, raw: &mut Vec<RawValue>) -> Option<String> {
    let text = visible(&value?);
    let cut = cut(&text, limits::TEXT_BYTES).trim_end();
    if cut.len() < text.len() {
        raw.push(RawValue::new(member, &text, RawReason::TooLong));
    }
    (!cut.is_empty()).then(|| cut.to_owned())
}

/// A text with composed letters (NFC), without control characters, invisible ones, and space
/// around it.
fn visible(text: &str) -> String {
    let is_invisible = |letter: char| {
        letter.is_control() || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    };
    let seen: String = text.chars().filter(|letter| !is_invisible(*letter)).collect();
    ComposingNormalizerBorrowed::new_nfc().normalize(&seen).trim().to_owned()
}

/// Dots and `+tags` of the local part stay: whether they matter depends on the mail server.
fn normal_email(typed: &str) -> Result<String, RawReason> {
    let mut email = visible(typed);
    if email.chars().any(|letter| matches!(letter, '\u{ff01}'..='\u{ff5e}' | '\u{3002}')) {
        // As Japanese keyboards write it.
        email = ComposingNormalizerBorrowed::new_nfkc().normalize(&email).into_owned();
    }
    let is_link = email.get(..MAILTO.len()).is_some_and(|start| start.eq_ignore_ascii_case(MAILTO));
    let email = if is_link { email[MAILTO.len()..].trim() } else { email.as_str() };
    if email.len() > limits::EMAIL_BYTES {
        return Err(RawReason::TooLong);
    }
    let (local, domain) = email.rsplit_once('@').ok_or(RawReason::NotAnEmail)?;
    let domain = idna::domain_to_ascii(domain).map_err(|_| RawReason::NotAnEmail)?;
    let domain = domain.trim_end_matches('.');
    let normal = format!("{local}@{domain}");
    if normal.len() > limits::EMAIL_BYTES {
        return Err(RawReason::TooLong);
    }
    // What is checked has no more of what some carriers allowed and the standard does not.
    let checked = match is_odd_carrier(domain) {
        true => format!("{}@{domain}", standard_dots(local)),
        false => format!("{}@{domain}", standard_letters(local)),
    };
    // As for public e-mail: a domain with a dot, no IP address, no display name.
    let options = email_address::Options::default()
        .with_required_tld()
        .without_domain_literal()
        .without_display_text();
    match email_address::EmailAddress::parse_with_options(&checked, options) {
        Ok(_) => Ok(normal),
        Err(_) => Err(RawReason::NotAnEmail),
    }
}

/// Whether a Japanese carrier gave out addresses with dots in a row or before the `@`.
fn is_odd_carrier(domain: &str) -> bool {
    ODD_CARRIERS.iter().any(|carrier| {
        domain.strip_suffix(carrier).is_some_and(|front| front.is_empty() || front.ends_with('.'))
    })
}

fn standard_dots(local: &str) -> String {
    let parts: Vec<&str> = local.split('.').filter(|part| !part.is_empty()).collect();
    parts.join(".")
}

/// The local part with a plain letter for every letter and mark of other scripts: the crate knows
/// letters, but not the marks that Indian scripts write on them.
fn standard_letters(local: &str) -> String {
    let is_other = |letter: char| !letter.is_ascii() && !letter.is_whitespace();
    local.chars().map(|letter| if is_other(letter) { 'x' } else { letter }).collect()
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
        let normal = contact(typed, "").normalised(None).map(|normal| normal.contact);
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
        // One address, however it is typed.
        check("ju\u{308}rgen@x.example", Ok(("jürgen@x.example", "jürgen@x.example")));
        check("user＠full.example", Ok(("user@full.example", "user@full.example")));
        check("ｕｓｅｒ@full.example", Ok(("user@full.example", "user@full.example")));
        check("mailto:lead@example.com", Ok(("lead@example.com", "lead@example.com")));
        check("उदाहरण.परीक्ष@x.example", Ok(("उदाहरण.परीक्ष@x.example", "उदाहरण.परीक्ष@x.example")));
        // Some Japanese carriers gave out what the standard forbids.
        for odd in ["t..t@docomo.ne.jp", "s.@docomo.ne.jp", ".a@ezweb.ne.jp"] {
            check(odd, Ok((odd, odd)));
        }
        check(&format!("{}@example.com", "x".repeat(300)), Err(ContactError::TooLong));
        // 250 bytes, and more in punycode
        let long = format!("lead@{}example", "bücher.".repeat(29));
        assert!(long.len() <= limits::EMAIL_BYTES);
        check(&long, Err(ContactError::TooLong));
    }

    #[test]
    fn who_is_nobody() {
        let refused = |email, phone| {
            contact(email, phone).normalised(None).map(|normal| normal.contact).err()
        };
        assert_eq!(refused(" ", "\u{1}"), Some(ContactError::Nobody));
        assert_eq!(refused("", "call me"), Some(ContactError::Phone));
        for phone in ["01 42 68 53 00", "+999 12345678", "+99912345678"] {
            let typed = contact("", phone).normalised(None).map(|normal| normal.contact).unwrap();
            assert_eq!((typed.phone.as_deref(), typed.identities().count()), (Some(phone), 0));
        }
    }

    /// What cannot be used is kept, and refuses nothing as long as another value names the person.
    #[test]
    fn one_bad_value_never_costs_the_lead() {
        use RawReason::*;
        let long = "회".repeat(171);
        for (email, phone, company, expected, raw) in [
            (
                "n/a",
                "+33142685300",
                "",
                Ok((None, Some("+33142685300"))),
                &[("email", NotAnEmail)][..],
            ),
            (
                "lead@example.com",
                "없음",
                "",
                Ok((Some("lead@example.com"), None)),
                &[("phone", NoDigits)],
            ),
            (
                "lead@example.com",
                "",
                &long,
                Ok((Some("lead@example.com"), None)),
                &[("company", TooLong)],
            ),
            ("a@b", "", "", Err(ContactError::Email), &[]),
            ("n/a", "n/a", "", Err(ContactError::Email), &[]),
            ("", "-", "", Err(ContactError::Phone), &[]),
            ("", "", "Example", Err(ContactError::Nobody), &[]),
        ] {
            let typed = Contact { company: Some(company.to_owned()), ..contact(email, phone) };
            let normal = typed.normalised(None);
            let found = normal
                .as_ref()
                .map(|normal| (normal.contact.email.as_deref(), normal.contact.phone.as_deref()));
            assert_eq!(found.map_err(|error| *error), expected, "{email} {phone}");
            if let Ok(NormalContact { contact, raw: kept }) = normal {
                let kept: Vec<_> =
                    kept.iter().map(|raw| (raw.member.as_str(), raw.reason)).collect();
                assert_eq!(kept, raw, "{email} {phone}");
                assert!(contact.company.is_none_or(|company| company.len() <= limits::TEXT_BYTES));
            }
        }
    }

    #[test]
    fn two_addresses_are_two_people() {
        for (one, other, expected) in [
            (("a@example.com", ""), ("A@example.com", ""), true),
            (("a@example.com", "+33142685300"), ("b@example.com", "+33142685300"), false),
            (("a@example.com", "+33142685300"), ("", "+33142685300"), true),
            (("", "+8215889999"), ("", "+8215889999"), false),
        ] {
            let contact = |(email, phone)| contact(email, phone).normalised(None).unwrap().contact;
            assert_eq!(contact(one).names_same(&contact(other)), expected, "{one:?} {other:?}");
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
        let mut known = contact("a@example.com", Some("First"))
            .normalised(None)
            .map(|normal| normal.contact)
            .unwrap();
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
                if let Ok(normal) = contact.normalised(country).map(|normal| normal.contact) {
                    prop_assert_eq!(normal.clone().normalised(country).map(|normal| normal.contact), Ok(normal.clone()));
                }
            }
        }
    }
}
