//! One after the other, by key: what keeps facts that lock the same rows from waiting for each other with a connection in hand.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    hash::Hash,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use crate::{AddressKey, Network, UserId};

/// So many may wait for one key.
pub const MAX_WAITERS: usize = 32;

/// A lock for each key, within this process. Those who wait for one get it in the order in which they came.
///
/// A store takes it before it takes a connection: a key that many ask for at once costs one connection, and everybody else
/// finds the others free.
#[derive(Debug)]
pub struct KeyedLock<K>(Arc<Mutex<HashMap<K, VecDeque<Arc<Waiter>>>>>);

/// The lock of one key, until this is dropped.
#[derive(Debug)]
pub struct KeyGuard<K: Eq + Hash> {
    lock: KeyedLock<K>,
    key: Option<K>,
}

/// What facts lock by that a caller chooses: of those with one key, one at a time is carried out in each process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FactKey {
    /// An address that somebody asks about.
    Address(AddressKey),
    /// A user who changes something of their own.
    User(UserId),
    /// A network whose requests are charged.
    Network(Network),
}

impl FactKey {
    /// The key of what somebody ends: that of the user if it has to be theirs, else that of nobody in particular.
    pub fn from_owner(owner: Option<UserId>) -> Option<Self> {
        owner.map(Self::User)
    }
}

/// Too many wait for this key already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many wait for the same")]
pub struct TooManyWaiters;

#[derive(Debug, Default)]
struct Waiter(Mutex<Turn>);

#[derive(Debug, Default)]
enum Turn {
    #[default]
    NotAsked,
    Awaited(Waker),
    Given,
}

/// Somebody's place in the queue of a key.
struct Waiting<K: Eq + Hash> {
    /// Taken out once the lock is theirs.
    guard: Option<KeyGuard<K>>,
    waiter: Arc<Waiter>,
}

impl<K> Clone for KeyedLock<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> Default for KeyedLock<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash + Clone + Unpin> KeyedLock<K> {
    /// Waits until nobody else holds the lock of `key`, and holds it.
    ///
    /// # Errors
    /// [`TooManyWaiters`] when [`MAX_WAITERS`] wait for it already.
    pub async fn lock(&self, key: K) -> Result<KeyGuard<K>, TooManyWaiters> {
        let waiter = {
            let mut held = self.held();
            match held.entry(key.clone()) {
                Entry::Vacant(free) => {
                    free.insert(VecDeque::new());
                    None
                }
                Entry::Occupied(taken) if taken.get().len() >= MAX_WAITERS => return Err(TooManyWaiters),
                Entry::Occupied(mut taken) => {
                    let waiter = Arc::<Waiter>::default();
                    taken.get_mut().push_back(Arc::clone(&waiter));
                    Some(waiter)
                }
            }
        };
        let guard = KeyGuard { lock: self.clone(), key: Some(key) };
        match waiter {
            None => Ok(guard),
            Some(waiter) => Ok(Waiting { guard: Some(guard), waiter }.await),
        }
    }
}

impl<K> KeyedLock<K> {
    fn held(&self) -> MutexGuard<'_, HashMap<K, VecDeque<Arc<Waiter>>>> {
        // Each change under this lock is whole by itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Unpin> Future for Waiting<K> {
    type Output = KeyGuard<K>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<KeyGuard<K>> {
        let is_given = {
            let mut turn = self.waiter.turn();
            let is_given = matches!(*turn, Turn::Given);
            if !is_given {
                *turn = Turn::Awaited(context.waker().clone());
            }
            is_given
        };
        match self.guard.take_if(|_| is_given) {
            Some(guard) => Poll::Ready(guard),
            None => Poll::Pending,
        }
    }
}

impl<K: Eq + Hash> Drop for Waiting<K> {
    fn drop(&mut self) {
        let Some(guard) = &mut self.guard else { return };
        let lock = guard.lock.clone();
        let mut held = lock.held();
        // Given meanwhile, it is passed on by the guard, which is dropped after this. Otherwise there is nothing to give back.
        if !matches!(*self.waiter.turn(), Turn::Given)
            && let Some(key) = guard.key.take()
            && let Some(waiting) = held.get_mut(&key)
        {
            waiting.retain(|waiter| !Arc::ptr_eq(waiter, &self.waiter));
        }
    }
}

