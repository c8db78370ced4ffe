//! The steps that judge each event, in order.

use super::request::Request;
use crate::conversion::Identified;
use crate::settings::{Settings, Site};
use clew_store::{Action, ActionKind, Arrival};
use serde_json::value::RawValue;
use shared::evidence::Evidence;
use shared::lead::NormalContact;
use shared::limits;
use shared::outcome::DropReason;
use shared::page_view::{Departure, PageView, Totals};
use shared::source;
use shared::wire::decode::{Batch, Body, Event};
use url::Url;

/// What the steps know apart from the event.
pub(super) struct StepContext<'a> {
    pub(super) settings: &'a Settings,
    pub(super) site: &'a Site,
    pub(super) request: Request<'a>,
    pub(super) batch: &'a Batch<'a>,
}

/// An event that is being judged.
pub(super) struct Candidate {
    pub(super) event: Event,
    /// The corrected time, Unix milliseconds.
    at_ms: i64,
    /// The page's URL, for page views.
    url: Option<Url>,
    /// Why this visitor is excluded from reports.
    bot: Option<String>,
    /// The evidence of the origin and its label, for page views.
    origin: Option<(Evidence, source::Label)>,
    /// The person that it names.
    person: Option<NormalContact>,
}

type Step = fn(&mut Candidate, &StepContext<'_>) -> Result<(), DropReason>;

/// Each step keeps the event or drops it with a reason; the first drop ends the sequence.
pub(super) const STEPS: &[(&str, Step)] = &[
    ("consent", consent),
    ("clock", clock),
    ("address", address),
    ("own traffic", own_traffic),
    ("prefetch", prefetch),
    ("webdriver", webdriver),
    ("bot", bot),
    ("label", label),
    ("contact", contact),
];

fn consent(_: &mut Candidate, context: &StepContext<'_>) -> Result<(), DropReason> {
    if forbidden(context.site, context.request, context.batch) {
        Err(DropReason::NoConsent)
    } else {
        Ok(())
    }
}

/// Whether the visitor, or a privacy signal that the site honours, forbids storing anything.
pub(super) fn forbidden(site: &Site, request: Request<'_>, batch: &Batch<'_>) -> bool {
    let Site { config, .. } = site;
    request.opted_out
        || batch.consent == "denied"
        || (batch.gpc && config.honour_gpc)
        || (batch.dnt && config.honour_dnt)
}

/// Corrects the event's time if the browser's clock was off by more than the limit when it sent the
/// batch.
fn clock(candidate: &mut Candidate, context: &StepContext<'_>) -> Result<(), DropReason> {
    let received_at_ms = context.request.received_at_ms;
    let skew_ms = received_at_ms.saturating_sub(context.batch.sent_at);
    let correction_ms = if skew_ms.saturating_abs() > limits::CLOCK_SKEW_MS { skew_ms } else { 0 };
    let at_ms = candidate.event.at_ms.saturating_add(correction_ms);
    if at_ms < received_at_ms - limits::EVENT_AGE_MS {
        return Err(DropReason::TooOld);
    }
    if at_ms > received_at_ms + limits::EVENT_AHEAD_MS {
        return Err(DropReason::InFuture);
    }
    candidate.at_ms = at_ms;
    Ok(())
}

/// Drops page views whose URL is not a page of the site.
fn address(candidate: &mut Candidate, context: &StepContext<'_>) -> Result<(), DropReason> {
    let Body::PageView { url, .. } = &candidate.event.body else { return Ok(()) };
    let url = Url::parse(url).map_err(|_| DropReason::InvalidEvent)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(DropReason::InvalidEvent);
    }
    let own = url.host_str().is_some_and(|host| context.site.hosts.contain(host));
    candidate.url = Some(url);
    if own { Ok(()) } else { Err(DropReason::ForeignOrigin) }
}

/// Flags visits from the company's own networks.
#[expect(clippy::unnecessary_wraps, reason = "every step has this signature")]
fn own_traffic(candidate: &mut Candidate, context: &StepContext<'_>) -> Result<(), DropReason> {
    let Some(client) = context.request.client else { return Ok(()) };
    let own = context.site.config.own_traffic.iter().find(|network| network.contains(client));
    candidate.flag(own.map(|network| format!("own traffic: {network}")));
    Ok(())
}

/// Flags prefetched pages. The tracker waits until the page is shown, but the pixel cannot.
#[expect(clippy::unnecessary_wraps, reason = "every step has this signature")]
fn prefetch(candidate: &mut Candidate, context: &StepContext<'_>) -> Result<(), DropReason> {
    candidate.flag(context.request.prefetch.then(|| "prefetch".to_owned()));
    Ok(())
}

/// Flags browsers that report being driven by a program.
#[expect(clippy::unnecessary_wraps, reason = "every step has this signature")]
fn webdriver(candidate: &mut Candidate, context: &StepContext<'_>) -> Result<(), DropReason> {
    candidate.flag(context.batch.webdriver.then(|| "webdriver".to_owned()));
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "every step has this signature")]
fn bot(candidate: &mut Candidate, context: &StepContext<'_>) -> Result<(), DropReason> {
    let reason = context.settings.bots.reason(context.request.user_agent);
    candidate.flag(reason.map(str::to_owned));
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "every step has this signature")]
fn label(candidate: &mut Candidate, context: &StepContext<'_>) -> Result<(), DropReason> {
    if let (Body::PageView { referrer, .. }, Some(url)) = (&candidate.event.body, &candidate.url) {
        let rules = &context.settings.rules;
        let Site { hosts, config } = context.site;
        let evidence = rules.evidence(url, referrer, context.request.user_agent);
        let label = rules.label(&evidence, url.as_str(), hosts, config.internal_tags);
        candidate.flag(rules.spam(&evidence).map(|host| format!("referrer spam: {host}")));
        candidate.origin = Some((evidence, label));
    }
    Ok(())
}

