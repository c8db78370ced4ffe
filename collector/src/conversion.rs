//! From a person that a form handler or a page names to a lead.

use crate::config::Identify;
use crate::leads::{LeadView, LoadError, Moment, load};
use crate::recipients::recipients;
use crate::settings::{Settings, Site};
use crate::subscriptions::Subscriptions;
use clew_core::json::{self, Unreadable};
use clew_core::{Core, Secret};
use clew_store::{Converted, DeliveryKind, Idempotency, NewConversion, StoreError};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use shared::ids::{ConversionId, EventId, LeadId, SiteId, VisitorId};
use shared::lead::{
    Contact, ContactError, Conversion, ConversionKind, JourneyState, Lead, NamedBy, Standing, e164,
};
use shared::limits;
use shared::source::Rules;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use url::Url;

/// The body of `POST /v1/leads`. Unknown members are ignored.
#[derive(Debug, Deserialize)]
pub struct LeadRequest {
    /// Which of the key's sites is meant.
    #[serde(default)]
    pub site: Option<String>,
    /// The value of the visitor's cookie.
    #[serde(default)]
    pub visitor: Option<String>,
    /// The sealed token from the form's hidden field; believed before `visitor`.
    #[serde(default)]
    pub token: Option<String>,
    /// What made the conversion.
    #[serde(default, rename = "type")]
    pub kind: ConversionKind,
    /// Who.
    pub contact: Contact,
    /// Which form.
    #[serde(default)]
    pub form: FormNames,
    /// On which page.
    #[serde(default)]
    pub page: PageNames,
}

impl LeadRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// [`ConversionError::Malformed`].
    pub fn read(body: &[u8]) -> Result<Self, ConversionError> {
        Ok(json::read(body)?)
    }
}

/// A form's names.
#[derive(Debug, Default, Deserialize)]
pub struct FormNames {
    /// Its id in the page.
    #[serde(default)]
    pub id: Option<String>,
    /// Its name for people.
    #[serde(default)]
    pub name: Option<String>,
}

/// A page's names.
#[derive(Debug, Default, Deserialize)]
pub struct PageNames {
    /// Its address.
    #[serde(default)]
    pub url: Option<String>,
    /// Its title.
    #[serde(default)]
    pub title: Option<String>,
}

/// A person that a page named.
#[derive(Clone, Debug)]
pub struct Identified {
    /// The event that said so; the conversion takes its id.
    pub event: EventId,
    /// Who.
    pub contact: Contact,
    /// The form, where the page named one.
    pub form: Option<String>,
    /// The site's signature of who it is, where the page brought one.
    pub signature: Option<String>,
}

/// What a conversion became.
pub struct Made {
    /// The lead as it stands now.
    pub view: LeadView,
    /// The conversion.
    pub conversion: ConversionId,
    /// Whether an earlier request had made it.
    pub repeated: bool,
}

/// Why no lead was made.
#[derive(Debug, thiserror::Error)]
pub enum ConversionError {
    /// The body is not a lead.
    #[error("The body is not a lead: {0}.")]
    Malformed(#[from] Unreadable),
    /// The contact cannot be used.
    #[error("The lead was not stored: {0}.")]
    Contact(#[from] ContactError),
    /// The idempotency key has no usable length.
    #[error("Idempotency-Key should have 1 to 255 characters.")]
    IdempotencyKey,
    /// The idempotency key was used for another request.
    #[error("This Idempotency-Key was used for another request; use a new one.")]
    KeyReused,
    /// The person has as many conversions as one may have.
    #[error(
        "The lead was not stored: this person has {} conversions already. Tests should use other addresses.",
        limits::LEAD_CONVERSIONS
    )]
    LeadFull,
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes leads.
pub struct Conversions {
    core: Arc<Core>,
    subscriptions: Arc<Subscriptions>,
}

impl Conversions {
    /// On a store.
    pub fn new(core: Arc<Core>, subscriptions: Arc<Subscriptions>) -> Self {
        // The tables of phone numbers are read with the first one, which takes a tenth of a second.
        drop(e164("+41446681800", None));
        Self { core, subscriptions }
    }

