use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use auth_domain::{
    Backlog, Hanging, KeyId, MailClass, Purge, Standing, StoreError, Timestamp, Upkeep, rules::failures_are_over,
};

use super::{
    InMemoryStore,
    state::{Opens, State},
};

#[async_trait]
impl Upkeep for InMemoryStore {
    async fn check_ready(&self) -> Result<(), StoreError> {
        self.transaction().map(drop)
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        let state = self.transaction()?;
        let owed = || state.mails.iter().filter(|mail| mail.settled.is_none());
        let count = |class| {
            let count = owed().filter(|mail| mail.class == class).count();
            u64::try_from(count).expect("a count of rows").min(Backlog::COUNTED_AT_MOST.into())
        };
        let ends = state.sessions.iter().map(|row| row.expires_at);
        let ends = ends.chain(state.key_pairs.iter().map(|row| row.new.expires_at));
        let ends = ends.chain(state.codes.iter().map(|row| row.expires_at));
        Ok(Backlog {
            codes: count(MailClass::Code),
            notices: count(MailClass::Notice),
            decoys: count(MailClass::Decoy),
            owed_since: owed().map(|mail| mail.created_at).min(),
            ended_since: ends.filter(|end| *end <= now).min(),
        })
    }

    async fn what_hangs_on_keys(&self, now: Timestamp) -> Result<Vec<(KeyId, Hanging)>, StoreError> {
        let state = self.transaction()?;
        let mut hanging: HashMap<KeyId, Hanging> = HashMap::new();
        for row in state.sessions.iter().filter(|row| row.verified_at.is_some() && row.expires_at > now) {
            hanging.entry(row.new.key_id).or_default().sessions += 1;
        }
        for row in state.key_pairs.iter().filter(|row| row.verified_at.is_some() && row.new.expires_at > now) {
            hanging.entry(row.new.key_id).or_default().key_pairs += 1;
        }
        for row in state.codes.iter().filter(|row| row.state().is_living_at(now)) {
            hanging.entry(row.new.key_id).or_default().codes += 1;
        }
        let owed = state.mails.iter().filter(|mail| mail.settled.is_none() && mail.class != MailClass::Decoy);
        for sealed in owed.filter_map(|mail| mail.sealed.as_ref()) {
            hanging.entry(sealed.key_id).or_default().mails += 1;
        }
        Ok(hanging.into_iter().collect())
    }

    async fn purge(&self, purge: &Purge) -> Result<u64, StoreError> {
        let Purge { now, events_until, networks_until, limit } = *purge;
        let mut state = self.transaction()?;
        let limit = usize::try_from(limit).expect("a small number");
        let mut gone = 0;

        let ended_registrations: Vec<_> = state
            .users
            .iter()
            .filter(|row| row.standing != Standing::Account)
            .map(|row| row.user.id)
            .filter(|user| {
                let email = state.emails.iter().find(|email| email.user_id == *user);
                email.is_none_or(|email| state.living_codes(&email.address.key(), now).is_empty())
            })
            .take(limit)
            .collect();
        gone += ended_registrations.len();
        for user in ended_registrations {
            state.remove_user(user);
        }

        let ended_sessions: Vec<_> = state
            .sessions
            .iter()
            .filter(|row| {
                let opens = Opens::Session(row.new.id);
                let waits = state.codes.iter().any(|code| code.opens == opens && code.state().is_living_at(now));
                row.expires_at <= now || !(row.verified_at.is_some() || waits)
            })
            .map(|row| row.new.id)
            .take(limit)
            .collect();
        state.remove_sessions(|row| ended_sessions.contains(&row.new.id));

        let ended_key_pairs: Vec<_> =
            state.key_pairs.iter().filter(|row| !state.stands(row, now)).map(|row| row.new.id).take(limit).collect();
        state.key_pairs.retain(|row| !ended_key_pairs.contains(&row.new.id));
        state.remove_orphans();
        gone += ended_sessions.len() + ended_key_pairs.len();

        let a_week_ago = now.minus(Duration::from_hours(7 * 24));
        let before = rows(&state);
        state.codes.retain(|code| now < code.expires_at);
        state.events.retain(|event| event.at > events_until);
        state.known_networks.retain(|known| known.last_signed_in_at > networks_until);
        state.failures.retain(|_, failures| !failures_are_over(failures, now));
        state.throttles.retain(|_, throttle| now < throttle.full_at);
        state.mails.retain(|mail| mail.settled.is_none_or(|(at, _)| at > a_week_ago));
        gone += before - rows(&state);
        // What went along with something is not counted.
        state.remove_orphans();
        Ok(u64::try_from(gone).expect("a count of rows"))
    }
}

/// Those of which each goes for itself.
fn rows(state: &State) -> usize {
    state.codes.len()
        + state.mails.len()
        + state.events.len()
        + state.known_networks.len()
        + state.failures.len()
        + state.throttles.len()
}
