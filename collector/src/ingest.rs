//! What becomes of a batch: named steps that keep an event or drop it with a reason.
//!
//! First the batch as a whole (`open`), then each event (`STEPS`). Judging knows neither HTTP
//! nor a store: the request comes in as [`Request`], what is to be kept goes out as [`Judged`], and
//! [`Ingest`] stores it.

mod request;
mod steps;

pub use request::Request;

use crate::conversion::{ConversionError, Conversions, Identified};
use crate::limiter::{Limited, Limiter, Load};
use crate::settings::{Settings, Site};
use clew_core::{Core, Dice};
use clew_store::{Arrival, Arrivals, StoreError};
use shared::ad_cookies::AdCookies;
use shared::context::VisitorContext;
use shared::ids::{EventId, VisitorId};
use shared::limits;
use shared::outcome::{DropReason, Outcome};
use shared::wire::decode::Batch;
use std::collections::HashSet;
use std::sync::Arc;
use steps::{Candidate, STEPS};

/// A batch as judged: what to keep, and what was dropped already.
pub struct Judged<'a> {
    /// The site.
    pub site: &'a Site,
    /// Whether the collector named the visitor.
    pub minted: bool,
    /// Whether the browser may keep the visitor's cookie.
    pub keep_cookie: bool,
    /// The domain that the cookie is to be set on, where the browser named one that fits.
    pub cookie_domain: Option<String>,
    /// `module`, `loader` or `pixel`, as the browser said.
    pub sender: String,
    /// What the store is to keep; its events stand in the order sent.
    pub arrivals: Arrivals,
    /// The ids of all events as sent, and what is known of their outcome; `None` for kept ones.
    pub outcomes: Vec<(Option<EventId>, Option<Outcome>)>,
    /// The persons named.
    pub identified: Vec<Identified>,
}

/// Why a whole batch is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The outcome of its events.
    pub reason: DropReason,
    /// How many they are; 1 where that is not known.
    pub events: usize,
    /// What it was too much for, where that is the reason.
    pub limited: Option<Limited>,
}

impl Refusal {
    fn of(events: usize) -> impl Fn(DropReason) -> Self {
        move |reason| Self { reason, events, limited: None }
    }
}

/// Opens a batch, asks whether there is room for it, and judges its events. The dice name a visitor
/// that nobody has named.
///
/// # Errors
/// Why the whole batch is refused.
pub fn judge<'a>(
    dice: &Dice,
    settings: &'a Settings,
    request: Request<'_>,
    body: &[u8],
    admit: impl FnOnce(&'a Site, Load) -> Result<(), Limited>,
) -> Result<Judged<'a>, Refusal> {
    let batch = Batch::parse(body).map_err(Refusal::of(1))?;
    let events = batch.events.len().max(1);
    let (site, visitor, minted) =
        open(dice, settings, request, &batch).map_err(Refusal::of(events))?;
    let candidates: Vec<_> = batch.events.iter().map(|raw| Candidate::parse(raw)).collect();
    let persons = candidates.iter().flatten().filter(|event| event.names_a_person()).count();
    let persons = persons.min(limits::BATCH_PERSONS);
    let load = Load { client: request.client, visitor, events, persons, bytes: body.len() };
    admit(site, load).map_err(|limited| Refusal {
        limited: Some(limited),
        ..Refusal::of(events)(DropReason::RateLimited)
    })?;
    let context = VisitorContext {
        language: cut(&batch.language, 35),
        user_agent: cut(request.user_agent, limits::TEXT_BYTES),
        consent: cut(&batch.consent, 16),
        gpc: batch.gpc,
        dnt: batch.dnt,
        ad_cookies: AdCookies::read(&batch.ga, &batch.ga_session, &batch.fbc, &batch.fbp),
    };
    let mut judged = Judged {
        site,
        minted,
        keep_cookie: !steps::forbidden(site, request, &batch),
        cookie_domain: steps::cookie_domain(request.origin, &batch.cookie_domain),
        sender: cut(&batch.sender, 16),
        arrivals: Arrivals {
            site: site.config.name.clone(),
            visitor,
            context,
            received_at_ms: request.received_at_ms,
            events: Vec::new(),
        },
        outcomes: Vec::with_capacity(batch.events.len()),
        identified: Vec::new(),
    };
    let setting = steps::Setting { settings, site, request, batch: &batch };
    let mut persons = 0;
    for candidate in candidates {
        let id = candidate.as_ref().ok().map(|candidate| candidate.event.id);
        let run = |mut candidate: Candidate| {
            persons += usize::from(candidate.names_a_person());
            if candidate.names_a_person() && persons > limits::BATCH_PERSONS {
                return Err(DropReason::TooManyEvents);
            }
            STEPS.iter().try_for_each(|(_, step)| step(&mut candidate, &setting))?;
            Ok(candidate)
        };
        match candidate.and_then(run) {
            Err(reason) => judged.outcomes.push((id, Some(Outcome::Dropped(reason)))),
            Ok(candidate) => {
                judged.outcomes.push((id, None));
                let (arrival, identified) = candidate.into_arrival(&setting);
                judged.arrivals.events.push(arrival);
                judged.identified.extend(identified);
            }
        }
    }
    Ok(judged)
}

