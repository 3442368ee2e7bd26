//! Carrying out what the domain decides: what it is decided by is read, and what comes of it written, in one transaction.

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use auth_domain::{Fact, Facts, Scope, State, StoreError};
use diesel::{Connection, SqliteConnection};

use crate::{SqliteStore, changes::apply, load::load, store::Revoked};

#[async_trait]
impl Facts for SqliteStore {
    async fn transact(&self, fact: Arc<dyn Fact>) -> Result<(), StoreError> {
        let turn = fact.turn().cloned().map(|key| (key, fact.asker()));
        let carry_out = move |conn: &mut SqliteConnection, revoked: &Revoked| {
            let changes = fact.decide(&load(conn, fact.scope())?)?;
            *revoked.lock().unwrap_or_else(PoisonError::into_inner) = changes.revoked();
            changes.iter().try_for_each(|change| apply(conn, change))
        };
        self.carry_out(turn, carry_out).await
    }

    async fn view(&self, scope: &Scope) -> Result<State, StoreError> {
        let scope = scope.clone();
        // All of its statements must see the same state, which takes a transaction.
        self.read(move |conn| conn.transaction(|conn| load(conn, &scope))).await
    }
}
