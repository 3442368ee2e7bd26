use std::{collections::HashMap, hash::Hash, iter::repeat_n};

use auth_domain::StoreError;
use tokio::sync::oneshot;

pub(super) type Answer<R> = Result<Option<R>, StoreError>;

/// Somebody who waits for what there is with this key.
pub(super) struct Asker<K, R> {
    pub(super) key: K,
    pub(super) answer: oneshot::Sender<Answer<R>>,
}

/// Those who are answered together. Several may ask for the same.
pub(super) struct Askers<K, R>(HashMap<K, Vec<oneshot::Sender<Answer<R>>>>);

impl<K, R> Default for Askers<K, R> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq, R: Clone> Askers<K, R> {
    pub(super) fn add(&mut self, Asker { key, answer }: Asker<K, R>) {
        self.0.entry(key).or_default().push(answer);
    }

    /// What they ask for, each once.
    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }

    /// Answers everybody: with what was found with their key, else with nothing.
    pub(super) fn answer(mut self, found: Vec<(K, R)>) {
        for (key, row) in found {
            // What nobody asked for does not come.
            let askers = self.0.remove(&key).unwrap_or_default();
            // The last one, nearly always the only one, gets the row itself.
            for (row, asker) in repeat_n(row, askers.len()).zip(askers) {
                let _gone_away = asker.send(Ok(Some(row)));
            }
        }
        for asker in self.0.into_values().flatten() {
            let _gone_away = asker.send(Ok(None));
        }
    }

    /// Tells everybody that it is not known.
    pub(super) fn fail(self, error: &StoreError) {
        for asker in self.0.into_values().flatten() {
            let _gone_away = asker.send(Err(error.clone()));
        }
    }
}
