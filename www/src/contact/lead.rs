//! The client of the collector's `POST /v1/leads`.

use crate::contact::submission::Submission;
use reqwest::header;
use reqwest::redirect::Policy;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The timeout. The person is waiting for the thank-you page.
const TIME_LIMIT: Duration = Duration::from_secs(3);

/// The result of one attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Accepted {
        lead_id: String,
    },
    /// Refused; the same body would be refused again.
    Refused {
        status: u16,
    },
    /// Unavailable, busy, or not authorised: worth another attempt later.
    Unavailable {
        reason: String,
    },
}

pub(crate) struct LeadSender {
    client: reqwest::Client,
    endpoint: String,
    api_key: String,
}

impl LeadSender {
    pub(crate) fn new(collector_url: &str, api_key: &str) -> Result<Self, reqwest::Error> {
        // The client needs a cryptography provider even for plain http. One installed by another
        // part of this process is fine.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .timeout(TIME_LIMIT)
            .redirect(Policy::none())
            // The collector is nearby, so never use a proxy.
            .no_proxy()
            // Retries and server run on two runtimes, which must not share connections.
            .pool_max_idle_per_host(0)
            .build()?;
        let endpoint = format!("{}/v1/leads", collector_url.trim_end_matches('/'));
        Ok(Self { client, endpoint, api_key: api_key.to_owned() })
    }

    pub(crate) async fn send(&self, submission: &Submission) -> Sent {
        let answer = self
            .client
            .post(&self.endpoint)
            .bearer_auth(&self.api_key)
            .header("Idempotency-Key", &submission.id)
            .header(header::ACCEPT, "application/json")
            .json(&NewLead::from(submission))
            .send()
            .await;
        match answer {
            Ok(answer) => read_answer(answer).await,
            Err(error) => Sent::Unavailable { reason: chain(&error) },
        }
    }
}

async fn read_answer(answer: reqwest::Response) -> Sent {
    let status = answer.status();
    // Not 409, which means that another request with the same key is in progress.
    if matches!(status.as_u16(), 400 | 413 | 422) {
        return Sent::Refused { status: status.as_u16() };
    }
    if !status.is_success() {
        return Sent::Unavailable { reason: format!("responded with {status}") };
    }
    match answer.json::<Created>().await {
        Ok(created) => Sent::Accepted { lead_id: created.lead.id },
        Err(error) => Sent::Unavailable { reason: chain(&error) },
    }
}

/// The error with its causes. The URL in it is our own and has no secret.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[derive(Deserialize)]
struct Created {
    lead: CreatedLead,
}

#[derive(Deserialize)]
struct CreatedLead {
    id: String,
}

/// The request's body. Empty values are left out; the message is never sent.
#[derive(Serialize)]
struct NewLead<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    visitor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    r#type: &'static str,
    contact: Contact<'a>,
    form: NamedForm,
    page: Page<'a>,
}

#[derive(Serialize)]
struct Contact<'a> {
    email: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    first_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    last_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    company: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    phone: &'a str,
}

#[derive(Serialize)]
struct NamedForm {
    id: &'static str,
    name: &'static str,
}

#[derive(Serialize)]
struct Page<'a> {
    url: &'a str,
    title: &'static str,
}

impl<'a> From<&'a Submission> for NewLead<'a> {
    fn from(submission: &'a Submission) -> Self {
        NewLead {
            visitor: submission.visitor.as_deref(),
            token: submission.token.as_deref(),
            r#type: "form",
            contact: Contact {
                email: &submission.email,
                first_name: &submission.first_name,
                last_name: &submission.last_name,
                company: &submission.company,
                phone: &submission.phone,
            },
            form: NamedForm { id: "contact", name: "Contact us" },
            page: Page { url: &submission.page_url, title: "Contact" },
        }
    }
}
