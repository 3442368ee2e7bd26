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

/// A lock for each key, within this process. Those who wait for one get it in the order in which they came, but one asker after the
/// other: many requests of one asker's hold up another one's by a single turn. Nor can they fill the queue: if it is full, whoever has the
/// most in it makes room for an asker who has fewer.
///
/// A store takes it before it takes a connection: a key that many ask for at once costs one connection, and everybody else
/// finds the others free.
#[derive(Debug)]
pub struct KeyedLock<K, A = Option<Network>>(Arc<Mutex<HashMap<K, Queue<A>>>>);

/// The lock of one key, until this is dropped.
#[derive(Debug)]
pub struct KeyGuard<K: Eq + Hash, A: Eq = Option<Network>> {
    lock: KeyedLock<K, A>,
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

/// Those who wait for one key: the asker whose turn is next, with their requests, comes first.
#[derive(Debug)]
struct Queue<A>(VecDeque<(A, VecDeque<Arc<Waiter>>)>);

/// What somebody gets who joins one.
struct Place {
    waiter: Arc<Waiter>,
    /// Whose place it was.
    lost: Option<Arc<Waiter>>,
}

#[derive(Debug, Default)]
struct Waiter(Mutex<Turn>);

#[derive(Debug, Default)]
enum Turn {
    #[default]
    NotAsked,
    Awaited(Waker),
    Given,
    /// They had to make room.
    Lost,
}

/// Somebody's place in the queue of a key.
struct Waiting<K: Eq + Hash, A: Eq> {
    /// Taken out once the lock is theirs.
    guard: Option<KeyGuard<K, A>>,
    waiter: Arc<Waiter>,
}

impl<K, A> Clone for KeyedLock<K, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, A> Default for KeyedLock<K, A> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash + Clone + Unpin, A: Eq> KeyedLock<K, A> {
    /// Waits until nobody else holds the lock of `key`, and holds it for `asker`.
    ///
    /// # Errors
    /// [`TooManyWaiters`] when [`MAX_WAITERS`] wait for it already, none of whom has to make room.
    pub async fn lock(&self, key: K, asker: A) -> Result<KeyGuard<K, A>, TooManyWaiters> {
        let place = match self.held().entry(key.clone()) {
            Entry::Vacant(free) => {
                free.insert(Queue(VecDeque::new()));
                None
            }
            Entry::Occupied(mut taken) => Some(taken.get_mut().join(asker)?),
        };
        let guard = KeyGuard { lock: self.clone(), key: Some(key) };
        let Some(Place { waiter, lost }) = place else { return Ok(guard) };
        if let Some(lost) = lost {
            lost.becomes(Turn::Lost);
        }
        Waiting { guard: Some(guard), waiter }.await
    }
}

impl<K, A> KeyedLock<K, A> {
    fn held(&self) -> MutexGuard<'_, HashMap<K, Queue<A>>> {
        // Each change under this lock is whole by itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A: Eq> Queue<A> {
    /// Joins it, behind the asker's own requests.
    fn join(&mut self, asker: A) -> Result<Place, TooManyWaiters> {
        let mut lost = None;
        let place = self.0.iter().position(|(other, _)| *other == asker);
        if self.0.iter().map(|(_, theirs)| theirs.len()).sum::<usize>() >= MAX_WAITERS {
            let own = place.and_then(|place| self.0.get(place)).map_or(0, |(_, own)| own.len());
            let most = self.0.iter_mut().map(|(_, theirs)| theirs).max_by_key(|theirs| theirs.len());
            // Who makes room has as many as the other one, or more, once both are done.
            let newest = most.filter(|theirs| theirs.len() > own + 1).and_then(VecDeque::pop_back);
            lost = Some(newest.ok_or(TooManyWaiters)?);
        }
        let waiter = Arc::<Waiter>::default();
        match place.and_then(|place| self.0.get_mut(place)) {
            Some((_, own)) => own.push_back(Arc::clone(&waiter)),
            None => self.0.push_back((asker, VecDeque::from([Arc::clone(&waiter)]))),
        }
        Ok(Place { waiter, lost })
    }

    /// Takes out whose turn is next. The asker's other requests wait until everybody else has had a turn.
    fn next(&mut self) -> Option<Arc<Waiter>> {
        let (asker, mut theirs) = self.0.pop_front()?;
        let next = theirs.pop_front();
        if !theirs.is_empty() {
            self.0.push_back((asker, theirs));
        }
        next
    }

    fn leave(&mut self, waiter: &Arc<Waiter>) {
        for (_, theirs) in &mut self.0 {
            theirs.retain(|other| !Arc::ptr_eq(other, waiter));
        }
        self.0.retain(|(_, theirs)| !theirs.is_empty());
    }
}

impl Waiter {
    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn becomes(&self, turn: Turn) {
        let before = mem::replace(&mut *self.turn(), turn);
        if let Turn::Awaited(waker) = before {
            waker.wake();
        }
    }
}

impl<K: Eq + Hash + Unpin, A: Eq> Future for Waiting<K, A> {
    type Output = Result<KeyGuard<K, A>, TooManyWaiters>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let is_given = {
            let mut turn = self.waiter.turn();
            match *turn {
                Turn::Given => true,
                Turn::Lost => return Poll::Ready(Err(TooManyWaiters)),
                Turn::NotAsked | Turn::Awaited(_) => {
                    *turn = Turn::Awaited(context.waker().clone());
                    false
                }
            }
        };
        match self.guard.take_if(|_| is_given) {
            Some(guard) => Poll::Ready(Ok(guard)),
            None => Poll::Pending,
        }
    }
}

