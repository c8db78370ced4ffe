//! Contacts: validates what a form says about a person, and derives the identities by which that
//! person is found again.

use super::email::normal_email;
use super::identity::IdentityKind;
use super::name;
use super::phone::{self, Country};
use super::raw::{RawReason, RawValue};
use super::text::visible;
use crate::limits;
use crate::wire::encode::cut;
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

/// A text without what cannot be seen, cut to its limit.
fn trimmed(member: &str, value: Option<String>, raw: &mut Vec<RawValue>) -> Option<String> {
    let text = visible(&value?);
    let cut = cut(&text, limits::TEXT_BYTES).trim_end();
    if cut.len() < text.len() {
        raw.push(RawValue::new(member, &text, RawReason::TooLong));
    }
    (!cut.is_empty()).then(|| cut.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn contact(email: &str, phone: &str) -> Contact {
        let text = |text: &str| Some(text.to_owned());
        Contact { email: text(email), phone: text(phone), ..Contact::default() }
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
