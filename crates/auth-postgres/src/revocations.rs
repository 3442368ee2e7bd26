//! Saying what a fact has revoked or changed: to the other processes in its own transaction, to this one right after it.

use auth_domain::{Revocations, UserId};
use diesel::{IntoSql, sql_types::Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{error::Failure, store::Undone};

/// The channel that carries the ids of users whose credentials have ended or changed.
pub(crate) const CHANNEL: &str = "auth_revocations";

diesel::define_sql_function! {
    fn pg_notify(channel: Text, payload: Text) -> Bool;
}

/// Has every process told, once the transaction is committed and only then, that something of `user`'s has ended or
/// changed.
///
/// Only for facts that do this: those who notify commit one after the other, whatever else they do.
pub(crate) async fn announce(conn: &mut AsyncPgConnection, user: UserId) -> Result<(), Failure> {
    notify(conn, CHANNEL, &user.to_string()).await?;
    Ok(())
}

/// Sends `payload` to those who listen on `channel`. What it returns is void: there is nothing to read.
pub(crate) async fn notify(conn: &mut AsyncPgConnection, channel: &str, payload: &str) -> diesel::QueryResult<()> {
    let notifying = pg_notify(channel.to_owned().into_sql::<Text>(), payload.to_owned().into_sql::<Text>());
    diesel::select(notifying).execute(conn).await?;
    Ok(())
}

/// What a fact came to, and whose credentials it has ended or changed: nobody's if nothing came of it.
pub(crate) struct Revoked<T> {
    pub(crate) answer: T,
    pub(crate) of: Option<UserId>,
}

/// Tells this process what became of a fact about something of `expected`'s, as far as that was known beforehand.
pub(crate) fn tell<T>(memory: &dyn Revocations, expected: Option<UserId>, outcome: &Result<Revoked<T>, Undone>) {
    match (outcome, &expected) {
        (Ok(Revoked { of: Some(user), .. }), _) | (Err(Undone::Failed(_)), Some(user)) => memory.forget_user(*user),
        // Nobody knows whether a fact that failed after it was begun took effect all the same.
        (Err(Undone::Failed(_)), None) => memory.forget_everything(),
        (Ok(Revoked { of: None, .. }) | Err(Undone::NotBegun(_)), _) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, time::Instant};

    use auth_domain::StoreError;
    use uuid::Uuid;

    use super::*;

    #[derive(Default)]
    struct Forgotten(Mutex<Vec<Option<UserId>>>);

    impl Revocations for Forgotten {
        fn forget_user(&self, user: UserId) {
            self.0.lock().unwrap().push(Some(user));
        }

        fn forget_everything(&self) {
            self.0.lock().unwrap().push(None);
        }

        fn heard_until(&self, _moment: Instant) {}
    }

    #[test]
    fn who_is_forgotten_depends_on_what_is_known_of_the_outcome() {
        let user = |n| Some(UserId::from(Uuid::from_u128(n)));
        let done = |of| Ok(Revoked { answer: (), of });
        let failed = || Err(Undone::Failed(StoreError::unavailable("cut")));
        let not_begun = || Err(Undone::NotBegun(StoreError::unavailable("no connection")));
        for (expected, outcome, forgotten) in [
            (None, done(user(1)), vec![user(1)]),
            (user(2), done(user(1)), vec![user(1)]),
            (user(2), done(None), vec![]),
            (user(2), failed(), vec![user(2)]),
            (None, failed(), vec![None]),
            (None, not_begun(), vec![]),
        ] {
            let memory = Forgotten::default();
            tell(&memory, expected, &outcome);
            assert_eq!(*memory.0.lock().unwrap(), forgotten);
        }
    }
}
