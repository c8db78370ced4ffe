//! Conversions: turns a person named by a form handler or a page into a lead.

use crate::config::Identify;
use crate::leads::{LeadView, LoadError, Moment, load};
use crate::recipients::recipients;
use crate::settings::{Settings, Site};
use crate::subscriptions::Subscriptions;
use clew_api::LeadRequest;
use clew_core::json::{self, Unreadable};
use clew_core::{Core, Secret};
use clew_store::{Converted, DeliveryKind, Idempotency, NewConversion, StoreError};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use shared::ids::{ConversionId, EventId, LeadId, SiteId, VisitorId};
use shared::lead::{
    Contact, ContactError, Conversion, ConversionKind, JourneyState, Lead, LeadStatus, NamedBy,
    NormalContact, e164,
};
use shared::limits;
use shared::source::Rules;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use url::Url;

/// Reads the body of `POST /v1/leads`.
///
/// # Errors
/// [`ConversionError::Malformed`].
pub fn read_request(body: &[u8]) -> Result<LeadRequest, ConversionError> {
    Ok(json::read(body)?)
}

/// A person that a page named.
#[derive(Clone, Debug)]
pub struct Identified {
    /// The event that named the person; the conversion takes over its id.
    pub event: EventId,
    /// The person.
    pub person: NormalContact,
    /// The form, if the page named one.
    pub form: Option<String>,
    /// The site's signature of the person's e-mail or phone number, if the page sent one.
    pub signature: Option<String>,
}

/// The result of a conversion.
pub struct ConversionResult {
    /// The lead with its history up to the conversion.
    pub view: LeadView,
    /// The conversion.
    pub conversion: ConversionId,
    /// Whether an earlier request with the same idempotency key had already made the conversion.
    pub repeated: bool,
}

/// Why no lead was created.
#[derive(Debug, thiserror::Error)]
pub enum ConversionError {
    /// The body is not a lead.
    #[error("The body is not a lead: {0}.")]
    Malformed(#[from] Unreadable),
    /// The contact cannot be used.
    #[error("The lead was not stored: {0}.")]
    Contact(#[from] ContactError),
    /// The idempotency key is empty or too long.
    #[error("Idempotency-Key should have 1 to 255 characters.")]
    IdempotencyKey,
    /// The idempotency key was used for another request.
    #[error("This Idempotency-Key was used for another request; use a new one.")]
    KeyReused,
    /// The person has reached the limit of conversions.
    #[error(
        "The lead was not stored: this person already has {} conversions. Use other addresses for tests.",
        limits::LEAD_CONVERSIONS
    )]
    LeadFull,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Creates leads.
pub struct Conversions {
    core: Arc<Core>,
    subscriptions: Arc<Subscriptions>,
}

impl Conversions {
    /// Creates the service.
    pub fn new(core: Arc<Core>, subscriptions: Arc<Subscriptions>) -> Self {
        // Parsing the first phone number loads tables, which takes a tenth of a second: do it now.
        drop(e164("+41446681800", None));
        Self { core, subscriptions }
    }

    /// Creates a lead, or finds the existing one, from a form handler's request.
    ///
    /// # Errors
    /// [`ConversionError`].
    pub async fn from_request(
        &self,
        settings: &Settings,
        site: &SiteId,
        request: LeadRequest,
        idempotency: Option<Idempotency>,
    ) -> Result<ConversionResult, ConversionError> {
        let contact = Contact::from(request.contact).normalised(settings.country(site))?;
        let NormalContact { contact, raw } = contact;
        let (visitor, token) = (request.visitor.as_deref(), request.token.as_deref());
        let (named, journey) = self.identify_visitor(settings, site, visitor, token);
        let now_ms = self.core.now_ms();
        let conversion = Conversion {
            id: ConversionId::new(now_ms, self.core.random.bytes()),
            number: 0,
            at_ms: now_ms,
            kind: request.kind,
            visitor: named.map(|(visitor, _)| visitor),
            journey,
            contact,
            form_id: text(request.form.id),
            form_name: text(request.form.name),
            page_url: request.page.url.as_deref().and_then(|url| page_url(&settings.rules, url)),
            page_title: text(request.page.title),
            context: None,
            raw,
        };
        let trust = Trust { named_by: named.map(|(_, by)| by), ..Trust::KEY };
        let (lead, conversion, repeated) =
            self.store(settings, site, conversion, idempotency, trust).await?;
        let view = load(&*self.core.store, lead, Moment::Conversion(conversion)).await;
        let view = view.map_err(|error| match error {
            LoadError::Store(error) => error,
            missing => StoreError::Corrupt(format!("a lead was just stored, but {missing}")),
        })?;
        if let (false, Some(made)) = (repeated, view.history.conversions.last()) {
            self.core.metrics.conversion(made.journey);
        }
        Ok(ConversionResult { view, conversion, repeated })
    }

