//! The receiver's side of Standard Webhooks 1.0: checks that a body was signed with the secret, and
//! that it is fresh.
//!
//! The signature is computed by the specification's own crate, so that the collector's signatures
//! are checked against independent code. That crate's `verify` reads the system clock; here the
//! time is an argument, so the rest is our own code.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use standardwebhooks::Webhook;
use subtle::ConstantTimeEq;

/// The largest accepted age or lead of a timestamp, so that a recorded request cannot be replayed
/// later.
const TOLERANCE_SECONDS: i64 = 5 * 60;

/// The specification requires 24 to 64 random bytes.
const KEY_LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// Why a secret is invalid.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    #[error("it must start with whsec_")]
    Prefix,
    #[error("the part after whsec_ must be base64")]
    Base64,
    #[error("it must have 24 to 64 bytes")]
    Length,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    #[error("the header {0} is missing")]
    Missing(&'static str),
    #[error("webhook-timestamp is not a number of seconds")]
    Timestamp,
    #[error("webhook-timestamp is more than five minutes old")]
    TooOld,
    #[error("webhook-timestamp is more than five minutes in the future")]
    TooNew,
    #[error("no signature matches the body")]
    Signature,
}

/// The three headers as received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presented<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) timestamp: Option<&'a str>,
    pub(crate) signature: Option<&'a str>,
}

pub(crate) struct Verifier {
    webhook: Webhook,
}

impl Verifier {
    pub(crate) fn new(secret: &str) -> Result<Self, BadSecret> {
        let encoded = secret.strip_prefix("whsec_").ok_or(BadSecret::Prefix)?;
        let key = STANDARD.decode(encoded).map_err(|_| BadSecret::Base64)?;
        if !KEY_LENGTHS.contains(&key.len()) {
            return Err(BadSecret::Length);
        }
        Ok(Self { webhook: Webhook::from_bytes(key).map_err(|_| BadSecret::Length)? })
    }

    /// Returns the webhook's id, which is then verified. Any of the listed signatures may match:
    /// while a secret is rotated, there are two.
    pub(crate) fn verify<'a>(
        &self,
        presented: &Presented<'a>,
        body: &[u8],
        now_ms: i64,
    ) -> Result<&'a str, SignatureError> {
        let given = |header: Option<&'a str>, name| {
            header.filter(|value| !value.is_empty()).ok_or(SignatureError::Missing(name))
        };
        let id = given(presented.id, "webhook-id")?;
        let timestamp = given(presented.timestamp, "webhook-timestamp")?;
        let signatures = given(presented.signature, "webhook-signature")?;

        let seconds = seconds(timestamp).ok_or(SignatureError::Timestamp)?;
        let age = now_ms.div_euclid(1000).saturating_sub(seconds);
        if age > TOLERANCE_SECONDS {
            return Err(SignatureError::TooOld);
        }
        if age < -TOLERANCE_SECONDS {
            return Err(SignatureError::TooNew);
        }
        // This crate cannot sign a body that is not UTF-8, which cannot be JSON either.
        let expected =
            self.webhook.sign(id, seconds, body).map_err(|_| SignatureError::Signature)?;
        let fits = |signature: &str| bool::from(signature.as_bytes().ct_eq(expected.as_bytes()));
        if signatures.split(' ').any(fits) { Ok(id) } else { Err(SignatureError::Signature) }
    }
}

