//! stub
use crate::{config::CrmConfig, crm::*};
use shared::fields::naming::Prefix;
pub struct Salesforce;
impl Salesforce {
    pub fn new(_: &CrmConfig, _: &Prefix, _: super::connection::Means) -> anyhow::Result<Self> {
        Ok(Self)
    }
}
#[async_trait]
impl Crm for Salesforce {
    async fn declare(&self, _: &[&'static Field]) -> Result<Declared, CrmError> {
        unimplemented!()
    }
    async fn push(&self, _: &Push<'_>) -> Result<Pushed, CrmError> {
        unimplemented!()
    }
    async fn note(&self, _: &RecordRef, _: &Note, _: bool) -> Result<(), CrmError> {
        unimplemented!()
    }
    async fn read(&self, _: &[RecordRef]) -> Result<Vec<Change>, CrmError> {
        unimplemented!()
    }
    fn feeds(&self) -> &'static [&'static str] {
        unimplemented!()
    }
    async fn changed(&self, _: &str, _: i64) -> Result<Page, CrmError> {
        unimplemented!()
    }
    fn receive(&self, _: &Webhook<'_>) -> Result<Received, Refused> {
        unimplemented!()
    }
    fn caller(&self) -> &call::Caller {
        unimplemented!()
    }
    async fn probe(&self) -> Result<(), CrmError> {
        unimplemented!()
    }
}