/// Normalises a named person's contact; phone numbers without a country code get the site's
/// country.
fn contact(candidate: &mut Candidate, context: &StepContext<'_>) -> Result<(), DropReason> {
    if let Body::Identify { contact, .. } = &mut candidate.event.body {
        let normal = std::mem::take(contact).normalised(context.site.config.country);
        candidate.person = Some(normal.map_err(|_| DropReason::InvalidEvent)?);
    }
    Ok(())
}

impl Candidate {
    pub(super) fn parse(raw: &RawValue) -> Result<Self, DropReason> {
        let event = Event::parse(raw)?;
        Ok(Self { at_ms: event.at_ms, event, url: None, bot: None, origin: None, person: None })
    }

    /// Flags the event without dropping it; the first reason stays.
    fn flag(&mut self, reason: Option<String>) {
        self.bot = self.bot.take().or(reason);
    }

    pub(super) fn names_a_person(&self) -> bool {
        matches!(self.event.body, Body::Identify { .. })
    }

    /// Converts the event into what the store takes, and the person that it names.
    pub(super) fn into_arrival(self, context: &StepContext<'_>) -> (Arrival, Option<Identified>) {
        let Event { id, page, body, .. } = self.event;
        let at_ms = self.at_ms;
        let act = |kind| Arrival::Act(Action { id, page, at_ms, kind });
        let arrival = match body {
            Body::PageView { title, url, .. } => {
                let (evidence, label) = self.origin.unwrap_or_else(|| {
                    let label = source::Label::direct(source::Origin::Nothing, String::new());
                    (Evidence::default(), label)
                });
                Arrival::View(Box::new(PageView {
                    id,
                    at_ms,
                    received_at_ms: context.request.received_at_ms,
                    url: self.url.as_ref().map_or(url, |url| context.settings.rules.clean_url(url)),
                    title,
                    totals: Totals::default(),
                    evidence,
                    label,
                    rules: context.settings.rules.hash(),
                    bot: self.bot,
                }))
            }
            Body::Engagement { engaged_ms, scroll_pct } => {
                let totals =
                    Totals { engaged_ms, scroll_pct, active_at_ms: at_ms, ..Totals::default() };
                Arrival::Raise { page, totals }
            }
            Body::Departure { host } => {
                let departures = vec![Departure { at_ms, id, host }];
                let totals = Totals { departures, ..Totals::default() };
                Arrival::Raise { page, totals }
            }
            Body::Form { step, .. } if step == "focus" => {
                let totals =
                    Totals { form_focused: true, active_at_ms: at_ms, ..Totals::default() };
                Arrival::Raise { page, totals }
            }
            Body::Form { form, .. } => act(ActionKind::FormSubmit { form }),
            Body::Custom { name, props } => act(ActionKind::Custom { name, props }),
            Body::Identify { contact, form, signature } => {
                let named = NormalContact { contact, raw: Vec::new() };
                let person = self.person.unwrap_or(named);
                let given = |text: String| Some(text).filter(|text| !text.is_empty());
                let (form, signature) = (given(form), given(signature));
                let identified = Identified { event: id, person, form, signature };
                return (act(ActionKind::Identify), Some(identified));
            }
        };
        (arrival, None)
    }
}

/// Whether a request's `Origin` is allowed. Requests without one (a pixel, a same-origin GET) are,
/// because the page's URL is checked on its own.
pub(super) fn origin_allowed(site: &Site, origin: Option<&str>) -> bool {
    let Some(origin) = origin else { return true };
    let url = web_origin(origin);
    url.as_ref().and_then(Url::host_str).is_some_and(|host| site.hosts.contain(host))
}

/// Parses a web page's origin. Extensions and apps have other schemes, with arbitrary hosts.
fn web_origin(origin: &str) -> Option<Url> {
    Url::parse(origin).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// The domain on which the tracker managed to set its cookie, if it contains the page's host.
/// Browsers refuse public suffixes themselves.
pub(super) fn cookie_domain(origin: Option<&str>, domain: &str) -> Option<String> {
    let origin = web_origin(origin?)?;
    let host = origin.host_str()?;
    let plain = domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let inside =
        host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    (plain && inside && domain.contains('.')).then(|| domain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_domains() {
        for (origin, domain, expected) in [
            ("https://www.example.com", "example.com", true),
            ("https://www.example.com:8443", "www.example.com", true),
            ("https://www.example.com", "", false),
            ("https://www.example.com", "com", false),
            ("https://www.example.com", "evil.com", false),
            ("https://www.example.com", "ple.com", false),
            ("https://www.example.com", "example.com; Path=/x", false),
            ("null", "example.com", false),
            ("chrome-extension://www.example.com", "example.com", false),
            ("moz-extension://www.example.com", "example.com", false),
        ] {
            assert_eq!(
                cookie_domain(Some(origin), domain).is_some(),
                expected,
                "{origin} {domain}"
            );
        }
        assert_eq!(cookie_domain(None, "example.com"), None);
    }
}
