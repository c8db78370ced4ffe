//! Ingest: judges a batch of events in named steps, each of which keeps an event or drops it with a
//! reason, and stores what is kept.
//!
//! First the batch as a whole is checked (`open`), then each event (`STEPS`). Judging is
//! independent of HTTP and of the store: it takes a [`Request`] and returns a [`JudgedBatch`], which
//! [`Ingest`] stores.

mod request;
mod steps;

pub use request::Request;

use crate::conversion::{ConversionError, Conversions, Identified};
use crate::limiter::{Limited, Limiter, Load};
use crate::settings::{Settings, Site};
use clew_core::{Core, Random};
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

/// A judged batch: the events to store and the outcomes known so far.
pub struct JudgedBatch<'a> {
    /// The site.
    pub site: &'a Site,
    /// Whether the collector assigned the visitor's id.
    pub minted: bool,
    /// Whether the browser may keep the visitor's cookie.
    pub keep_cookie: bool,
    /// The domain for the cookie, if the browser named a valid one.
    pub cookie_domain: Option<String>,
    /// `module`, `loader` or `pixel`, as reported by the browser.
    pub sender: String,
    /// What the store should keep, in the order sent.
    pub arrivals: Arrivals,
    /// The id and outcome of each event, in the order sent; the outcome is `None` if the store
    /// decides.
    pub outcomes: Vec<(Option<EventId>, Option<Outcome>)>,
    /// The persons that the events name.
    pub identified: Vec<Identified>,
}

/// Why a whole batch is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchRefusal {
    /// The outcome of all its events.
    pub reason: DropReason,
    /// The number of events; 1 if it is not known.
    pub events: usize,
    /// The rate limit that was exceeded, if that is the reason.
    pub limited: Option<Limited>,
}

impl BatchRefusal {
    fn of(events: usize) -> impl Fn(DropReason) -> Self {
        move |reason| Self { reason, events, limited: None }
    }
}

/// Parses a batch, checks it against the rate limits (`admit`), and judges its events. A visitor
/// without an id gets one from the dice.
///
/// # Errors
/// If the whole batch is refused.
pub fn judge<'a>(
    random: &Random,
    settings: &'a Settings,
    request: Request<'_>,
    body: &[u8],
    admit: impl FnOnce(&'a Site, Load) -> Result<(), Limited>,
) -> Result<JudgedBatch<'a>, BatchRefusal> {
    let batch = Batch::parse(body).map_err(BatchRefusal::of(1))?;
    let events = batch.events.len().max(1);
    let (site, visitor, minted) =
        open(random, settings, request, &batch).map_err(BatchRefusal::of(events))?;
    let candidates: Vec<_> = batch.events.iter().map(|raw| Candidate::parse(raw)).collect();
    let persons = candidates.iter().flatten().filter(|event| event.names_a_person()).count();
    let persons = persons.min(limits::BATCH_PERSONS);
    let load = Load { client: request.client, visitor, events, persons, bytes: body.len() };
    admit(site, load).map_err(|limited| BatchRefusal {
        limited: Some(limited),
        ..BatchRefusal::of(events)(DropReason::RateLimited)
    })?;
    let context = VisitorContext {
        language: cut(&batch.language, 35),
        user_agent: cut(request.user_agent, limits::TEXT_BYTES),
        consent: cut(&batch.consent, 16),
        gpc: batch.gpc,
        dnt: batch.dnt,
        ad_cookies: AdCookies::read(&batch.ga, &batch.ga_session, &batch.fbc, &batch.fbp),
    };
    let mut judged = JudgedBatch {
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
    let context = steps::StepContext { settings, site, request, batch: &batch };
    let mut persons = 0;
    for candidate in candidates {
        let id = candidate.as_ref().ok().map(|candidate| candidate.event.id);
        let run = |mut candidate: Candidate| {
            persons += usize::from(candidate.names_a_person());
            if candidate.names_a_person() && persons > limits::BATCH_PERSONS {
                return Err(DropReason::TooManyEvents);
            }
            STEPS.iter().try_for_each(|(_, step)| step(&mut candidate, &context))?;
            Ok(candidate)
        };
        match candidate.and_then(run) {
            Err(reason) => judged.outcomes.push((id, Some(Outcome::Dropped(reason)))),
            Ok(candidate) => {
                judged.outcomes.push((id, None));
                let (arrival, identified) = candidate.into_arrival(&context);
                judged.arrivals.events.push(arrival);
                judged.identified.extend(identified);
            }
        }
    }
    Ok(judged)
}