impl<K: Eq + Hash> Drop for KeyGuard<K> {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let next = {
            let mut held = self.lock.held();
            let Some(next) = held.get_mut(&key).and_then(VecDeque::pop_front) else {
                held.remove(&key);
                return;
            };
            mem::replace(&mut *next.turn(), Turn::Given)
        };
        if let Turn::Awaited(waker) = next {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    type Locking<'a> = Pin<Box<dyn Future<Output = Result<KeyGuard<u32>, TooManyWaiters>> + 'a>>;

    fn now<F: Future>(future: F) -> F::Output {
        let Poll::Ready(output) = pin!(future).poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("it has to wait")
        };
        output
    }

    fn poll(locking: &mut Locking<'_>) -> Option<KeyGuard<u32>> {
        match locking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(guard) => Some(guard.unwrap()),
            Poll::Pending => None,
        }
    }

    fn lock(lock: &KeyedLock<u32>, key: u32) -> Locking<'_> {
        Box::pin(lock.lock(key))
    }

    #[test]
    fn those_who_want_one_key_get_it_in_their_order_and_other_keys_are_free() {
        let locks = KeyedLock::default();
        let first = now(locks.lock(7)).unwrap();
        let (mut second, mut third) = (lock(&locks, 7), lock(&locks, 7));
        assert!(poll(&mut second).is_none() && poll(&mut third).is_none());
        drop(now(locks.lock(8)).unwrap());
        drop(first);
        assert!(poll(&mut third).is_none());
        let second = poll(&mut second).unwrap();
        assert!(poll(&mut third).is_none());
        drop(second);
        drop(poll(&mut third).unwrap());
        assert!(locks.held().is_empty(), "nothing is kept of a key that nobody holds");
    }

    #[test]
    fn whoever_leaves_the_queue_is_passed_over_also_when_it_is_their_turn() {
        let locks = KeyedLock::default();
        let first = now(locks.lock(7)).unwrap();
        let mut waiting: Vec<_> = (0..4).map(|_| lock(&locks, 7)).collect();
        assert!(waiting.iter_mut().all(|waiting| poll(waiting).is_none()));
        let mut last = waiting.pop().unwrap();
        // One leaves while it waits, one when the lock is theirs already and they have not seen it yet.
        drop(waiting.remove(1));
        drop(first);
        drop(waiting);
        drop(poll(&mut last).unwrap());
        assert!(locks.held().is_empty());
    }

    #[test]
    fn a_queue_has_an_end() {
        let locks = KeyedLock::default();
        let first = now(locks.lock(7)).unwrap();
        let mut waiting: Vec<_> = (0..MAX_WAITERS).map(|_| lock(&locks, 7)).collect();
        assert!(waiting.iter_mut().all(|waiting| poll(waiting).is_none()));
        assert_eq!(now(locks.lock(7)).unwrap_err(), TooManyWaiters);
        waiting.pop();
        let mut one_more = lock(&locks, 7);
        assert!(poll(&mut one_more).is_none());
        drop(first);
        assert!(poll(&mut waiting[0]).is_some());
    }

    #[test]
    fn who_waits_is_woken_by_who_leaves() {
        let locks = KeyedLock::default();
        let first = now(locks.lock(7)).unwrap();
        let other = locks.clone();
        let waiting = std::thread::spawn(move || wait_for(async move { other.lock(7).await.map(drop) }));
        while locks.held().get(&7).is_none_or(VecDeque::is_empty) {
            std::thread::yield_now();
        }
        drop(first);
        waiting.join().unwrap().unwrap();
        assert!(locks.held().is_empty());
    }

    /// Waits for a future on this thread.
    fn wait_for<F: Future>(future: F) -> F::Output {
        struct Unpark(std::thread::Thread);
        impl std::task::Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut future = pin!(future);
        loop {
            match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(output) => return output,
                Poll::Pending => std::thread::park(),
            }
        }
    }
}
