//! When the way to the database was last lost.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Remembers when somebody last found that nothing comes through.
///
/// What swallows one connection, such as a network that forgets those it had, swallows the others that were made before, and
/// says nothing of it. Each of them would cost a request its whole time to find that out: instead, none of them is used again.
#[derive(Clone, Default)]
pub(crate) struct Losses(Arc<Mutex<Option<Instant>>>);

impl Losses {
    /// It was found just now.
    pub(crate) fn found(&self) {
        *self.last() = Some(tokio::time::Instant::now().into_std());
    }

    /// Whether nothing was lost since a connection was `made`.
    pub(crate) fn spared(&self, made: Instant) -> bool {
        self.last().is_none_or(|last| made > last)
    }

    fn last(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_made_before_a_loss_are_not_spared_and_those_made_after_it_are() {
        let (losses, now) = (Losses::default(), || tokio::time::Instant::now().into_std());
        let before = now();
        assert!(losses.spared(before));
        losses.clone().found();
        assert!(!losses.spared(before));
        let found = now();
        while now() == found {}
        assert!(losses.spared(now()));
    }
}