/// The result for the browser.
pub struct Accepted {
    /// The visitor.
    pub visitor: VisitorId,
    /// Whether the browser may keep the visitor's cookie.
    pub keep_cookie: bool,
    /// The domain for the cookie.
    pub cookie_domain: Option<String>,
    /// The visitor's sealed token.
    pub token: Option<String>,
    /// The number of new events, which are now durable.
    pub stored: usize,
    /// The number of events that had been stored before.
    pub duplicate: usize,
    /// The dropped events, with their ids if they have one.
    pub dropped: Vec<(Option<EventId>, DropReason)>,
}

/// Why no event of a batch was acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The whole batch was refused.
    #[error("the batch was refused: {}", .0.as_str())]
    Refused(DropReason),
    /// The whole batch exceeded a rate limit.
    #[error("the batch was refused: retry in {} s", .0.retry_after_s)]
    Limited(Limited),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An event named a person, but no lead could be created.
    #[error(transparent)]
    Conversion(#[from] ConversionError),
}

/// Stores browsers' events.
pub struct Ingest {
    core: Arc<Core>,
    limiter: Arc<Limiter>,
    conversions: Arc<Conversions>,
}

impl Ingest {
    /// Creates the service.
    pub fn new(core: Arc<Core>, limiter: Arc<Limiter>, conversions: Arc<Conversions>) -> Self {
        Self { core, limiter, conversions }
    }

    /// Counts a batch that was refused before it was read.
    pub fn refuse(&self, reason: DropReason) -> IngestError {
        self.core.metrics.events(Outcome::Dropped(reason), 1);
        IngestError::Refused(reason)
    }

    /// Judges a batch, stores what is kept, and counts one outcome for every event.
    ///
    /// # Errors
    /// [`IngestError`]; no event is acknowledged then.
    pub async fn accept(
        &self,
        settings: &Settings,
        request: Request<'_>,
        body: &[u8],
    ) -> Result<Accepted, IngestError> {
        let metrics = &self.core.metrics;
        let admit = |site: &Site, load| self.limiter.batch(settings, &site.config.name, load);
        let judged = judge(&self.core.random, settings, request, body, admit);
        let judged = judged.map_err(|BatchRefusal { reason, events, limited }| {
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
        // Events without a known outcome went to the store, which returns one outcome per event in
        // order, or fails for all.
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
        // Sending the batch again repeats this; the event's id makes that harmless.
        for one in judged.identified.into_iter().filter(|named| kept.contains(&named.event)) {
            let identity = one.person.contact.identities().next();
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

/// Checks the batch as a whole: site, origin, number of events and visitor.
fn open<'a>(
    random: &Random,
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
    // The id comes from the body, else from the cookie, else it is new.
    if !batch.visitor.is_empty() {
        let visitor = VisitorId::parse(&batch.visitor).ok_or(DropReason::InvalidVisitor)?;
        return Ok((site, visitor, false));
    }
    match request.cookie.and_then(VisitorId::parse) {
        Some(visitor) => Ok((site, visitor, false)),
        None => Ok((site, VisitorId::from_random(random.bytes()), true)),
    }
}

fn cut(text: &str, limit: usize) -> String {
    shared::wire::encode::cut(text, limit).to_owned()
}
