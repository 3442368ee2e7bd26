use std::collections::HashMap;

use async_trait::async_trait;
use auth_domain::{
    Backlog, Hanging, KeyId, MailClass, Purge, Standing, StoreError, Timestamp, Upkeep,
    archive::{MailState, SessionRecord},
    rules::{SETTLED_MAILS_KEPT, failures_are_over},
};

use super::{InMemoryStore, tables::Tables};

#[async_trait]
impl Upkeep for InMemoryStore {
    async fn check_ready(&self) -> Result<(), StoreError> {
        self.transaction().map(drop)
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        let tables = self.transaction()?;
        let owed = || tables.mails.iter().filter(|mail| matches!(mail.state, MailState::Owed(_)));
        let count = |class| {
            let count = owed().filter(|mail| mail.class == class).count();
            u64::try_from(count).expect("a count of rows").min(Backlog::COUNTED_AT_MOST.into())
        };
        let ends = tables.sessions.iter().map(|row| row.expires_at);
        let ends = ends.chain(tables.key_pairs.iter().map(|row| row.expires_at));
        let ends = ends.chain(tables.codes.iter().map(|row| row.expires_at));
        Ok(Backlog {
            codes: count(MailClass::Code),
            notices: count(MailClass::Notice),
            decoys: count(MailClass::Decoy),
            owed_since: owed().map(|mail| mail.created_at).min(),
            ended_since: ends.filter(|end| *end <= now).min(),
        })
    }

    async fn what_hangs_on_keys(&self, now: Timestamp) -> Result<Vec<(KeyId, Hanging)>, StoreError> {
        let tables = self.transaction()?;
        let mut hanging: HashMap<KeyId, Hanging> = HashMap::new();
        for row in tables.sessions.iter().filter(|row| row.verified_at.is_some() && row.expires_at > now) {
            hanging.entry(row.key_id).or_default().sessions += 1;
        }
        for row in tables.key_pairs.iter().filter(|row| row.verified_at.is_some() && row.expires_at > now) {
            hanging.entry(row.key_id).or_default().key_pairs += 1;
        }
        for row in tables.codes.iter().filter(|row| row.is_living_at(now)) {
            hanging.entry(row.key_id).or_default().codes += 1;
        }
        for row in tables.mails.iter().filter(|mail| mail.class != MailClass::Decoy) {
            if matches!(row.state, MailState::Owed(_)) {
                hanging.entry(row.key_id).or_default().mails += 1;
            }
        }
        Ok(hanging.into_iter().collect())
    }

    async fn purge(&self, purge: &Purge) -> Result<u64, StoreError> {
        let Purge { now, events_until, networks_until, limit } = *purge;
        let mut tables = self.transaction()?;
        let limit = usize::try_from(limit).expect("a small number");
        let mut gone = 0;

        let ended_registrations: Vec<_> = tables
            .users
            .iter()
            .filter(|row| row.standing != Standing::Account)
            .map(|row| row.user.id)
            .filter(|user| {
                let email = tables.emails.iter().find(|email| email.user_id == *user);
                email.is_none_or(|email| {
                    !tables.sign_in_codes(&email.address_key).iter().any(|code| code.is_living_at(now))
                })
            })
            .take(limit)
            .collect();
        gone += ended_registrations.len();
        for user in ended_registrations {
            tables.delete_user(user);
        }

        let waits = |row: &SessionRecord| {
            tables.codes.iter().any(|code| code.session_id == Some(row.id) && code.is_living_at(now))
        };
        let ended = |row: &&SessionRecord| row.expires_at <= now || !(row.verified_at.is_some() || waits(row));
        let ended_sessions: Vec<_> = tables.sessions.iter().filter(ended).map(|row| row.id).take(limit).collect();
        tables.delete(Tables::sessions, |row| ended_sessions.contains(&row.id));

        let ended_key_pairs: Vec<_> =
            tables.key_pairs.iter().filter(|row| !tables.stands(row, now)).map(|row| row.id).take(limit).collect();
        tables.delete(Tables::key_pairs, |row| ended_key_pairs.contains(&row.id));
        gone += ended_sessions.len() + ended_key_pairs.len();

        let kept_since = now.minus(SETTLED_MAILS_KEPT);
        let before = rows(&tables);
        tables.codes.retain(|code| now < code.expires_at);
        tables.events.retain(|event| event.at > events_until);
        tables.known_networks.retain(|known| known.last_signed_in_at > networks_until);
        tables.failures.retain(|row| !failures_are_over(&row.failures, now));
        tables.throttles.retain(|row| now < row.full_at);
        tables.mails.retain(|mail| match mail.state {
            MailState::Owed(_) => true,
            MailState::Delivered(at) | MailState::Abandoned(at) => at > kept_since,
        });
        gone += before - rows(&tables);
        // What went along with something is not counted.
        tables.delete_orphans();
        Ok(u64::try_from(gone).expect("a count of rows"))
    }
}

/// Those of which each goes for itself.
fn rows(tables: &Tables) -> usize {
    tables.codes.len()
        + tables.mails.len()
        + tables.events.len()
        + tables.known_networks.len()
        + tables.failures.len()
        + tables.throttles.len()
}
