//! The store port in memory: a vector for each table. One lock is one transaction, so every fact is as atomic as a database
//! makes it.

mod accounts;
mod archive;
mod audit;
mod changes;
mod facts;
mod key_pairs;
mod lockouts;
mod outbox;
mod sessions;
mod tables;
mod upkeep;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use auth_domain::{Revocations, StoreError, UserId};

use tables::Tables;

/// The whole store port, in memory.
#[derive(Default)]
pub struct InMemoryStore {
    tables: Mutex<Tables>,
    away: AtomicBool,
    told: Mutex<Vec<Arc<dyn Revocations>>>,
}

impl InMemoryStore {
    /// From now on `revocations` is told of what revokes or changes a credential.
    pub fn tell(&self, revocations: Arc<dyn Revocations>) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(revocations);
    }

    /// Tells of facts that have happened.
    fn revoked(&self, users: &[UserId]) {
        for revocations in self.told.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            for user in users {
                revocations.forget_user(*user);
            }
        }
    }

    /// From now on every call fails as if the database were out of reach; what is stored stays.
    pub fn go_away(&self) {
        self.away.store(true, Ordering::SeqCst);
    }

    /// The store answers again.
    pub fn come_back(&self) {
        self.away.store(false, Ordering::SeqCst);
    }

    /// Disables a user's account.
    pub fn disable(&self, user: UserId) {
        if let Some(row) = self.lock().users.iter_mut().find(|row| row.user.id == user) {
            row.user.enabled = false;
        }
    }

    /// How many rows there are of users, sessions, key pairs, codes and mails.
    pub fn row_counts(&self) -> [usize; 5] {
        let tables = self.lock();
        [tables.users.len(), tables.sessions.len(), tables.key_pairs.len(), tables.codes.len(), tables.mails.len()]
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn transaction(&self) -> Result<MutexGuard<'_, Tables>, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("the fake was told to be away"));
        }
        Ok(self.lock())
    }
}