/// Parses seconds in their only valid form: `+1` or `01` would parse as a number, but were not
/// signed.
fn seconds(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number >= 0 && number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    const BODY: &str = r#"{"email":"test@example.com","username":"test_user"}"#;
    const TIME: i64 = 1_649_367_553;
    const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

    fn verify(
        secret: &str,
        [id, timestamp, signature]: [&str; 3],
        body: &str,
        now_seconds: i64,
    ) -> Result<(), SignatureError> {
        let header = |text| Some(text).filter(|text| *text != "(none)");
        let presented = Presented {
            id: header(id),
            timestamp: header(timestamp),
            signature: header(signature),
        };
        let verifier = Verifier::new(secret).unwrap();
        verifier.verify(&presented, body.as_bytes(), now_seconds * 1000).map(|_| ())
    }

    #[test]
    fn the_vector_of_the_specification_and_what_differs_from_it() {
        let time = TIME.to_string();
        let plus = format!("+{TIME}");
        let two = format!("v1,AAAA {SIGNATURE}");
        let cut = &SIGNATURE[..SIGNATURE.len() - 4];
        let no_version = &SIGNATURE[3..];
        let asymmetric = SIGNATURE.replace("v1,", "v1a,");
        type Row<'a> = (&'a str, [&'a str; 3], &'a str, Result<(), SignatureError>);
        let rows: &[Row<'_>] = &[
            ("vector", [ID, &time, SIGNATURE], BODY, Ok(())),
            ("rotation", [ID, &time, &two], BODY, Ok(())),
            (
                "no id",
                ["(none)", &time, SIGNATURE],
                BODY,
                Err(SignatureError::Missing("webhook-id")),
            ),
            ("empty id", ["", &time, SIGNATURE], BODY, Err(SignatureError::Missing("webhook-id"))),
            (
                "no time",
                [ID, "(none)", SIGNATURE],
                BODY,
                Err(SignatureError::Missing("webhook-timestamp")),
            ),
            (
                "no signature",
                [ID, &time, "(none)"],
                BODY,
                Err(SignatureError::Missing("webhook-signature")),
            ),
            ("time is text", [ID, "soon", SIGNATURE], BODY, Err(SignatureError::Timestamp)),
            ("time is signed", [ID, &plus, SIGNATURE], BODY, Err(SignatureError::Timestamp)),
            ("time is negative", [ID, "-1", SIGNATURE], BODY, Err(SignatureError::Timestamp)),
            ("other id", ["msg_2", &time, SIGNATURE], BODY, Err(SignatureError::Signature)),
            ("other body", [ID, &time, SIGNATURE], "{}", Err(SignatureError::Signature)),
            (
                "body grew",
                [ID, &time, SIGNATURE],
                &format!("{BODY} "),
                Err(SignatureError::Signature),
            ),
            ("cut short", [ID, &time, cut], BODY, Err(SignatureError::Signature)),
            ("version alone", [ID, &time, "v1,"], BODY, Err(SignatureError::Signature)),
            ("no version", [ID, &time, no_version], BODY, Err(SignatureError::Signature)),
            ("other version", [ID, &time, &asymmetric], BODY, Err(SignatureError::Signature)),
        ];
        for (name, headers, body, expected) in rows {
            assert_eq!(&verify(SECRET, *headers, body, TIME), expected, "{name}");
        }
        let other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert_eq!(
            verify(other, [ID, &time, SIGNATURE], BODY, TIME),
            Err(SignatureError::Signature)
        );
    }

    #[test]
    fn five_minutes_both_ways() {
        let rows = [
            (TIME - 301, Err(SignatureError::TooNew)),
            (TIME - 300, Ok(())),
            (TIME, Ok(())),
            (TIME + 300, Ok(())),
            (TIME + 301, Err(SignatureError::TooOld)),
            (0, Err(SignatureError::TooNew)),
        ];
        for (now, expected) in rows {
            let headers = [ID, &TIME.to_string(), SIGNATURE];
            assert_eq!(verify(SECRET, headers, BODY, now), expected, "{now}");
        }
    }

    #[test]
    fn a_moved_timestamp_does_not_fit_the_signature() {
        let later = (TIME + 1).to_string();
        assert_eq!(
            verify(SECRET, [ID, &later, SIGNATURE], BODY, TIME),
            Err(SignatureError::Signature)
        );
    }

    #[test]
    fn secrets_are_checked() {
        let rows = [
            (SECRET, None),
            ("C2FVsBQIhrscChlQIMV+b5sSYspob7oD", Some(BadSecret::Prefix)),
            ("whsec_", Some(BadSecret::Length)),
            ("whsec_c2hvcnQ=", Some(BadSecret::Length)),
            ("whsec_not base64 at all", Some(BadSecret::Base64)),
        ];
        for (secret, expected) in rows {
            assert_eq!(Verifier::new(secret).err(), expected, "{secret}");
        }
    }
}