impl<K: Eq + Hash, A: Eq> Drop for Waiting<K, A> {
    fn drop(&mut self) {
        let Some(guard) = &mut self.guard else { return };
        let lock = guard.lock.clone();
        let mut held = lock.held();
        // Given meanwhile, it is passed on by the guard, which is dropped after this. Otherwise there is nothing to give back.
        if !matches!(*self.waiter.turn(), Turn::Given)
            && let Some(key) = guard.key.take()
            && let Some(queue) = held.get_mut(&key)
        {
            queue.leave(&self.waiter);
        }
    }
}

impl<K: Eq + Hash, A: Eq> Drop for KeyGuard<K, A> {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let next = {
            let mut held = self.lock.held();
            let Some(next) = held.get_mut(&key).and_then(Queue::next) else {
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

    type Locking<'a> = Pin<Box<dyn Future<Output = Result<KeyGuard<u32, char>, TooManyWaiters>> + 'a>>;

    fn now<F: Future>(future: F) -> F::Output {
        let Poll::Ready(output) = pin!(future).poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("it has to wait")
        };
        output
    }

    fn poll(locking: &mut Locking<'_>) -> Option<KeyGuard<u32, char>> {
        match locking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(guard) => Some(guard.unwrap()),
            Poll::Pending => None,
        }
    }

    fn lock(lock: &KeyedLock<u32, char>, key: u32) -> Locking<'_> {
        lock_for(lock, key, 'a')
    }

    fn lock_for(lock: &KeyedLock<u32, char>, key: u32, asker: char) -> Locking<'_> {
        Box::pin(lock.lock(key, asker))
    }

    /// Requests of these askers that wait for the key 7, which somebody holds.
    fn waiting(locks: &KeyedLock<u32, char>, askers: impl IntoIterator<Item = char>) -> Vec<Locking<'_>> {
        let mut waiting: Vec<_> = askers.into_iter().map(|asker| lock_for(locks, 7, asker)).collect();
        assert!(waiting.iter_mut().all(|waiting| poll(waiting).is_none()));
        waiting
    }

    #[test]
    fn those_who_want_one_key_get_it_in_their_order_and_other_keys_are_free() {
        let locks = KeyedLock::default();
        let first = now(locks.lock(7, 'a')).unwrap();
        let (mut second, mut third) = (lock(&locks, 7), lock(&locks, 7));
        assert!(poll(&mut second).is_none() && poll(&mut third).is_none());
        drop(now(locks.lock(8, 'a')).unwrap());
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
        let first = now(locks.lock(7, 'a')).unwrap();
        let mut waiting = waiting(&locks, ['a'; 4]);
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
        let first = now(locks.lock(7, 'a')).unwrap();
        let mut waiting = waiting(&locks, ['a'; MAX_WAITERS]);
        assert_eq!(now(locks.lock(7, 'a')).unwrap_err(), TooManyWaiters);
        waiting.pop();
        let mut one_more = lock(&locks, 7);
        assert!(poll(&mut one_more).is_none());
        drop(first);
        assert!(poll(&mut waiting[0]).is_some());
    }

    #[test]
    fn askers_have_their_turns_in_turn() {
        let locks = KeyedLock::default();
        let mut held = now(locks.lock(7, 'a')).unwrap();
        let mut waiting = waiting(&locks, ['a', 'a', 'a', 'b', 'a', 'c', 'b']);
        for next in [0, 3, 5, 1, 6, 2, 4] {
            drop(held);
            let mut given: Vec<_> = (0..7).filter_map(|place| Some((place, poll(&mut waiting[place])?))).collect();
            assert_eq!(given.len(), 1);
            let (place, guard) = given.remove(0);
            assert_eq!(place, next);
            waiting[place] = Box::pin(std::future::pending());
            held = guard;
        }
        drop(held);
        assert!(locks.held().is_empty());
    }

    #[test]
    fn a_queue_that_one_asker_has_filled_has_room_for_others() {
        let locks = KeyedLock::default();
        let first = now(locks.lock(7, 'a')).unwrap();
        let mut waiting = waiting(&locks, ['a'; MAX_WAITERS]);
        let mut other = lock_for(&locks, 7, 'b');
        assert!(poll(&mut other).is_none());
        let newest = waiting.last_mut().unwrap().as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(newest, Poll::Ready(Err(TooManyWaiters))));
        assert_eq!(now(locks.lock(7, 'a')).unwrap_err(), TooManyWaiters, "not for the same one");
        drop(first);
        let next = poll(&mut waiting[0]).unwrap();
        assert!(poll(&mut other).is_none());
        drop(next);
        assert!(poll(&mut other).is_some());
        waiting.pop();
        drop((waiting, other));
        assert!(locks.held().is_empty());
    }

    #[test]
    fn askers_who_have_filled_a_queue_alike_keep_their_places() {
        let locks = KeyedLock::default();
        let _first = now(locks.lock(7, 'a')).unwrap();
        let askers = ('A'..='Z').chain('a'..='z').take(MAX_WAITERS);
        let _waiting = waiting(&locks, askers);
        assert_eq!(now(locks.lock(7, 'z')).unwrap_err(), TooManyWaiters);
    }

    #[test]
    fn who_waits_is_woken_by_who_leaves() {
        let locks = KeyedLock::default();
        let first = now(locks.lock(7, 'a')).unwrap();
        let other = locks.clone();
        let waiting = std::thread::spawn(move || wait_for(async move { other.lock(7, 'a').await.map(drop) }));
        while locks.held().get(&7).is_none_or(|queue| queue.0.is_empty()) {
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
