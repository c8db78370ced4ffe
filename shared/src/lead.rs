//! The person: contact, lead, conversion, and how a visitor came to belong to a lead.
//!
//! Plain data that the store keeps; what a conversion does to it is decided in the store's one
//! atomic step, what a reader sees of it is made in [`crate::fields`].

use crate::ids::{ConversionId, LeadId, SiteId, VisitorId};
use crate::limits;
use crate::page_view::PageView;
use crate::visit::Touch;
use serde::{Deserialize, Serialize};

/// Who converted, as the form told it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Contact {
    /// As typed, trimmed, the domain in lower case.
    pub email: Option<String>,
    /// Digits with a leading `+` where it was written so; else as typed.
    pub phone: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// The whole name; made of the two where it is absent.
    pub full_name: Option<String>,
    /// Employer.
    pub company: Option<String>,
    /// Position.
    pub job_title: Option<String>,
}

/// Why a contact was refused; the text says what to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ContactError {
    /// Neither e-mail nor phone.
    #[error("contact needs an email or a phone; without one nobody can be found again")]
    Nobody,
    /// The e-mail has no `name@domain` shape.
    #[error("contact.email is not an e-mail address")]
    Email,
    /// The phone has no digits.
    #[error("contact.phone has no digits")]
    Phone,
    /// A value exceeds `limits::TEXT_BYTES` (254 for an e-mail).
    #[error("a value in contact is too long (at most 512 bytes, 254 for the email)")]
    TooLong,
}

impl Contact {
    /// Trims, drops what is empty, and checks what identifies.
    ///
    /// # Errors
    /// [`ContactError`], with the field at fault.
    pub fn normalised(self) -> Result<Self, ContactError> {
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
        if let Some(phone) = &contact.phone {
            contact.phone = Some(normal_phone(phone)?);
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

    /// Takes every value that the newer contact brings.
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

    /// Takes only the values that are not known yet.
    pub fn fill(&mut self, newer: Self) {
        let known = std::mem::replace(self, newer);
        self.take(known);
    }

    /// What the person can be found by, the stronger first: e-mail in lower case, then the phone
    /// where it is written with its country.
    pub fn identities(&self) -> impl Iterator<Item = (IdentityKind, String)> + '_ {
        let email = self.email.as_ref().map(|email| (IdentityKind::Email, email.to_lowercase()));
        let phone = self.phone.as_ref().filter(|phone| phone.starts_with('+'));
        email.into_iter().chain(phone.map(|phone| (IdentityKind::Phone, phone.clone())))
    }
}

fn trimmed(value: Option<String>) -> Result<Option<String>, ContactError> {
    let Some(value) = value else { return Ok(None) };
    let text = value.trim();
    if text.len() > limits::TEXT_BYTES {
        return Err(ContactError::TooLong);
    }
    let visible: String = text.chars().filter(|character| !character.is_control()).collect();
    Ok((!visible.is_empty()).then_some(visible))
}

fn normal_email(email: &str) -> Result<String, ContactError> {
    if email.len() > 254 {
        return Err(ContactError::TooLong);
    }
    // As public mail goes: a name with a dot behind the @, no address of a machine.
    let options = email_address::Options::default().with_required_tld().without_domain_literal();
    let address = email_address::EmailAddress::parse_with_options(email, options);
    let address = address.map_err(|_| ContactError::Email)?;
    Ok(format!("{}@{}", address.local_part(), address.domain().to_lowercase()))
}

/// E.164 where the country is written (`+` or `00`); else as typed, because guessing a country
/// would join strangers.
///
/// # Errors
/// [`ContactError::Phone`] where there are no digits.
pub fn normal_phone(phone: &str) -> Result<String, ContactError> {
    // `+33 (0)1 …`: the trunk digit in brackets is not dialled from abroad.
    let dialled = phone.replace("(0)", "");
    let digits: String = dialled.chars().filter(char::is_ascii_digit).collect();
    let international = phone.strip_prefix('+').map(|_| digits.as_str());
    let international = international.or_else(|| digits.strip_prefix("00"));
    match international {
        Some(number) if (8..=15).contains(&number.len()) => Ok(format!("+{number}")),
        _ if digits.is_empty() => Err(ContactError::Phone),
        _ => Ok(phone.into()),
    }
}

/// The kinds of things that a lead is found by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// An e-mail address in lower case.
    Email,
    /// An E.164 phone number.
    Phone,
}

impl IdentityKind {
    /// The name in keys and rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Email, Self::Phone].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What kind of act made the conversion.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversionKind {
    /// A form was sent.
    #[default]
    Form,
    /// Somebody rang.
    Call,
    /// A chat.
    Chat,
    /// A booking.
    Booking,
    /// Read from a file.
    Import,
    /// Told by a program.
    Api,
}

