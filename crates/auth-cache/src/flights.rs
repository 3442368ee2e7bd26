use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use auth_domain::{AuthError, StoreError, TokenDigest};
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
/// A look-up goes on as long as anybody waits for it. It is forgotten once it has ended, or when the last one who waited has
/// gone away: nobody is ever given the outcome of one that began before they asked and was abandoned.
pub(crate) struct Flights<V>(Mutex<UnderWay<V>>);

struct UnderWay<V> {
    by_digest: HashMap<TokenDigest, Entry<V>>,
    begun: u64,
}

struct Entry<V> {
    number: u64,
    waiters: usize,
    flight: Flight<V>,
}

/// Somebody who waits for a look-up, until this is dropped.
struct Waiter<'a, V> {
    flights: &'a Flights<V>,
    digest: TokenDigest,
    number: u64,
    /// The look-up has ended.
    has_ended: bool,
}

impl<V> Default for Flights<V> {
    fn default() -> Self {
        Self(Mutex::new(UnderWay { by_digest: HashMap::new(), begun: 0 }))
    }
}

impl<V: Send + Sync + 'static> Flights<V> {
    /// What a look-up that is under way comes to, or else what `look_up` does, together with whoever joins.
    pub(crate) async fn join(
        &self,
        digest: TokenDigest,
        look_up: impl FnOnce() -> BoxFuture<'static, Found<V>>,
    ) -> Found<V> {
        let (number, flight) = {
            let mut under_way = self.under_way();
            let UnderWay { by_digest, begun } = &mut *under_way;
            let entry = by_digest.entry(digest).or_insert_with(|| {
                *begun += 1;
                // One that panics is told to all who wait for it, like any other failure.
                let found = AssertUnwindSafe(look_up()).catch_unwind();
                let found = found.map(|found| found.unwrap_or_else(|_panic| Err(panicked())));
                Entry { number: *begun, waiters: 0, flight: found.boxed().shared() }
            });
            entry.waiters += 1;
            (entry.number, entry.flight.clone())
        };
        let mut waiter = Waiter { flights: self, digest, number, has_ended: false };
        let found = flight.await;
        waiter.has_ended = true;
        found
    }
}

fn panicked() -> AuthError {
    AuthError::Store(StoreError::unavailable("the look-up panicked"))
}

impl<V> Flights<V> {
    fn under_way(&self) -> MutexGuard<'_, UnderWay<V>> {
        // Each change under this lock is whole by itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Drop for Waiter<'_, V> {
    fn drop(&mut self) {
        let mut under_way = self.flights.under_way();
        let current = under_way.by_digest.get_mut(&self.digest).filter(|entry| entry.number == self.number);
        let Some(entry) = current else { return };
        entry.waiters -= 1;
        if self.has_ended || entry.waiters == 0 {
            let over = under_way.by_digest.remove(&self.digest);
            // What a look-up holds is given back without the lock.
            drop(under_way);
            drop(over);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

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
        assert!(flights.under_way().by_digest.is_empty());
    }

    #[tokio::test]
    async fn a_look_up_is_carried_on_when_whoever_began_it_goes_away() {
        let (flights, land) = (Arc::new(Flights::<()>::default()), Arc::new(Notify::new()));
        let join = |flights: Arc<Flights<()>>, land: Arc<Notify>| async move {
            let look_up = || async move { Err(land.notified().map(|()| AuthError::InvalidCredential).await) }.boxed();
            flights.join(digest(), look_up).await
        };
        let waiters = || flights.under_way().by_digest.get(&digest()).map_or(0, |entry| entry.waiters);
        let first = tokio::spawn(join(Arc::clone(&flights), Arc::clone(&land)));
        until("the first", || waiters() == 1).await;
        let second = tokio::spawn(join(Arc::clone(&flights), Arc::clone(&land)));
        until("the second", || waiters() == 2).await;
        first.abort();
        assert!(first.await.is_err());
        land.notify_one();
        assert!(matches!(second.await.unwrap(), Err(AuthError::InvalidCredential)));
    }

    #[tokio::test]
    async fn a_look_up_that_everybody_has_left_is_forgotten_and_the_next_one_asks_anew() {
        let flights = Arc::new(Flights::<()>::default());
        let forever = || async { std::future::pending().await }.boxed();
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(flights.join(digest(), forever))).collect();
        for waiting in &mut waiting {
            assert!(waiting.as_mut().now_or_never().is_none());
        }
        assert_eq!(flights.under_way().by_digest.len(), 1);
        waiting.truncate(1);
        assert_eq!(flights.under_way().by_digest.len(), 1, "somebody still waits");
        waiting.clear();
        assert!(flights.under_way().by_digest.is_empty());

        // One that has failed meanwhile tells nobody: it was abandoned before they asked.
        let (fail, failed) = tokio::sync::oneshot::channel::<()>();
        let fails = || async move { Err(failed.await.map_or(AuthError::InvalidCredential, |()| away())) }.boxed();
        let mut abandoned = Box::pin(flights.join(digest(), fails));
        assert!(abandoned.as_mut().now_or_never().is_none());
        drop(abandoned);
        assert!(fail.send(()).is_err(), "the look-up has gone with the last one who waited");
        let good = || async { Err(AuthError::RoleLacking) }.boxed();
        assert!(matches!(flights.join(digest(), good).await, Err(AuthError::RoleLacking)));
        assert!(flights.under_way().by_digest.is_empty());
    }

    #[tokio::test]
    async fn a_look_up_that_panics_is_a_failure_for_all_who_wait_and_the_next_one_asks_anew() {
        let flights = Flights::<()>::default();
        let panics = || async { panic!("on purpose") }.boxed();
        for found in futures_util::future::join_all((0..3).map(|_| flights.join(digest(), panics))).await {
            assert!(matches!(found, Err(AuthError::Store(_))));
        }
        assert!(flights.under_way().by_digest.is_empty());
    }

    fn away() -> AuthError {
        AuthError::Store(StoreError::unavailable("away"))
    }
}
