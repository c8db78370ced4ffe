//! The form handler: receives the contact form and reports the person to the collector.
//!
//! It shows the pattern for a real handler in any language: **the form never breaks because the
//! collector is down.** The steps are:
//!
//! 1. Validate the form; if it is invalid, show it again with all values still filled in.
//! 2. Store the submission safely. Here that is a list in memory; a real handler mails it or writes it
//!    to its own database, as it would without Clew.
//! 3. Report it to the collector, with a short timeout and an `Idempotency-Key` that belongs to the
//!    rendered form, so that a double click or a retry makes one lead.
//! 4. Thank the person, whatever the collector responded, and retry later if it was unavailable.

mod lead;
pub(crate) mod mailbox;
pub(crate) mod submission;

use crate::contact::lead::{LeadSender, Sent};
use crate::contact::mailbox::{Mailbox, State, StoredSubmission};
use crate::contact::submission::{Form, Submission};
use crate::settings::Settings;
use crate::site::Shell;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

/// The longest page URL that is passed on.
const MAX_URL: usize = 2000;

/// `POST /contact`.
pub(crate) async fn receive(
    request: HttpRequest,
    body: web::Bytes,
    shell: web::Data<Shell>,
    contact: web::Data<ContactHandler>,
) -> HttpResponse {
    let form = Form::parse(&body);
    let visitor = visitor_of(&request);
    let page_url = page_of(&request, &shell.public_url);
    match Submission::new(&form, visitor, page_url) {
        Err(problems) => shell.contact_page(&form, &problems),
        Ok(submission) => {
            contact.take(submission).await;
            HttpResponse::SeeOther().insert_header((header::LOCATION, "/thank-you")).finish()
        }
    }
}

/// The visitor in the tracker's cookie. There may be two such cookies, one for the host and one for
/// the domain, and a broken one must not cost the lead, so the first valid id counts.
fn visitor_of(request: &HttpRequest) -> Option<String> {
    request
        .headers()
        .get_all(header::COOKIE)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix("clew_id="))
        .find(|id| submission::is_uuid(id))
        .map(str::to_owned)
}

/// The URL of the form's page, with its query if the browser sends it.
fn page_of(request: &HttpRequest, public_url: &str) -> String {
    request
        .headers()
        .get(header::REFERER)
        .and_then(|value| value.to_str().ok())
        .filter(|url| url.len() <= MAX_URL)
        .filter(|url| url.starts_with("http://") || url.starts_with("https://"))
        .map_or_else(|| format!("{public_url}/contact"), str::to_owned)
}

/// Stores submissions and sends them to the collector.
pub(crate) struct ContactHandler {
    mailbox: Mailbox,
    sender: LeadSender,
    collector_is_back: Notify,
}

impl ContactHandler {
    pub(crate) fn new(settings: &Settings) -> Result<Self, reqwest::Error> {
        Ok(Self {
            mailbox: Mailbox::default(),
            sender: LeadSender::new(&settings.collector_url, &settings.api_key)?,
            collector_is_back: Notify::new(),
        })
    }

    pub(crate) fn submissions(&self) -> Vec<StoredSubmission> {
        self.mailbox.all()
    }

    /// Stores the submission first, then tries to send it.
    async fn take(&self, submission: Submission) {
        let submission = self.mailbox.keep(submission);
        if self.send(&submission).await && !self.mailbox.waiting().is_empty() {
            self.collector_is_back.notify_one();
        }
    }

    /// Sends each waiting submission once, oldest first; returns how many the collector settled. It
    /// stops at the first failure, because then the collector is still unavailable.
    pub(crate) async fn retry_waiting(&self) -> usize {
        let mut taken = 0;
        for submission in self.mailbox.waiting() {
            if !self.send(&submission).await {
                break;
            }
            taken += 1;
        }
        taken
    }

    /// Runs forever: retries at this interval, and at once after a later submission got through.
    pub(crate) async fn keep_retrying(&self, every: Duration) {
        let mut interval = tokio::time::interval(every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = self.collector_is_back.notified() => {}
            }
            self.retry_waiting().await;
        }
    }

    /// Returns whether the collector settled the submission. What people type is never logged.
    async fn send(&self, submission: &Submission) -> bool {
        let id = &submission.id;
        match self.sender.send(submission).await {
            Sent::Accepted { lead_id } => {
                tracing::info!(submission = %id, lead = %lead_id, "the collector accepted a lead");
                self.mailbox.settle(id, State::Accepted { lead_id });
                true
            }
            Sent::Refused { status } => {
                tracing::error!(submission = %id, status, "the collector refused a lead permanently");
                self.mailbox.settle(id, State::Refused { status });
                true
            }
            Sent::Unavailable { reason } => {
                tracing::warn!(submission = %id, %reason, "the collector is unavailable; retrying later");
                false
            }
        }
    }
}