/// What the browser is answered.
pub struct Accepted {
    /// Who it is.
    pub visitor: VisitorId,
    /// Whether the browser may keep the visitor's cookie.
    pub keep_cookie: bool,
    /// The domain that the cookie is to be set on.
    pub cookie_domain: Option<String>,
    /// The visitor's sealed token.
    pub token: Option<String>,
    /// Events that are new and durable.
    pub stored: usize,
    /// Events that were durable before.
    pub duplicate: usize,
    /// Events that were refused, with their ids where they have one.
    pub dropped: Vec<(Option<EventId>, DropReason)>,
}

/// Why nothing of a batch was acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The whole batch was refused.
    #[error("the batch was refused: {}", .0.as_str())]
    Refused(DropReason),
    /// It was refused because there was too much of it.
    #[error("the batch was refused: come again in {} s", .0.retry_after_s)]
    Limited(Limited),
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A person was named, and no lead could be made of it.
    #[error(transparent)]
    Conversion(#[from] ConversionError),
}

/// Takes what browsers send.
pub struct Ingest {
    core: Arc<Core>,
    limiter: Arc<Limiter>,
    conversions: Arc<Conversions>,
}

impl Ingest {
    /// On a store.
    pub fn new(core: Arc<Core>, limiter: Arc<Limiter>, conversions: Arc<Conversions>) -> Self {
        Self { core, limiter, conversions }
    }

    /// Counts a batch that was refused before it could be read.
    pub fn refuse(&self, reason: DropReason) -> IngestError {
        self.core.metrics.events(Outcome::Dropped(reason), 1);
        IngestError::Refused(reason)
    }

