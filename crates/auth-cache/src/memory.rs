use std::{
    array::from_fn,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use auth_domain::{CredentialId, Revocations, Timestamp, TokenDigest, UserId};

use crate::{
    Counts,
    flights::{Flights, Found},
    forgotten::{Epoch, Forgotten},
    last_use::LastUse,
    shard::{Shard, place},
};

/// How long a memory is believed that has heard nothing: what other processes revoke is refused within this time.
pub const DEAF_AFTER: Duration = Duration::from_secs(1);

/// So many checks can be under way without waiting for one another, at least.
const SHARDS: usize = 64;

/// How the memory hears what was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// Nobody but this process changes anything: what its store tells is all there is.
    InProcess,
    /// Nothing is told: nothing is remembered either.
    Never,
    /// Others do too. The store proves now and then that it has told everything up to a moment; when it has not for
    /// [`DEAF_AFTER`], the memory is not believed.
    Proven,
}

/// What checks have found, up to a number of credentials. Told by a store what to forget.
pub struct Memory<V> {
    shards: [Mutex<Shard<V>>; SHARDS],
    flights: Flights<V>,
    forgotten: Forgotten,
    hearing: Hearing,
    /// Where moments are counted from.
    began: Instant,
    /// Up to when everything was heard, in milliseconds since it began, plus one; 0 for never.
    heard_until: AtomicU64,
    counts: Counts,
}

/// A credential that was found good, and what the program made of it.
#[derive(Debug)]
pub struct Remembered<V> {
    pub(crate) digest: TokenDigest,
    pub(crate) user: UserId,
    pub(crate) credential: CredentialId,
    pub(crate) ends_at: Timestamp,
    pub(crate) epoch: Epoch,
    pub(crate) last_use: LastUse,
    pub(crate) value: V,
}

impl<V> Remembered<V> {
    /// Whose the credential is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Which one it is.
    pub fn credential(&self) -> CredentialId {
        self.credential
    }
}

impl<V> Deref for Remembered<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

impl<V: Send + Sync + 'static> Memory<V> {
    /// An empty memory for about `capacity` credentials, those used last.
    pub fn new(capacity: usize, hearing: Hearing) -> Self {
        let room = capacity.div_ceil(2 * SHARDS);
        Self {
            shards: from_fn(|_| Mutex::new(Shard::new(room))),
            flights: Flights::default(),
            forgotten: Forgotten::default(),
            hearing,
            began: monotonic_now(),
            heard_until: AtomicU64::new(0),
            counts: Counts::default(),
        }
    }

    /// What it was good for.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How many credentials it holds, forgotten and ended ones that nobody has asked for since included.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| locked(shard).len()).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How long ago the moment is up to which everything was heard; `None` if nothing was, or nothing needs to be.
    pub fn heard_ago(&self) -> Option<Duration> {
        self.heard_ago_at(monotonic_now())
    }

    fn heard_ago_at(&self, moment: Instant) -> Option<Duration> {
        let heard_until = self.heard_until.load(Ordering::SeqCst);
        let now = self.since_beginning(moment);
        (heard_until > 0).then(|| Duration::from_millis(now.saturating_sub(heard_until)))
    }

    /// The epoch now, to be taken before a look-up begins.
    pub(crate) fn epoch(&self) -> Epoch {
        self.forgotten.epoch()
    }

    /// What is remembered by `digest`, if it may be believed. To be asked for if the memory [hears](Self::hears).
    pub(crate) fn recall(&self, digest: &TokenDigest, now: Timestamp) -> Option<Arc<Remembered<V>>> {
        let known = locked(self.shard(digest)).get(digest)?;
        if self.forgotten.believes(known.user, known.epoch) && now < known.ends_at {
            self.counts.hit();
            return Some(known);
        }
        locked(self.shard(digest)).remove(digest);
        None
    }

    /// What `look_up` finds, for what is not remembered, and is from here on if the memory hears.
    pub(crate) async fn find(
        &self,
        digest: TokenDigest,
        look_up: impl Fn() -> futures_util::future::BoxFuture<'static, Found<V>>,
    ) -> Found<V> {
        if !self.hears() {
            self.counts.bypass();
            return look_up().await;
        }
        self.counts.miss();
        let found = self.flights.join(digest, &look_up).await?;
        if self.forgotten.believes(found.user, found.epoch) {
            locked(self.shard(&digest)).put(Arc::clone(&found));
            return Ok(found);
        }
        // It may have begun before something that was over before this check began.
        look_up().await
    }

    fn shard(&self, digest: &TokenDigest) -> &Mutex<Shard<V>> {
        let [first, ..] = &self.shards;
        let number = usize::try_from(place(digest) % SHARDS as u64).unwrap_or_default();
        self.shards.get(number).unwrap_or(first)
    }

    /// Whether everything has been heard up to a moment that is recent enough.
    pub(crate) fn hears(&self) -> bool {
        self.hears_at(monotonic_now())
    }

    fn hears_at(&self, moment: Instant) -> bool {
        match self.hearing {
            Hearing::InProcess => true,
            Hearing::Never => false,
            Hearing::Proven => {
                let heard_until = self.heard_until.load(Ordering::SeqCst);
                heard_until > 0 && self.since_beginning(moment) < heard_until + as_millis(DEAF_AFTER)
            }
        }
    }

    /// Plus one, so that 0 is never.
    fn since_beginning(&self, moment: Instant) -> u64 {
        as_millis(moment.saturating_duration_since(self.began)) + 1
    }
}

