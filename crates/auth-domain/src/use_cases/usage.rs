use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::Auth;
use crate::{CredentialId, StoreError, Timestamp};

/// How many credentials' last uses are kept between two batches. One more is dropped: it is noted at its next use.
const KEPT_AT_MOST: usize = 100_000;

/// How many are written at once, so that requests get their turn in between.
const WRITTEN_AT_ONCE: usize = 500;

/// When each credential was last used, since the last batch was written.
#[derive(Default)]
pub(super) struct Usage(Mutex<HashMap<CredentialId, Timestamp>>);

impl Usage {
    /// Returns whether there was room for it.
    pub(super) fn note(&self, id: CredentialId, now: Timestamp) -> bool {
        let mut noted = self.noted();
        let has_room = noted.len() < KEPT_AT_MOST || noted.contains_key(&id);
        if has_room {
            let latest = noted.entry(id).or_insert(now);
            *latest = now.max(*latest);
        }
        has_room
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<CredentialId, Timestamp>> {
        // Whoever panicked here left a map of times behind, which is as good as any other.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Auth {
    /// Writes the last uses noted since the previous call. To be called every few seconds and before stopping: a
    /// crash loses what came since. When the store fails, what was noted is kept for the next time.
    pub async fn flush_usage(&self) -> Result<(), StoreError> {
        let mut noted = mem::take(&mut *self.usage.noted()).into_iter();
        loop {
            let chunk: Vec<_> = noted.by_ref().take(WRITTEN_AT_ONCE).collect();
            if chunk.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.ports.store.record_usage(&chunk).await {
                for (id, at) in noted.chain(chunk) {
                    self.usage.note(id, at);
                }
                return Err(error);
            }
        }
    }
}