    /// Judges a batch, makes what is kept durable, and counts one outcome for every event.
    ///
    /// # Errors
    /// [`IngestError`]; then nothing is acknowledged.
    pub async fn accept(
        &self,
        settings: &Settings,
        request: Request<'_>,
        body: &[u8],
    ) -> Result<Accepted, IngestError> {
        let metrics = &self.core.metrics;
        let admit = |site: &Site, load| self.limiter.batch(settings, &site.config.name, load);
        let judged = judge(&self.core.dice, settings, request, body, admit);
        let judged = judged.map_err(|Refusal { reason, events, limited }| {
            metrics.events(Outcome::Dropped(reason), events);
            let Some(limited) = limited else { return IngestError::Refused(reason) };
            metrics.limited(limited.by);
            IngestError::Limited(limited)
        })?;
        metrics.batch(&judged.sender);
        let flags = judged.arrivals.events.iter().filter_map(|arrival| match arrival {
            Arrival::View(view) => view.bot.as_ref(),
            _ => None,
        });
        flags.for_each(|reason| metrics.flagged(reason));
        let (site, visitor) = (judged.arrivals.site.clone(), judged.arrivals.visitor);
        let now_ms = self.core.now_ms();
        let token = judged.keep_cookie.then(|| settings.tokens.seal(&site, visitor, now_ms));
        let stored = self.store(judged.arrivals).await;
        let mut accepted = Accepted {
            visitor,
            keep_cookie: judged.keep_cookie,
            cookie_domain: judged.cookie_domain,
            token: token.flatten(),
            stored: 0,
            duplicate: 0,
            dropped: Vec::new(),
        };
        // An event without a known outcome went to the store, which answers each in order, or none.
        let answers = stored.as_ref().map(|outcomes| outcomes.iter().copied());
        let mut answers = answers.into_iter().flatten();
        let mut kept = HashSet::new();
        for (id, known) in judged.outcomes {
            let overloaded = Outcome::Dropped(DropReason::Overloaded);
            match known.or_else(|| answers.next()).unwrap_or(overloaded) {
                Outcome::Dropped(reason) => {
                    accepted.dropped.push((id, reason));
                    continue;
                }
                Outcome::Stored => accepted.stored += 1,
                Outcome::Duplicate => accepted.duplicate += 1,
            }
            kept.extend(id);
        }
        metrics.events(Outcome::Stored, accepted.stored);
        metrics.events(Outcome::Duplicate, accepted.duplicate);
        let dropped = accepted.dropped.iter();
        dropped.for_each(|(_, reason)| metrics.events(Outcome::Dropped(*reason), 1));
        stored?;
        if judged.minted && accepted.stored > 0 {
            metrics.minted();
        }
        // A repeat of the batch repeats this; the event's id makes that harmless.
        for one in judged.identified.into_iter().filter(|named| kept.contains(&named.event)) {
            let identity = one.contact.identities().next();
            let identity = identity.map_or_else(|| visitor.to_text(), |(_, value)| value);
            if !self.limiter.person(settings, &site, &identity) {
                metrics.limited("person");
                continue;
            }
            self.conversions.from_page(settings, judged.site, visitor, one).await?;
        }
        Ok(accepted)
    }

    async fn store(&self, arrivals: Arrivals) -> Result<Vec<Outcome>, StoreError> {
        if arrivals.events.is_empty() {
            return Ok(Vec::new());
        }
        let before_ms = self.core.now_ms();
        let outcomes = self.core.store.ingest(arrivals).await?;
        self.core.metrics.waited((self.core.now_ms() - before_ms) as f64 / 1000.0);
        Ok(outcomes)
    }
}

/// The steps for a batch: the site, its origin, how many events, who.
fn open<'a>(
    dice: &Dice,
    settings: &'a Settings,
    request: Request<'_>,
    batch: &Batch<'_>,
) -> Result<(&'a Site, VisitorId, bool), DropReason> {
    let site = settings.site(&batch.site).ok_or(DropReason::UnknownSite)?;
    if !steps::origin_allowed(site, request.origin) {
        return Err(DropReason::ForeignOrigin);
    }
    if batch.events.is_empty() {
        return Err(DropReason::Malformed);
    }
    if batch.events.len() > limits::BATCH_EVENTS {
        return Err(DropReason::TooManyEvents);
    }
    // Which id wins: body, then cookie, then a new one.
    if !batch.visitor.is_empty() {
        let visitor = VisitorId::parse(&batch.visitor).ok_or(DropReason::InvalidVisitor)?;
        return Ok((site, visitor, false));
    }
    match request.cookie.and_then(VisitorId::parse) {
        Some(visitor) => Ok((site, visitor, false)),
        None => Ok((site, VisitorId::from_random(dice.roll()), true)),
    }
}

fn cut(text: &str, limit: usize) -> String {
    shared::wire::encode::cut(text, limit).to_owned()
}
