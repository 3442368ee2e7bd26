use std::{collections::HashMap, iter::repeat_n};

use auth_domain::{StoreError, TokenDigest};
use tokio::sync::oneshot;

pub(super) type Answer<R> = Result<Option<R>, StoreError>;

/// Somebody who waits for what there is with this digest.
pub(super) struct Asker<R> {
    pub(super) digest: TokenDigest,
    pub(super) answer: oneshot::Sender<Answer<R>>,
}

/// Those who are answered together. Several may ask for the same.
pub(super) struct Askers<R>(HashMap<TokenDigest, Vec<oneshot::Sender<Answer<R>>>>);

impl<R> Default for Askers<R> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<R: Clone> Askers<R> {
    pub(super) fn add(&mut self, Asker { digest, answer }: Asker<R>) {
        self.0.entry(digest).or_default().push(answer);
    }

    /// What they ask for, each once.
    pub(super) fn digests(&self) -> Vec<&[u8]> {
        self.0.keys().map(|digest| digest.as_bytes().as_slice()).collect()
    }

    /// Answers everybody: with what was found with their digest, else with nothing.
    pub(super) fn answer(mut self, found: Vec<(TokenDigest, R)>) {
        for (digest, row) in found {
            // What nobody asked for does not come.
            let askers = self.0.remove(&digest).unwrap_or_default();
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
