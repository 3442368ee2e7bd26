use std::sync::Arc;

use async_trait::async_trait;
use auth_domain::{Fact, Facts, Scope, State, StoreError};

use super::InMemoryStore;

impl InMemoryStore {
    /// What is stored in a scope.
    ///
    /// # Errors
    /// While the store is away.
    pub fn load(&self, scope: &Scope) -> Result<State, StoreError> {
        Ok(self.transaction()?.load(scope))
    }
}

#[async_trait]
impl Facts for InMemoryStore {
    async fn transact(&self, fact: Arc<dyn Fact>) -> Result<(), StoreError> {
        let changes = {
            let mut tables = self.transaction()?;
            let changes = fact.decide(&tables.load(fact.scope()))?;
            changes.iter().for_each(|change| tables.apply(change));
            changes
        };
        self.revoked(&changes.revoked());
        Ok(())
    }

    async fn view(&self, scope: &Scope) -> Result<State, StoreError> {
        self.load(scope)
    }
}
