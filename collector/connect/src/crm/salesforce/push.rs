//! Writes a person into the existing record, or into a new one whose key is our lead's id.

use super::error::{SalesforceError, incomplete_response};
use super::find::{Found, Lookup};
use super::organization::Salesforce;
use super::person;
use super::soql::text;
use crate::call::Request;
use crate::crm::push::{Push, Pushed};
use crate::crm::record::RecordRef;
use crate::error::CallError;
use serde_json::{Map, Value};

/// We decide who is who by our own rules. A duplicate rule of the organization that only warns must
/// not stop a lead.
const ALLOW_DUPLICATES: (&str, &str) = ("Sforce-Duplicate-Rule-Header", "allowSave=true");

impl Salesforce {
    /// Finds or creates the record, and writes the differences.
    pub(super) async fn push_person(&self, push: &Push<'_>) -> Result<Pushed, CallError> {
        let written = self.try_again(push).await;
        let (record, created) = match written.map_err(CallError::from) {
            Ok(written) => written,
            Err(CallError::UnknownField { names, message }) => {
                return Err(self.unknown(push, names, message).await);
            }
            Err(error) => return Err(error),
        };
        let token = self.caller.tokens.get(&self.caller.transport).await.ok();
        let base = token.as_ref().and_then(|token| token.instance.as_ref());
        let base = base.unwrap_or(&self.caller.base).as_str().trim_end_matches('/');
        let url = Some(format!("{base}/{}", record.id));
        Ok(Pushed { record, created, url })
    }

    /// Someone may create, delete or convert the record between the read and the write. In that
    /// case, looks for it once more.
    async fn try_again(&self, push: &Push<'_>) -> Result<(RecordRef, bool), SalesforceError> {
        match self.try_once(push, push.known).await {
            Err(SalesforceError::Gone(_)) => self.try_once(push, None).await,
            Err(SalesforceError::Exists { record, .. }) => {
                self.try_once(push, record.as_ref()).await
            }
            written => written,
        }
    }

    async fn try_once(
        &self,
        push: &Push<'_>,
        known: Option<&RecordRef>,
    ) -> Result<(RecordRef, bool), SalesforceError> {
        let columns = person::columns(push, &self.prefix);
        let email = push.contact.email.as_deref();
        let lookup = Lookup { lead: push.lead, email, known, columns: &columns };
        match self.find(&lookup).await? {
            Some(found) => self.update(push, found).await,
            None => self.create(push).await,
        }
    }

    async fn update(
        &self,
        push: &Push<'_>,
        Found { record, row }: Found,
    ) -> Result<(RecordRef, bool), SalesforceError> {
        let body = person::changes(push, &self.prefix, &record.object, Some(&row));
        if !body.is_empty() {
            let path = format!("{}/sobjects/{}/{}", self.data, record.object, record.id);
            self.write(&path, body).await?;
        }
        Ok((record, false))
    }

    /// Creates the record by an upsert on our lead's id, so that two concurrent callers create only
    /// one.
    async fn create(&self, push: &Push<'_>) -> Result<(RecordRef, bool), SalesforceError> {
        let mut body = person::changes(push, &self.prefix, "Lead", None);
        let key = person::key(&self.prefix);
        body.remove(&key);
        let path = format!("{}/sobjects/Lead/{key}/{}", self.data, push.lead);
        let made = self.write(&path, body).await?;
        // Before API version 46, the response to an update was empty.
        if made.is_null() {
            let message = "the record already existed".to_owned();
            return Err(SalesforceError::Exists { record: None, message });
        }
        let id = text(&made, "id").ok_or_else(|| incomplete_response("id of the lead"))?.to_owned();
        Ok((RecordRef { object: "Lead".to_owned(), id }, made["created"] == true))
    }

    /// `LeadSource` may be a restricted list. The lead matters more than its source there.
    async fn write(
        &self,
        path: &str,
        mut body: Map<String, Value>,
    ) -> Result<Value, SalesforceError> {
        match self.patch(path, &body.clone().into()).await {
            Err(SalesforceError::NotListed { fields, .. }) if fields == ["LeadSource"] => {
                body.remove("LeadSource");
                self.patch(path, &body.into()).await
            }
            written => written,
        }
    }

    async fn patch(&self, path: &str, body: &Value) -> Result<Value, SalesforceError> {
        let headers = &[ALLOW_DUPLICATES];
        self.call(&Request { headers, ..Request::patch(path, body) }).await
    }

    /// Salesforce reports only one unknown field at a time, but the caller needs all of them.
    async fn unknown(&self, push: &Push<'_>, unknown: Vec<String>, message: String) -> CallError {
        let columns = person::columns(push, &self.prefix);
        if !unknown.iter().any(|name| columns.contains(name)) {
            return CallError::Invalid(format!(
                "{message}; the integration's user cannot see that field"
            ));
        }
        let mut names = unknown;
        for object in ["Lead", "Contact"] {
            let described = match self.describe(object).await {
                Ok(described) => described,
                Err(failure) => return failure.into(),
            };
            let is_writable = |name: &String| {
                described.get(name).is_some_and(|field| field["updateable"] == true)
            };
            names.extend(columns.iter().filter(|name| !is_writable(name)).cloned());
        }
        names.sort();
        names.dedup();
        CallError::UnknownField { names, message }
    }
}
