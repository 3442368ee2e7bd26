use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use auth_domain::UserId;

/// How many users are told apart. Beyond that, everybody is forgotten: they are looked up once more, and that is all.
const USERS_AT_MOST: usize = 50_000;

/// A moment in the life of a memory: it moves on whenever something is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Epoch(u64);

/// Whose credentials were forgotten, and when.
///
/// Nothing is searched for when a user is forgotten. What is remembered carries the epoch in which its look-up began, and
/// counts for nothing if its user was forgotten in a later one. So a look-up that was under way while its user was
/// forgotten, and which may have seen either state, is never believed afterwards.
#[derive(Debug, Default)]
pub(crate) struct Forgotten {
    now: AtomicU64,
    /// Everything from before this epoch is forgotten.
    everything: AtomicU64,
    /// Whether there is anything in `users`, so that looking costs nothing while there is not.
    any: AtomicBool,
    users: Mutex<HashMap<UserId, u64>>,
}

impl Forgotten {
    /// The epoch now: to be taken before a look-up begins.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.now.load(Ordering::SeqCst))
    }

    /// Whether what was looked up for `user` in `epoch` may still be believed.
    pub(crate) fn believes(&self, user: UserId, epoch: Epoch) -> bool {
        let is_forgotten =
            self.any.load(Ordering::SeqCst) && self.users().get(&user).is_some_and(|forgotten| *forgotten > epoch.0);
        // Last: whoever does not find a user any more, because everybody was forgotten meanwhile, finds that here.
        !is_forgotten && epoch.0 >= self.everything.load(Ordering::SeqCst)
    }

    pub(crate) fn forget_user(&self, user: UserId) {
        let mut users = self.users();
        let epoch = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        if users.len() >= USERS_AT_MOST && !users.contains_key(&user) {
            self.everything.store(epoch, Ordering::SeqCst);
            users.clear();
        }
        users.insert(user, epoch);
        self.any.store(true, Ordering::SeqCst);
    }

    pub(crate) fn forget_everything(&self) {
        let mut users = self.users();
        let epoch = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.everything.store(epoch, Ordering::SeqCst);
        users.clear();
        self.any.store(false, Ordering::SeqCst);
    }

    fn users(&self) -> MutexGuard<'_, HashMap<UserId, u64>> {
        // Each change under this lock is whole by itself.
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn user(number: u128) -> UserId {
        Uuid::from_u128(number).into()
    }

    #[test]
    fn what_was_looked_up_before_its_user_was_forgotten_is_not_believed_and_what_came_after_is() {
        let forgotten = Forgotten::default();
        let before = forgotten.epoch();
        assert!(forgotten.believes(user(1), before));
        forgotten.forget_user(user(1));
        assert!(!forgotten.believes(user(1), before));
        assert!(forgotten.believes(user(2), before), "nobody else is forgotten with them");
        assert!(forgotten.believes(user(1), forgotten.epoch()));
    }

    #[test]
    fn forgetting_everything_forgets_everybody() {
        let forgotten = Forgotten::default();
        let before = forgotten.epoch();
        forgotten.forget_everything();
        assert!(!forgotten.believes(user(1), before));
        assert!(forgotten.believes(user(1), forgotten.epoch()));
    }

    #[test]
    fn a_flood_of_the_forgotten_takes_a_bounded_amount_of_memory() {
        let forgotten = Forgotten::default();
        let before = forgotten.epoch();
        for number in 0..=u128::try_from(USERS_AT_MOST).unwrap() {
            forgotten.forget_user(user(number));
        }
        assert!(forgotten.users().len() <= USERS_AT_MOST);
        for number in [0, 1, u128::MAX] {
            assert!(!forgotten.believes(user(number), before), "forgotten one by one or all together");
        }
    }
}
