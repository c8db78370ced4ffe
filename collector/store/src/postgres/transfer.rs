//! Export and import on PostgreSQL.

use super::{PostgresStore, export, import, rows, statements as sql};
use crate::entity::{Contents, Entities, ImportPart, ImportState};
use crate::error::StoreError;
use crate::verbs::Transfer;
use async_trait::async_trait;

impl PostgresStore {
    /// The progress of an unfinished import.
    pub(super) async fn importing(&self) -> Result<Option<ImportState>, StoreError> {
        let found = self.query(&sql::IMPORTING, rows::Parameters::default()).await?;
        found.first().map(import::state).transpose()
    }
}

#[async_trait]
impl Transfer for PostgresStore {
    fn export(&self) -> Entities {
        let (sender, entities) = Entities::channel();
        if let Ok(runtime) = self.threads.runtime() {
            runtime.spawn(export::export(self.connections.clone(), sender));
        }
        entities
    }

    async fn contents(&self) -> Result<Contents, StoreError> {
        if let Some(state) = self.importing().await? {
            return Ok(Contents::Import(state));
        }
        for any in [
            &sql::ANY_VISITOR,
            &sql::ANY_LEAD,
            &sql::ANY_IDENTITY,
            &sql::ANY_USED_KEY,
            &sql::ANY_UNMATCHED,
            &sql::ANY_MEMO,
        ] {
            if !self.query(any, rows::Parameters::default()).await?.is_empty() {
                return Ok(Contents::Something);
            }
        }
        Ok(Contents::Nothing)
    }

    async fn import(&self, part: ImportPart) -> Result<(), StoreError> {
        let connections = self.connections.clone();
        self.run(async move { import::import(&connections, &part).await }).await
    }
}