    /// Makes a lead of a form handler's request.
    ///
    /// # Errors
    /// [`ConversionError`].
    pub async fn from_request(
        &self,
        settings: &Settings,
        site: &SiteId,
        request: LeadRequest,
        idempotency: Option<Idempotency>,
    ) -> Result<Made, ConversionError> {
        let contact = request.contact.normalised(settings.country(site))?;
        let (visitor, token) = (request.visitor.as_deref(), request.token.as_deref());
        let (named, journey) = self.who(settings, site, visitor, token);
        let now_ms = self.core.now_ms();
        let conversion = Conversion {
            id: ConversionId::new(now_ms, self.core.dice.roll()),
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
        };
        let trust = Trust { named_by: named.map(|(_, by)| by), ..Trust::KEY };
        let (lead, conversion, repeated) =
            self.store(settings, site, conversion, idempotency, trust).await?;
        let view = load(&*self.core.store, lead, Moment::Conversion(conversion)).await;
        let view = view.map_err(|error| match error {
            LoadError::Store(error) => error,
            missing => StoreError::Corrupt(format!("a lead was just stored, and {missing}")),
        })?;
        if let (false, Some(made)) = (repeated, view.history.conversions.last()) {
            self.core.metrics.conversion(made.journey);
        }
        Ok(Made { view, conversion, repeated })
    }

    /// Makes a lead of a person that a page named, or proposes one, as the site says; the event's id
    /// makes repeats harmless.
    ///
    /// # Errors
    /// The store's.
    pub async fn from_page(
        &self,
        settings: &Settings,
        site: &Site,
        visitor: VisitorId,
        identified: Identified,
    ) -> Result<(), ConversionError> {
        let Identified { event, contact, form, signature } = identified;
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
        };
        match self.store(settings, name, conversion, None, trust).await {
            Ok((.., false)) => self.core.metrics.conversion(JourneyState::Known),
            Ok((.., true)) => {}
            // Nobody is there to be told; the events themselves are kept.
            Err(ConversionError::LeadFull) => self.core.metrics.lead_full(),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Makes a lead of one that a page proposed, as if a form handler had named the person; the lead that
    /// it became. One that is verified stays as it is.
    ///
    /// # Errors
    /// [`ConversionError`].
    pub async fn confirm(
        &self,
        settings: &Settings,
        proposed: Lead,
    ) -> Result<LeadId, ConversionError> {
        let Lead { id, site, standing, contact, joins, .. } = proposed;
        match standing {
            Standing::Verified => return Ok(id),
            Standing::Confirmed(lead) => return Ok(lead),
            Standing::Proposed => {}
        }
        let at_ms = self.core.now_ms();
        let conversion = Conversion {
            id: ConversionId::new(at_ms, self.core.dice.roll()),
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
        };
        // Two that confirm it at once make one conversion.
        let idempotency = idempotency(Some(&format!("confirm {id}")), id.as_bytes())?;
        let trust = Trust::named_by(NamedBy::Cookie);
        let (lead, _, repeated) =
            self.store(settings, &site, conversion, idempotency, trust).await?;
        if !repeated {
            self.core.metrics.conversion(JourneyState::Known);
        }
        Ok(lead)
    }

    /// The lead, the conversion, and whether an earlier request had stored it.
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
            new_lead: LeadId::new(at_ms, self.core.dice.roll()),
            destinations,
            due_at_ms: at_ms + i64::from(settings.config.delivery.settle_seconds) * 1000,
            idempotency,
            named_by: trust.named_by,
            proposed: trust.proposed,
        };
        match self.core.store.convert(new).await? {
            Converted::KeyReused => Err(ConversionError::KeyReused),
            Converted::LeadFull(_) => Err(ConversionError::LeadFull),
            Converted::Stored { lead, conversion, repeated } => Ok((lead, conversion, repeated)),
        }
    }

    /// The token is sealed and so trusted first; a bad one still leaves the cookie's value.
    fn who(
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

/// How far what a conversion says is believed.
struct Trust {
    named_by: Option<NamedBy>,
    proposed: bool,
    /// Whether the site's destinations get it.
    delivered: bool,
}

impl Trust {
    /// Somebody with an API key says it.
    const KEY: Self = Self { named_by: None, proposed: false, delivered: true };

    fn named_by(by: NamedBy) -> Self {
        Self { named_by: Some(by), ..Self::KEY }
    }
}

/// Whether a signature is the site's, of who the contact is: hex of HMAC-SHA256 of what the person is
/// found by, the e-mail in lower case, or the phone where there is no e-mail.
fn is_signed(secret: Option<&Secret>, contact: &Contact, signature: &str) -> bool {
    let Some((secret, (_, value))) = secret.zip(contact.identities().next()) else { return false };
    let mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes());
    let Ok(mac) = mac.map(|mac| mac.chain_update(value)) else { return false };
    let genuine = base16ct::lower::encode_string(&mac.finalize().into_bytes());
    genuine.as_bytes().ct_eq(signature.trim().to_ascii_lowercase().as_bytes()).into()
}

/// By what a repeat of a request is known: its `Idempotency-Key`, and its body.
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
