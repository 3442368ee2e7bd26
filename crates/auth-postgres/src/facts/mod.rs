//! Facts: the domain decides them, this locks, reads and writes.
//!
//! | file | what it holds |
//! |---|---|
//! | `locks` | what a scope locks, in the one order |
//! | `load` | what is stored in a scope |
//! | `address` | of that, what is about an address |
//! | `changes` | a statement, or a few, for every change |
//! | `pipeline` | statements that are sent without waiting in between |
//!
//! A fact takes two round trips: one for its locks and reads, and one for what it writes and the commit.

mod address;
mod changes;
mod load;
mod locks;
mod pipeline;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use auth_domain::{Change, Changes, Fact, Facts, Scope, State, StoreError, UserId};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use uuid::Uuid;

pub(crate) use pipeline::Progress;

use crate::{PostgresStore, error::Failure, statement::Statement};

#[async_trait]
impl Facts for PostgresStore {
    async fn transact(&self, fact: Arc<dyn Fact>) -> Result<(), StoreError> {
        self.carry_out(fact).await
    }

    async fn view(&self, scope: &Scope) -> Result<State, StoreError> {
        // A look at limits asks for several things that need not be of one moment.
        if scope.network.is_some() || (scope.address.is_none() && scope.user.is_none()) {
            return self.read(scope.clone(), |conn, scope| Box::pin(load::view(conn, scope))).await;
        }
        self.view(scope.clone(), |conn, scope| Box::pin(load::view(conn, scope))).await
    }
}

/// A fact on its way, and what it may have done.
pub(crate) struct Attempts {
    fact: Arc<dyn Fact>,
    progress: Progress,
    /// Whose credentials may have ended or changed by it, once anything of it was sent.
    revoked: Mutex<Vec<UserId>>,
}

impl Attempts {
    pub(crate) fn new(fact: Arc<dyn Fact>) -> Self {
        Self { fact, progress: Progress::new(), revoked: Mutex::default() }
    }

    /// When its connection has answered last.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Whose credentials may have ended or changed, whatever came of it.
    pub(crate) fn into_revoked(self) -> Vec<UserId> {
        self.revoked.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries to carry it out, in a transaction that is rolled back when that fails.
    pub(crate) async fn make(&self, conn: &mut AsyncPgConnection) -> Result<(), Failure> {
        let made = match load::lock_and_load(conn, self.fact.scope(), &self.progress).await {
            Ok(state) => match self.fact.decide(&state) {
                Ok(changes) if !changes.is_empty() => self.commit(conn, &changes).await,
                Ok(_nothing) => return Ok(conn.batch_execute("ROLLBACK").await?),
                Err(error) => Err(error.into()),
            },
            Err(failure) => Err(failure),
        };
        if made.is_err() {
            // Should this fail too, the connection is of no use to anybody.
            conn.batch_execute("ROLLBACK").await?;
        }
        made
    }

    /// Writes all of these and commits, in one round trip.
    async fn commit(&self, conn: &AsyncPgConnection, changes: &Changes) -> Result<(), Failure> {
        let revoked = changes.revoked();
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner).extend(&revoked);
        let mut statements: Vec<_> = changes.iter().flat_map(|change| changes::write(conn, change)).collect();
        statements.extend(changes::put_throttles(conn, changes));
        statements.extend(revoked.into_iter().map(|user| changes::announce(conn, user)));
        // After a failure this rolls back without a word: what counts is that everything before it succeeded.
        let mut commit = conn;
        statements.push(Statement::<()>::new("COMMIT", Vec::new()).execute(&mut commit));
        Ok(pipeline::in_order(statements, &self.progress).await?)
    }
}

/// Deletes registrations in the transaction that is under way.
pub(crate) async fn delete_registrations(conn: &AsyncPgConnection, ids: &[Uuid]) -> Result<(), Failure> {
    let deletions = ids.iter().map(|id| Change::DeleteRegistration((*id).into()));
    let statements = deletions.flat_map(|change| changes::write(conn, &change)).collect();
    Ok(pipeline::in_order(statements, &Progress::new()).await?)
}