impl<V: Send + Sync + 'static> Revocations for Memory<V> {
    fn forget_user(&self, user: UserId) {
        self.forgotten.forget_user(user);
    }

    fn forget_everything(&self) {
        self.forgotten.forget_everything();
        for shard in &self.shards {
            let mut shard = locked(shard);
            *shard = Shard::new(shard.room());
        }
    }

    fn heard_until(&self, moment: Instant) {
        self.heard_until.fetch_max(self.since_beginning(moment), Ordering::SeqCst);
    }
}

fn as_millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn locked<V>(shard: &Mutex<Shard<V>>) -> MutexGuard<'_, Shard<V>> {
    // Each change under this lock is whole by itself.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Goes on while the process is stopped, and takes no steps back: the wall clock, which the domain asks, may do either.
fn monotonic_now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "how long nothing was heard is no matter of the wall clock's")]
    Instant::now()
}

#[cfg(test)]
mod tests {
    use auth_testkit::waiting::PATIENCE;
    use futures_util::FutureExt;
    use uuid::Uuid;

    use super::*;

    const NOON: Timestamp = Timestamp::from_unix_millis(1_000_000);

    fn digest() -> TokenDigest {
        TokenDigest::from_stored([7; 32])
    }

    fn user() -> UserId {
        Uuid::from_u128(1).into()
    }

    /// Recalls a credential that ends a second after noon; `asked` counts how often the store was.
    async fn recall(memory: &Memory<u32>, now: Timestamp, asked: &AtomicU64) -> u32 {
        let epoch = memory.epoch();
        let look_up = || {
            let number = u32::try_from(asked.fetch_add(1, Ordering::SeqCst)).unwrap();
            let remembered = Remembered {
                digest: digest(),
                user: user(),
                credential: CredentialId::Session(Uuid::from_u128(2).into()),
                ends_at: NOON.plus(Duration::from_secs(1)),
                epoch,
                last_use: LastUse::of(None),
                value: number,
            };
            async move { Ok(Arc::new(remembered)) }.boxed()
        };
        match memory.hears().then(|| memory.recall(&digest(), now)).flatten() {
            Some(known) => known.value,
            None => memory.find(digest(), look_up).await.unwrap().value,
        }
    }

