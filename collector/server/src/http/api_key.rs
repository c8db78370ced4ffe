//! API keys as extractors. A handler runs only with the key it names, and reaches a site's data only with a
//! scope: [`Access`] to a site comes from [`Allowed`] and [`Holder`], which check it.

use super::query::{Query, SiteQuery};
use crate::problem::ApiError;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use clew_api::{Key, Timestamp};
use clew_core::Core;
use collector::config::{KeyConfig, Scope};
use collector::settings::{CurrentSettings, Settings};
use shared::ids::SiteId;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

/// A scope as a type, for extractors to name.
pub(super) trait Needs: 'static {
    const SCOPE: Scope;
}

/// Reports leads, stages and revenue.
pub(super) enum LeadsWrite {}
/// Reads leads.
pub(super) enum LeadsRead {}
/// Manages webhooks.
pub(super) enum Hooks {}
/// Does what only an operator should do.
pub(super) enum Admin {}

impl Needs for LeadsWrite {
    const SCOPE: Scope = Scope::LeadsWrite;
}

impl Needs for LeadsRead {
    const SCOPE: Scope = Scope::LeadsRead;
}

impl Needs for Hooks {
    const SCOPE: Scope = Scope::Hooks;
}

impl Needs for Admin {
    const SCOPE: Scope = Scope::Admin;
}

/// A valid key, whatever its scopes. It gives no access to a site.
pub(super) struct ApiKey {
    config: KeyConfig,
    /// The settings that the key was found in; the rest of the request keeps to them.
    settings: Arc<Settings>,
}

/// A key with the scope `S`, for handlers that learn the site from the body or the path.
pub(super) struct Holder<S> {
    key: ApiKey,
    /// The site that the query names.
    named: Option<String>,
    scope: PhantomData<S>,
}

/// A key with the scope `S`, and the site that the request is about.
pub(super) struct Allowed<S> {
    access: Access,
    scope: PhantomData<S>,
}

/// Access to one site, as far as the key's scopes allow.
pub(super) struct Access {
    pub(super) site: SiteId,
    pub(super) settings: Arc<Settings>,
    key: KeyConfig,
}

impl ApiKey {
    /// The key that a request brings.
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let key = Self::known(request).ok_or(ApiError::Unauthorized)?;
        let now_ms = request.app_data::<Data<Core>>().map(|core| core.now_ms());
        let ended =
            key.config.expires.as_ref().filter(|it| now_ms.is_none_or(|now| now >= it.at_ms()));
        match ended {
            Some(expiry) => Err(ApiError::KeyExpired(expiry.at_ms())),
            None => Ok(key),
        }
    }

    fn known(request: &HttpRequest) -> Option<Self> {
        let settings = request.app_data::<Data<CurrentSettings>>()?.get();
        let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, key) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        // All keys are compared, so that the time does not tell which was near.
        let matching = settings.config.keys.iter().fold(None, |found, entry| {
            match entry.hash.matches(key.trim()) {
                true => Some(entry),
                false => found,
            }
        });
        let config = matching?.clone();
        Some(Self { config, settings })
    }

    /// The settings that it was found in.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What it is and what it may do.
    pub(super) fn describe(&self) -> Key<'_> {
        let KeyConfig { name, sites, scopes, expires, .. } = &self.config;
        Key {
            key_name: name,
            sites,
            scopes: scopes.names(),
            expires_at: expires.as_ref().map(|expiry| Timestamp(expiry.at_ms())),
        }
    }
}

impl<S: Needs> Holder<S> {
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let key = ApiKey::of(request)?;
        if !key.config.scopes.allow(S::SCOPE) {
            return Err(ApiError::MissingScope(S::SCOPE));
        }
        let named = Query::<SiteQuery>::of(request)?.site.clone();
        Ok(Self { key, named, scope: PhantomData })
    }

    /// Access to the site that the request names in its query or `elsewhere`. With a key for one site it may be
    /// left out.
    pub(super) fn on(self, elsewhere: Option<&str>) -> Result<Access, ApiError> {
        let Self { key: ApiKey { config, settings }, named, .. } = self;
        let site = match (named.as_deref(), elsewhere, config.sites.as_slice()) {
            (Some(one), Some(other), _) if one != other => {
                let detail = "The query and the body name different sites.";
                return Err(ApiError::Invalid(detail.into()));
            }
            (None, None, [only]) => Some(only),
            (None, None, _) => {
                let detail = "This key opens several sites: say which one is meant with `?site=`.";
                return Err(ApiError::Invalid(detail.into()));
            }
            (Some(name), ..) | (None, Some(name), _) => {
                config.sites.iter().find(|site| site.as_str() == name)
            }
        };
        let site = site.ok_or(ApiError::OtherSite)?.clone();
        Ok(Access { site, settings, key: config })
    }
}

impl Access {
    /// The key's name.
    pub(super) fn name(&self) -> &str {
        &self.key.name
    }

    /// Whether the key may also do what needs another scope.
    pub(super) fn may(&self, scope: Scope) -> bool {
        self.key.scopes.allow(scope)
    }
}

impl<S> Deref for Allowed<S> {
    type Target = Access;

    fn deref(&self) -> &Access {
        &self.access
    }
}

impl FromRequest for ApiKey {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl<S: Needs> FromRequest for Holder<S> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl<S: Needs> FromRequest for Allowed<S> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let access = Holder::<S>::of(request).and_then(|holder| holder.on(None));
        ready(access.map(|access| Self { access, scope: PhantomData }))
    }
}
