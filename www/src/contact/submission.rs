//! Parses and validates the contact form, and makes a [`Submission`] of it.
//!
//! Pure, except for the random id of a new form.

use serde::Serialize;

/// The fields as received, so that the form can be shown again with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) email: String,
    pub(crate) company: String,
    pub(crate) phone: String,
    pub(crate) message: String,
    /// The id of this rendered form: hidden and random; it becomes the `Idempotency-Key`.
    pub(crate) submission: String,
    /// The sealed token that the tracker writes into forms.
    pub(crate) clew_token: String,
}

/// A problem with one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) field: &'static str,
    pub(crate) text: &'static str,
}

/// A validated form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Submission {
    /// The id of the rendered form.
    pub id: String,
    /// The visitor in the tracker's cookie.
    pub visitor: Option<String>,
    /// The sealed token that the tracker wrote into the form.
    pub token: Option<String>,
    /// The e-mail address, trimmed.
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub company: String,
    pub phone: String,
    /// The message. It stays with the site; the collector never sees it.
    pub message: String,
    /// The URL of the form's page.
    pub page_url: String,
}

impl Form {
    /// An empty form with a new id.
    pub(crate) fn blank() -> Self {
        Self { submission: fresh_id(), ..Self::default() }
    }

    /// Parses a urlencoded body. Unknown fields are ignored; if a field is repeated, the first
    /// non-empty value counts.
    pub(crate) fn parse(body: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let field = match &*name {
                "first_name" => &mut form.first_name,
                "last_name" => &mut form.last_name,
                "email" => &mut form.email,
                "company" => &mut form.company,
                "phone" => &mut form.phone,
                "message" => &mut form.message,
                "submission" => &mut form.submission,
                "clew_token" => &mut form.clew_token,
                _ => continue,
            };
            if field.is_empty() {
                value.trim().clone_into(field);
            }
        }
        if !is_id(&form.submission) {
            form.submission = fresh_id();
        }
        form
    }

    /// All problems, in the order of the fields.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let too_long = [
            ("first_name", &self.first_name, 128),
            ("last_name", &self.last_name, 128),
            ("company", &self.company, 255),
            ("phone", &self.phone, 32),
            ("message", &self.message, 4000),
        ]
        .into_iter()
        .filter(|(_, value, most)| value.chars().count() > *most)
        .map(|(field, ..)| Problem { field, text: "This is too long." });
        email_problem(&self.email)
            .map(|text| Problem { field: "email", text })
            .into_iter()
            .chain(too_long)
            .collect()
    }
}

impl Submission {
    /// Validates the form. The visitor and the page come from the request.
    pub(crate) fn new(
        form: &Form,
        visitor: Option<String>,
        page_url: String,
    ) -> Result<Self, Vec<Problem>> {
        let problems = form.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        let form = form.clone();
        Ok(Self {
            id: form.submission,
            visitor,
            token: Some(form.clew_token).filter(|token| is_token(token)),
            email: form.email,
            first_name: form.first_name,
            last_name: form.last_name,
            company: form.company,
            phone: form.phone,
            message: form.message,
            page_url,
        })
    }
}

/// A random id for a rendered form.
pub(crate) fn fresh_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Checks that the address is plausible; only a delivered e-mail proves it.
fn email_problem(email: &str) -> Option<&'static str> {
    if email.is_empty() {
        return Some("Please enter your e-mail address so that we can reply.");
    }
    let plausible = email.len() <= 254
        && !email.chars().any(|letter| letter.is_whitespace() || letter.is_control())
        && !email.contains(['<', '>', '"', ',', ';', '(', ')'])
        && email.split_once('@').is_some_and(|(name, host)| {
            (1..=64).contains(&name.len())
                && host.contains('.')
                && !host.contains('@')
                && host.split('.').all(|label| !label.is_empty())
        });
    (!plausible).then_some("Please enter an e-mail address such as name@example.com.")
}

/// The 36-character hyphenated form.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(position, byte)| match position {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_id(text: &str) -> bool {
    (16..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Rejects what cannot be a token; the collector verifies it.
fn is_token(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_checked() {
        let long = format!("email=lead@example.com&company={}", "x".repeat(256));
        let rows: &[(&str, &[&str])] = &[
            ("email=lead@example.com", &[]),
            ("email=++lead@example.com%20", &[]),
            ("email=l%C3%A9ad@ex%C3%A4mple.com", &[]),
            ("email=a.b%2Bc@mail.example.co.uk", &[]),
            ("", &["email"]),
            ("email=", &["email"]),
            ("email=%20%20", &["email"]),
            ("email=lead", &["email"]),
            ("email=@example.com", &["email"]),
            ("email=lead@", &["email"]),
            ("email=lead@localhost", &["email"]),
            ("email=lead@example..com", &["email"]),
            ("email=lead@.com", &["email"]),
            ("email=a@b@example.com", &["email"]),
            ("email=a%20b@example.com", &["email"]),
            ("email=a@example.com%0D%0ABcc:b@example.com", &["email"]),
            ("email=%3Cscript%3E@example.com", &["email"]),
            (&long, &["company"]),
        ];
        for (body, expected) in rows {
            let problems = Form::parse(body.as_bytes()).problems();
            let fields: Vec<&str> = problems.iter().map(|problem| problem.field).collect();
            assert_eq!(&fields, expected, "{body}");
        }
    }

    #[test]
    fn a_field_that_comes_twice_keeps_its_first_value() {
        let form = Form::parse(b"clew_token=&clew_token=one&clew_token=two&unknown=x&first_name=A");
        assert_eq!((form.clew_token.as_str(), form.first_name.as_str()), ("one", "A"));
    }

    #[test]
    fn the_id_of_the_form_is_kept_if_it_can_be_one() {
        let id = fresh_id();
        assert_eq!(Form::parse(format!("submission={id}").as_bytes()).submission, id);
        for bad in ["", "short", "with space in the middle", &"x".repeat(65)] {
            let parsed = Form::parse(format!("submission={bad}").as_bytes()).submission;
            assert!(is_id(&parsed) && parsed != bad, "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_a_token_or_a_visitor_is_left_out() {
        let token = |text: &str| {
            let form = Form { email: "lead@example.com".into(), ..Form::default() };
            Submission::new(&Form { clew_token: text.into(), ..form }, None, String::new())
                .unwrap()
                .token
        };
        assert_eq!(token("abc_DEF-123").as_deref(), Some("abc_DEF-123"));
        assert_eq!(token(""), None);
        assert_eq!(token(&"x".repeat(257)), None);
        assert!(is_uuid("0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c11"));
        for bad in
            ["", "0197a2b4-7c1e-7d8a-9f00-5b2f6f1f0c1", "0197a2b4+7c1e-7d8a-9f00-5b2f6f1f0c11"]
        {
            assert!(!is_uuid(bad), "{bad}");
        }
    }
}
