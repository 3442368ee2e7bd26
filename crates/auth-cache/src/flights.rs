use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use auth_domain::{AuthError, TokenDigest};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};

use crate::memory::Remembered;

/// What a look-up comes to.
pub(crate) type Found<V> = Result<Arc<Remembered<V>>, AuthError>;

/// A look-up that any number of checks can wait for.
type Flight<V> = Shared<BoxFuture<'static, Found<V>>>;

/// Look-ups under way: checks that want the same one at the same time share it.
///
/// A flight is carried on by whoever still waits for it. One that nobody waits for any more stands still, and is taken up
/// by the next who wants it.
pub(crate) struct Flights<V>(Mutex<HashMap<TokenDigest, Flight<V>>>);

impl<V> Default for Flights<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V: Send + Sync + 'static> Flights<V> {
    /// What a look-up that is under way comes to, or else what `look_up` does, together with whoever joins.
    pub(crate) async fn join(
        &self,
        digest: TokenDigest,
        look_up: impl FnOnce() -> BoxFuture<'static, Found<V>>,
    ) -> Found<V> {
        let flight = self.under_way().entry(digest).or_insert_with(|| look_up().shared()).clone();
        let found = flight.clone().await;
        let mut under_way = self.under_way();
        if under_way.get(&digest).is_some_and(|current| current.ptr_eq(&flight)) {
            under_way.remove(&digest);
        }
        found
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<TokenDigest, Flight<V>>> {
        // Each change under this lock is whole by itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use auth_domain::StoreError;
    use auth_testkit::waiting::until;
    use tokio::sync::Notify;

    use super::*;

    fn digest() -> TokenDigest {
        TokenDigest::from_stored([7; 32])
    }

    #[tokio::test]
    async fn a_stampede_is_one_look_up_and_all_hear_how_it_ended() {
        let flights = Arc::new(Flights::<()>::default());
        let (asked, joined) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let land = Arc::new(Notify::new());
        let joining: Vec<_> = (0..100)
            .map(|_| {
                let (flights, asked, joined) = (Arc::clone(&flights), Arc::clone(&asked), Arc::clone(&joined));
                let land = Arc::clone(&land);
                tokio::spawn(async move {
                    let look_up = || {
                        async move {
                            asked.fetch_add(1, Ordering::SeqCst);
                            land.notified().await;
                            Err(AuthError::Store(StoreError::unavailable("away")))
                        }
                        .boxed()
                    };
                    joined.fetch_add(1, Ordering::SeqCst);
                    flights.join(digest(), look_up).await
                })
            })
            .collect();
        while joined.load(Ordering::SeqCst) < 100 {
            tokio::task::yield_now().await;
        }
        land.notify_one();
        for joining in joining {
            assert!(matches!(joining.await.unwrap(), Err(AuthError::Store(_))));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert!(flights.under_way().is_empty());
    }

    #[tokio::test]
    async fn a_look_up_is_carried_on_when_whoever_began_it_goes_away() {
        let (flights, land) = (Arc::new(Flights::<()>::default()), Arc::new(Notify::new()));
        let join = |flights: Arc<Flights<()>>, land: Arc<Notify>| async move {
            let look_up = || async move { Err(land.notified().map(|()| AuthError::InvalidCredential).await) }.boxed();
            flights.join(digest(), look_up).await
        };
        let holders = || flights.under_way().get(&digest()).and_then(Flight::strong_count).unwrap_or(0);
        let first = tokio::spawn(join(Arc::clone(&flights), Arc::clone(&land)));
        until("the first", || holders() > 1).await;
        let with_one = holders();
        let second = tokio::spawn(join(Arc::clone(&flights), Arc::clone(&land)));
        until("the second", || holders() > with_one).await;
        first.abort();
        assert!(first.await.is_err());
        land.notify_one();
        assert!(matches!(second.await.unwrap(), Err(AuthError::InvalidCredential)));
    }
}