/// Whether the journey behind a conversion is known, and if not, why.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JourneyState {
    /// The visitor's page views are there.
    Known,
    /// The form handler named no visitor.
    NoVisitor,
    /// It named one that never reported a page view.
    UnknownVisitor,
    /// Its token was forged, damaged or of another site.
    BadToken,
    /// Its visitor was no UUID.
    InvalidVisitor,
}

/// A form, a call, a chat, a booking, an import or an API call that names a person.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Conversion {
    /// Its own id.
    pub id: ConversionId,
    /// Its place among the lead's conversions, from 1; given by the store.
    pub number: u32,
    /// When the collector received it, Unix milliseconds.
    pub at_ms: i64,
    /// What made it.
    pub kind: ConversionKind,
    /// The browser that it came from.
    pub visitor: Option<VisitorId>,
    /// Whether its journey is known.
    pub journey: JourneyState,
    /// The contact as this conversion told it.
    pub contact: Contact,
    /// The form's id.
    pub form_id: Option<String>,
    /// The form's name for people.
    pub form_name: Option<String>,
    /// The form's page.
    pub page_url: Option<String>,
    /// That page's title.
    pub page_title: Option<String>,
    /// The visitor's touches as they stood at the conversion; never rewritten.
    pub touches: Vec<Touch>,
}

/// A visitor's membership in a lead.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Join {
    /// The browser.
    pub visitor: VisitorId,
    /// When it was joined, Unix milliseconds.
    pub joined_at_ms: i64,
    /// The conversion that joined it.
    pub conversion: ConversionId,
    /// Where the browser was another lead's before: only what came from this moment on is this
    /// lead's.
    pub from_ms: Option<i64>,
    /// Where the browser became another lead's: only what came before this moment is this lead's.
    pub until_ms: Option<i64>,
}

impl Join {
    /// Whether a page view of the browser belongs to this membership.
    pub fn holds(&self, view: &PageView) -> bool {
        self.from_ms.is_none_or(|from_ms| view.at_ms >= from_ms)
            && self.until_ms.is_none_or(|until_ms| view.at_ms < until_ms)
    }
}

/// A person, with one or more visitors joined.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Lead {
    /// The external id in every CRM.
    pub id: LeadId,
    /// The site that it belongs to.
    pub site: SiteId,
    /// Its first conversion, Unix milliseconds.
    pub created_at_ms: i64,
    /// Its last conversion, Unix milliseconds.
    pub converted_at_ms: i64,
    /// The newest value of each.
    pub contact: Contact,
    /// The browsers that are this person's.
    pub joins: Vec<Join>,
    /// How many conversions it has had.
    pub conversions: u32,
    /// The e-mail said this lead and the phone said that one: recorded, never merged.
    pub phone_conflict: Option<LeadId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        email: &str,
        phone: &str,
        expected: Result<(Option<&str>, Option<&str>), ContactError>,
    ) {
        let contact = Contact {
            email: Some(email.to_owned()),
            phone: Some(phone.to_owned()),
            ..Contact::default()
        };
        let normal = contact.normalised();
        let normal = normal.as_ref().map(|c| (c.email.as_deref(), c.phone.as_deref()));
        assert_eq!(normal.map_err(|error| *error), expected, "{email} {phone}");
    }

    #[test]
    fn contacts() {
        check(" Lead@EXAMPLE.com ", "", Ok((Some("Lead@example.com"), None)));
        check("", "+33 (0)1 42 68 53 00", Ok((None, Some("+33142685300"))));
        check("", "0033 1 42 68 53 00", Ok((None, Some("+33142685300"))));
        check("", "01 42 68 53 00", Ok((None, Some("01 42 68 53 00"))));
        check("", "", Err(ContactError::Nobody));
        check("nobody", "", Err(ContactError::Email));
        check("a@b@c", "", Err(ContactError::Email));
        check("a@b", "", Err(ContactError::Email));
        check("a@[127.0.0.1]", "", Err(ContactError::Email));
        check("", "call me", Err(ContactError::Phone));
        check(&format!("{}@example.com", "x".repeat(300)), "", Err(ContactError::TooLong));
    }

    #[test]
    fn names_are_joined_and_newer_values_win() {
        let contact = |email: &str, first: Option<&str>| Contact {
            email: Some(email.to_owned()),
            first_name: first.map(str::to_owned),
            last_name: Some("Last".to_owned()),
            ..Contact::default()
        };
        let mut known = contact("a@example.com", Some("First")).normalised().unwrap();
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
}
