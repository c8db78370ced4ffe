//! The collector's metrics, in the Prometheus text format.

use crate::refusal::Refusal;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use shared::outcome::Outcome;

/// All metrics.
pub struct Metrics {
    registry: Registry,
    events: Family<OutcomeLabel, Counter>,
    batches: Family<SenderLabel, Counter>,
    minted: Counter,
    flagged: Family<ReasonLabel, Counter>,
    leads: Family<JourneyLabel, Counter>,
    bad_tokens: Counter,
    bad_signatures: Counter,
    full_leads: Counter,
    limited: Family<LimitLabel, Counter>,
    forgotten: Counter,
    deliveries: Family<OutcomeLabel, Counter>,
    answers: Family<AnswerLabel, Counter>,
    refused: Family<ReasonLabel, Counter>,
    connections: Gauge,
    queued: Gauge,
    /// Absent if the store has no disk of its own.
    free_bytes: Family<NoLabels, Gauge>,
    commit_wait: Histogram,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct SenderLabel {
    sender: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabel {
    reason: String,
}

impl From<Refusal> for ReasonLabel {
    fn from(refusal: Refusal) -> Self {
        Self { reason: refusal.as_str().to_owned() }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct JourneyLabel {
    journey: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct AnswerLabel {
    answer: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct LimitLabel {
    by: &'static str,
}
type NoLabels = [(&'static str, &'static str); 0];

/// How a delivery attempt ended.
#[derive(Clone, Copy, Debug)]
pub enum DeliveryOutcome {
    /// Accepted.
    Sent,
    /// Failed; will be tried again.
    Retry,
    /// Postponed; does not count as an attempt.
    PutOff,
    /// Failed for good.
    Dead,
}

impl Default for Metrics {
    fn default() -> Self {
        let commit_wait =
            Histogram::new([0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0]);
        let mut metrics = Self {
            registry: Registry::with_prefix("clew"),
            events: Family::default(),
            batches: Family::default(),
            minted: Counter::default(),
            flagged: Family::default(),
            leads: Family::default(),
            bad_tokens: Counter::default(),
            bad_signatures: Counter::default(),
            full_leads: Counter::default(),
            limited: Family::default(),
            forgotten: Counter::default(),
            deliveries: Family::default(),
            answers: Family::default(),
            refused: Family::default(),
            connections: Gauge::default(),
            queued: Gauge::default(),
            free_bytes: Family::default(),
            commit_wait,
        };
        // Every outcome exists from the start, so that rates have no gap at the beginning.
        for outcome in Outcome::ALL {
            drop(metrics.events.get_or_create(&OutcomeLabel { outcome: outcome.as_str() }));
        }
        for refusal in Refusal::ALL {
            drop(metrics.refused.get_or_create(&refusal.into()));
        }
        let registry = &mut metrics.registry;
        registry.register("events", "Received events, by outcome", metrics.events.clone());
        registry.register("batches", "Batches, by sender", metrics.batches.clone());
        registry.register(
            "visitors_minted",
            "Visitors that got their id from the collector because the browser had none",
            metrics.minted.clone(),
        );
        registry.register(
            "flagged_page_views",
            "Page views that are stored but excluded from reports, by reason",
            metrics.flagged.clone(),
        );
        registry.register(
            "conversions",
            "Conversions, by whether their journey is known",
            metrics.leads.clone(),
        );
        registry.register(
            "bad_tokens",
            "Sealed tokens that were forged, damaged or from another site",
            metrics.bad_tokens.clone(),
        );
        registry.register(
            "bad_signatures",
            "Persons identified by a page with an invalid signature",
            metrics.bad_signatures.clone(),
        );
        registry.register(
            "full_leads",
            "Conversions reported by a page that were not stored because the lead has too many",
            metrics.full_leads.clone(),
        );
        registry.register(
            "limited",
            "Batches and conversions refused by a rate limit, by limit",
            metrics.limited.clone(),
        );
        registry.register(
            "unmatched_forgotten",
            "Unmatched records that were deleted because their site had too many",
            metrics.forgotten.clone(),
        );
        registry.register(
            "delivery_attempts",
            "Delivery attempts, by outcome",
            metrics.deliveries.clone(),
        );
        registry.register(
            "api_answers",
            "API responses: ok, or the problem type",
            metrics.answers.clone(),
        );
        registry.register(
            "refused",
            "Connections and requests that were refused or cut off, by reason",
            metrics.refused.clone(),
        );
        registry.register(
            "connections",
            "Open connections on the public address",
            metrics.connections.clone(),
        );
        registry.register("store_queue", "Writes that are not durable yet", metrics.queued.clone());
        registry.register(
            "store_free_bytes",
            "Free bytes on the disk that holds the store's folder",
            metrics.free_bytes.clone(),
        );
        registry.register(
            "store_wait_seconds",
            "Seconds from a batch's arrival until it is durable",
            metrics.commit_wait.clone(),
        );
        metrics
    }
}

impl Metrics {
    /// Counts events with the same outcome.
    pub fn events(&self, outcome: Outcome, count: usize) {
        if count > 0 {
            self.events
                .get_or_create(&OutcomeLabel { outcome: outcome.as_str() })
                .inc_by(count as u64);
        }
    }

    /// Counts a batch. `sender` comes from the browser, so unknown values are counted as `other`.
    pub fn batch(&self, sender: &str) {
        let sender = match sender {
            "module" => "module",
            "loader" => "loader",
            "pixel" => "pixel",
            _ => "other",
        };
        self.batches.get_or_create(&SenderLabel { sender }).inc();
    }

    /// Counts a visitor whose id the collector made.
    pub fn minted(&self) {
        self.minted.inc();
    }

    /// Counts a flagged page view. Only the kind becomes a label, not what follows the colon (a
    /// word, a network). The kinds are a fixed list: those of the rules and of the ingest steps.
    pub fn flagged(&self, reason: &str) {
        let kind = reason.split(':').next().unwrap_or_default();
        self.flagged.get_or_create(&ReasonLabel { reason: kind.to_owned() }).inc();
    }

    /// Counts a conversion.
    pub fn conversion(&self, journey: shared::lead::JourneyState) {
        let word = serde_json::to_value(journey).unwrap_or_default();
        let journey = word.as_str().unwrap_or_default().to_owned();
        self.leads.get_or_create(&JourneyLabel { journey }).inc();
    }

    /// Counts an invalid signature.
    pub fn bad_signature(&self) {
        self.bad_signatures.inc();
    }

    /// Counts what a rate limit refused. `by` is `client`, `visitor`, `person` or `site_day`.
    pub fn limited(&self, by: &'static str) {
        self.limited.get_or_create(&LimitLabel { by }).inc();
    }

    /// Counts a conversion that was not stored because its lead has too many.
    pub fn lead_full(&self) {
        self.full_leads.inc();
    }

    /// Counts a token that could not be opened.
    pub fn bad_token(&self) {
        self.bad_tokens.inc();
    }

    /// Counts unmatched records that were deleted.
    pub fn forgot_unmatched(&self, count: usize) {
        self.forgotten.inc_by(count as u64);
    }

    /// Counts a delivery attempt.
    pub fn delivery(&self, outcome: DeliveryOutcome) {
        let outcome = match outcome {
            DeliveryOutcome::Sent => "sent",
            DeliveryOutcome::Retry => "retry",
            DeliveryOutcome::PutOff => "put_off",
            DeliveryOutcome::Dead => "dead",
        };
        self.deliveries.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts an API response: `ok` or a problem type, which is a closed list.
    pub fn answered(&self, answer: &str) {
        self.answers.get_or_create(&AnswerLabel { answer: answer.to_owned() }).inc();
    }

    /// Counts a refusal.
    pub fn refused(&self, refusal: Refusal) {
        self.refused.get_or_create(&refusal.into()).inc();
    }

    /// Sets the number of open connections.
    pub fn connections(&self, open: usize) {
        self.connections.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// Records how long a batch waited until it was durable.
    pub fn waited(&self, seconds: f64) {
        self.commit_wait.observe(seconds);
    }

    /// The response body of `/metrics`.
    pub fn encode(&self, queued: usize, free_bytes: Option<u64>) -> String {
        self.queued.set(i64::try_from(queued).unwrap_or(i64::MAX));
        if let Some(free) = free_bytes {
            self.free_bytes.get_or_create(&[]).set(i64::try_from(free).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}