    #[tokio::test]
    async fn what_was_found_is_remembered_until_its_user_is_forgotten_or_its_time_has_come() {
        let (memory, asked) = (Memory::new(100, Hearing::InProcess), AtomicU64::new(0));
        for expected in [0, 0, 0] {
            assert_eq!(recall(&memory, NOON, &asked).await, expected);
        }
        memory.forget_user(Uuid::from_u128(9).into());
        assert_eq!(recall(&memory, NOON, &asked).await, 0, "somebody else was forgotten");
        memory.forget_user(user());
        assert_eq!(recall(&memory, NOON, &asked).await, 1);
        memory.forget_everything();
        assert!(memory.is_empty());
        assert_eq!(recall(&memory, NOON, &asked).await, 2);
        assert_eq!(recall(&memory, NOON.plus(Duration::from_secs(1)), &asked).await, 3, "its time has come");
        let counts = memory.counts();
        assert_eq!((counts.hits(), counts.misses(), counts.bypassed()), (3, 4, 0));
    }

    #[tokio::test]
    async fn a_look_up_that_was_under_way_when_its_user_was_forgotten_is_not_believed_by_anybody_later() {
        let (memory, asked) = (Memory::new(100, Hearing::InProcess), AtomicU64::new(0));
        let epoch = memory.epoch();
        // It has read the old state, and lands after its user was forgotten.
        let old = Remembered {
            digest: digest(),
            user: user(),
            credential: CredentialId::Session(Uuid::from_u128(2).into()),
            ends_at: NOON.plus(Duration::from_secs(1)),
            epoch,
            last_use: LastUse::of(None),
            value: 99,
        };
        memory.forget_user(user());
        locked(memory.shard(&digest())).put(Arc::new(old));
        assert_eq!(recall(&memory, NOON, &asked).await, 0);
    }

    #[test]
    fn a_memory_hears_for_less_than_a_second_after_the_last_proof() {
        let memory = Memory::<u32>::new(100, Hearing::Proven);
        let proof = memory.began + Duration::from_secs(5);
        assert!(!memory.hears_at(proof) && memory.heard_ago_at(proof).is_none(), "it has never heard anything");
        memory.heard_until(proof);
        memory.heard_until(memory.began);
        for (millis, hears) in [(0, true), (999, true), (1000, false), (60_000, false)] {
            let since = Duration::from_millis(millis);
            assert_eq!((memory.hears_at(proof + since), memory.heard_ago_at(proof + since)), (hears, Some(since)));
        }
    }

    #[tokio::test]
    async fn a_memory_that_has_heard_nothing_for_a_second_is_not_believed_until_it_hears_again() {
        // A minute old, so that there was time to hear nothing.
        let now = monotonic_now();
        let ago = |span| now.checked_sub(span).unwrap();
        let began = ago(Duration::from_mins(1));
        let (memory, asked) = (Memory { began, ..Memory::new(100, Hearing::Proven) }, AtomicU64::new(0));
        assert_eq!(memory.heard_ago(), None);
        assert_eq!(recall(&memory, NOON, &asked).await, 0, "it has never heard anything");
        assert_eq!(recall(&memory, NOON, &asked).await, 1);
        // Proofs from times to come: they hold for as long as the test takes.
        memory.heard_until(now + PATIENCE);
        assert!(memory.heard_ago().is_some());
        assert_eq!(recall(&memory, NOON, &asked).await, 2);
        assert_eq!(recall(&memory, NOON, &asked).await, 2);
        // As if the last proof were from a second ago.
        memory.heard_until.store(memory.since_beginning(ago(DEAF_AFTER)), Ordering::SeqCst);
        assert_eq!(recall(&memory, NOON, &asked).await, 3);
        assert_eq!(memory.counts().bypassed(), 3);
        memory.heard_until(now + PATIENCE);
        assert_eq!(recall(&memory, NOON, &asked).await, 2, "what it has is good again: nothing was missed");
    }
}
