//! A request as a vendor sees it, and its answer: plain values that no server is needed for.

use percent_encoding::percent_decode_str;
use serde_json::Value;
use std::collections::BTreeMap;

/// What came in. Header names are lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The path's parts, decoded.
    pub(crate) fn segments(&self) -> Vec<String> {
        let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        self.path.split('/').skip(1).map(decode).collect()
    }

    /// The first query parameter of a name.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let mut all = form_urlencoded::parse(self.query.as_bytes());
        all.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
    }

    /// A header's value by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The token after `Bearer `.
    pub(crate) fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// Whether the body is said to be of a media type, whatever parameters follow.
    pub(crate) fn is_of_type(&self, media_type: &str) -> bool {
        let found = self.header("content-type").unwrap_or_default();
        found.split(';').next().is_some_and(|found| found.trim().eq_ignore_ascii_case(media_type))
    }

    /// The fields of a form body, where it is said to be one.
    pub(crate) fn form(&self) -> Option<BTreeMap<String, String>> {
        let fields = || form_urlencoded::parse(&self.body).into_owned().collect();
        self.is_of_type("application/x-www-form-urlencoded").then(fields)
    }
}

/// What goes out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Value>,
}

/// An answer or a refusal: both are answers.
pub(crate) type Outcome = Result<Answer, Answer>;

impl Answer {
    /// A JSON answer.
    pub(crate) const fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body) }
    }

    /// An answer without a body.
    pub(crate) const fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}
