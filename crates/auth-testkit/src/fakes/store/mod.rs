//! The store port in memory. One lock is one transaction, so every fact is as atomic as a database makes it.

mod accounts;
mod archive;
mod audit;
mod codes;
mod emails;
mod key_pairs;
mod lockouts;
mod outbox;
mod restraint;
mod sessions;
mod state;
mod upkeep;
mod users;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use auth_domain::{Revocations, StoreError, UserId};

use state::State;

/// The whole store port, in memory.
#[derive(Default)]
pub struct InMemoryStore {
    state: Mutex<State>,
    away: AtomicBool,
    told: Mutex<Vec<Arc<dyn Revocations>>>,
}

impl InMemoryStore {
    /// From now on `revocations` is told of what revokes or changes a credential.
    pub fn tell(&self, revocations: Arc<dyn Revocations>) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(revocations);
    }

    /// Tells of a fact that has happened. The lock on the state is given back by now.
    fn revoked(&self, user: UserId) {
        for revocations in self.told.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            revocations.forget_user(user);
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
        let mut state = self.lock();
        if let Some(row) = state.users.iter_mut().find(|row| row.user.id == user) {
            row.user.enabled = false;
        }
    }

    /// How many rows there are of users, sessions, key pairs, codes and mails.
    pub fn row_counts(&self) -> [usize; 5] {
        let state = self.lock();
        [state.users.len(), state.sessions.len(), state.key_pairs.len(), state.codes.len(), state.mails.len()]
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn transaction(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("the fake was told to be away"));
        }
        Ok(self.lock())
    }
}