    /// Creates or proposes a lead from a person that a page named, depending on the site's
    /// settings. The event's id makes repeats harmless.
    ///
    /// # Errors
    /// The store's errors.
    pub async fn from_page(
        &self,
        settings: &Settings,
        site: &Site,
        visitor: VisitorId,
        identified: Identified,
    ) -> Result<(), ConversionError> {
        let Identified { event, person, form, signature } = identified;
        let NormalContact { contact, raw } = person;
        let (config, name) = (&site.config, &site.config.name);
        let is_signed = signature.is_some_and(|signature| {
            let is_genuine = is_signed(config.identify_secret.as_ref(), &contact, &signature);
            if !is_genuine {
                self.core.metrics.bad_signature();
            }
            is_genuine
        });
        let trust = match config.identify {
            Identify::Off => return Ok(()),
            Identify::Propose | Identify::Trust if is_signed => Trust::named_by(NamedBy::Signed),
            Identify::Trust => Trust::named_by(NamedBy::Page),
            Identify::Propose => Trust {
                named_by: Some(NamedBy::Page),
                proposed: true,
                delivered: config.deliver_proposed,
            },
        };
        let conversion = Conversion {
            id: ConversionId(event.0),
            number: 0,
            at_ms: self.core.now_ms(),
            kind: if form.is_some() { ConversionKind::Form } else { ConversionKind::Api },
            visitor: Some(visitor),
            journey: JourneyState::Known,
            contact,
            form_id: form,
            form_name: None,
            page_url: None,
            page_title: None,
            context: None,
            raw,
        };
        match self.store(settings, name, conversion, None, trust).await {
            Ok((.., false)) => self.core.metrics.conversion(JourneyState::Known),
            Ok((.., true)) => {}
            // The page gets no error: its events themselves are stored.
            Err(ConversionError::LeadFull) => self.core.metrics.lead_full(),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Confirms a proposed lead, as if a form handler had named the person. Returns the verified
    /// lead that it became part of; a lead that is already verified is returned unchanged.
    ///
    /// # Errors
    /// [`ConversionError`].
    pub async fn confirm(
        &self,
        settings: &Settings,
        proposed: Lead,
    ) -> Result<LeadId, ConversionError> {
        let Lead { id, site, status, contact, joins, .. } = proposed;
        match status {
            LeadStatus::Verified => return Ok(id),
            LeadStatus::Confirmed(lead) | LeadStatus::Merged(lead) => return Ok(lead),
            LeadStatus::Proposed => {}
        }
        let at_ms = self.core.now_ms();
        let conversion = Conversion {
            id: ConversionId::new(at_ms, self.core.random.bytes()),
            number: 0,
            at_ms,
            kind: ConversionKind::Api,
            visitor: joins.first().map(|join| join.visitor),
            journey: JourneyState::Known,
            contact,
            form_id: None,
            form_name: None,
            page_url: None,
            page_title: None,
            context: None,
            raw: Vec::new(),
        };
        // Concurrent confirmations make only one conversion.
        let idempotency = idempotency(Some(&format!("confirm {id}")), id.as_bytes())?;
        let trust = Trust::named_by(NamedBy::Cookie);
        let (lead, _, repeated) =
            self.store(settings, &site, conversion, idempotency, trust).await?;
        if !repeated {
            self.core.metrics.conversion(JourneyState::Known);
        }
        Ok(lead)
    }

    /// Stores a conversion. Returns the lead, the conversion, and whether an earlier request had
    /// stored it.
    async fn store(
        &self,
        settings: &Settings,
        site: &SiteId,
        conversion: Conversion,
        idempotency: Option<Idempotency>,
        trust: Trust,
    ) -> Result<(LeadId, ConversionId, bool), ConversionError> {
        let at_ms = conversion.at_ms;
        let destinations = match trust.delivered {
            true => {
                recipients(settings, &self.subscriptions, site, DeliveryKind::Converted).await?
            }
            false => Vec::new(),
        };
        let new = NewConversion {
            site: site.clone(),
            conversion,
            new_lead: LeadId::new(at_ms, self.core.random.bytes()),
            destinations,
            due_at_ms: at_ms + i64::from(settings.config.delivery.settle_seconds) * 1000,
            idempotency,
            named_by: trust.named_by,
            proposed: trust.proposed,
            shared_browser: settings
                .site(site.as_str())
                .map(|site| site.config.shared_browser)
                .unwrap_or_default(),
        };
        match self.core.store.convert(new).await? {
            Converted::KeyReused => Err(ConversionError::KeyReused),
            Converted::LeadFull(_) => Err(ConversionError::LeadFull),
            Converted::Stored { lead, conversion, repeated } => Ok((lead, conversion, repeated)),
        }
    }

    /// Finds the visitor. The token is sealed, so it comes first; if it is not valid, the cookie's
    /// value is used.
    fn identify_visitor(
        &self,
        settings: &Settings,
        site: &SiteId,
        visitor: Option<&str>,
        token: Option<&str>,
    ) -> (Option<(VisitorId, NamedBy)>, JourneyState) {
        let given = |text: Option<&str>| {
            text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let (visitor, token) = (given(visitor), given(token));
        if let Some(token) = &token {
            if let Some(visitor) = settings.tokens.open(site, token, self.core.now_ms()) {
                return (Some((visitor, NamedBy::Token)), JourneyState::Known);
            }
            self.core.metrics.bad_token();
        }
        match (visitor.map(|text| VisitorId::parse(&text)), token) {
            (Some(Some(visitor)), _) => (Some((visitor, NamedBy::Cookie)), JourneyState::Known),
            (_, Some(_)) => (None, JourneyState::BadToken),
            (Some(None), None) => (None, JourneyState::InvalidVisitor),
            (None, None) => (None, JourneyState::NoVisitor),
        }
    }
}

/// How far a conversion is trusted.
struct Trust {
    named_by: Option<NamedBy>,
    proposed: bool,
    /// Whether the lead is delivered to the site's destinations.
    delivered: bool,
}

impl Trust {
    /// The request had an API key.
    const KEY: Self = Self { named_by: None, proposed: false, delivered: true };

    fn named_by(by: NamedBy) -> Self {
        Self { named_by: Some(by), ..Self::KEY }
    }
}

/// Whether a signature is the site's signature of the contact: the hex HMAC-SHA256 of the e-mail in
/// lower case, or of the phone number if there is no e-mail.
fn is_signed(secret: Option<&Secret>, contact: &Contact, signature: &str) -> bool {
    let Some((secret, (_, value))) = secret.zip(contact.identities().next()) else { return false };
    let mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes());
    let Ok(mac) = mac.map(|mac| mac.chain_update(value)) else { return false };
    let genuine = base16ct::lower::encode_string(&mac.finalize().into_bytes());
    genuine.as_bytes().ct_eq(signature.trim().to_ascii_lowercase().as_bytes()).into()
}

/// Identifies repeats of a request by its `Idempotency-Key` and a hash of its body.
///
/// # Errors
/// [`ConversionError::IdempotencyKey`].
pub fn idempotency(key: Option<&str>, body: &[u8]) -> Result<Option<Idempotency>, ConversionError> {
    let Some(key) = key else { return Ok(None) };
    if key.is_empty() || key.len() > limits::IDEMPOTENCY_KEY_BYTES {
        return Err(ConversionError::IdempotencyKey);
    }
    Ok(Some(Idempotency { key: key.to_owned(), request: Sha256::digest(body).into() }))
}

fn text(value: Option<String>) -> Option<String> {
    let value = value?;
    let cut = shared::wire::encode::cut(value.trim(), limits::TEXT_BYTES);
    (!cut.is_empty()).then(|| cut.to_owned())
}

fn page_url(rules: &Rules, text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= limits::URL_BYTES)?;
    Some(rules.clean_url(&url))
}
