//! All that the store holds, as a copy to another kind of store would have it.

use auth_domain::{
    StoreError,
    archive::{
        AttemptOutcome, Batch, CodeRecord, EmailRecord, FailureRecord, KeyPairRecord, KnownNetworkRecord, MailRecord,
        MailState, Record, SessionRecord, ThrottleRecord, UserRecord,
    },
};

use super::{
    InMemoryStore,
    state::{CodeRow, EmailRow, KeyPairRow, MailRow, Opens, SessionRow, UserRow},
};

impl InMemoryStore {
    /// Everything that is stored, a batch for each table, in the order of [`Table::ALL`](auth_domain::archive::Table::ALL).
    ///
    /// # Errors
    /// While the store is away.
    pub fn archive(&self) -> Result<Vec<Batch>, StoreError> {
        let state = self.transaction()?;
        let failures = state.failures.iter().map(|((address_key, network), failures)| FailureRecord {
            address_key: address_key.clone(),
            network: *network,
            failures: *failures,
        });
        let throttles = state.throttles.iter().map(|(key, row)| ThrottleRecord {
            key: key.clone(),
            full_at: row.full_at,
            told_at: row.told_at,
        });
        let known_networks = state.known_networks.iter().map(|row| KnownNetworkRecord {
            email_id: row.email_id,
            network: row.network,
            last_signed_in_at: row.last_signed_in_at,
        });
        Ok(vec![
            Batch::Users(sorted(state.users.iter().map(user))),
            Batch::Emails(sorted(state.emails.iter().map(email))),
            Batch::Sessions(sorted(state.sessions.iter().map(session))),
            Batch::KeyPairs(sorted(state.key_pairs.iter().map(key_pair))),
            Batch::Codes(sorted(state.codes.iter().map(code))),
            Batch::Outbox(sorted(state.mails.iter().map(mail))),
            Batch::MailAttempts(sorted(state.attempts.iter().cloned())),
            Batch::KnownNetworks(sorted(known_networks)),
            Batch::Failures(sorted(failures)),
            Batch::Throttles(sorted(throttles)),
            Batch::Events(sorted(state.events.iter().cloned())),
        ])
    }
}

fn sorted<R: Record>(records: impl Iterator<Item = R>) -> Vec<R> {
    let mut records: Vec<R> = records.collect();
    records.sort_by_key(Record::position);
    records
}

fn user(row: &UserRow) -> UserRecord {
    UserRecord { user: row.user.clone(), alias_key: row.user.alias.key(), standing: row.standing }
}

fn email(row: &EmailRow) -> EmailRecord {
    EmailRecord {
        id: row.id,
        user_id: row.user_id,
        address: row.address.clone(),
        address_key: row.address.key(),
        verified: row.verified,
        vouched: row.vouched,
        preferred: row.preferred,
        created_at: row.created_at,
    }
}

fn session(row: &SessionRow) -> SessionRecord {
    SessionRecord {
        id: row.new.id,
        user_id: row.user_id,
        digest: row.new.digest,
        key_id: row.new.key_id,
        kind: row.new.kind.clone(),
        verified_at: row.verified_at,
        created_at: row.new.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
        client: row.new.client.clone(),
    }
}

fn key_pair(row: &KeyPairRow) -> KeyPairRecord {
    KeyPairRecord {
        id: row.new.id,
        user_id: row.new.user_id,
        name: row.new.name.clone(),
        api_key: row.new.api_key.clone(),
        digest: row.new.digest,
        key_id: row.new.key_id,
        roles: row.new.roles.clone(),
        verified_at: row.verified_at,
        created_at: row.new.created_at,
        expires_at: row.new.expires_at,
        last_used_at: row.last_used_at,
    }
}

fn code(row: &CodeRow) -> CodeRecord {
    let (session_id, key_pair_id) = match row.opens {
        Opens::Session(id) => (Some(id), None),
        Opens::KeyPair(id) => (None, Some(id)),
        Opens::Email => (None, None),
    };
    CodeRecord {
        id: row.new.id,
        purpose: row.new.purpose,
        session_id,
        key_pair_id,
        email_id: row.email_id,
        address_key: row.new.address.clone(),
        network: row.new.network,
        hash: row.new.hash.clone(),
        key_id: row.new.key_id,
        created_at: row.new.created_at,
        expires_at: row.expires_at,
        wrong_guesses: row.wrong_guesses,
        ended: row.ended,
    }
}

fn mail(row: &MailRow) -> MailRecord {
    let state = match (&row.sealed, row.settled) {
        (Some(sealed), _) => MailState::Owed(sealed.bytes.clone()),
        (None, Some((at, AttemptOutcome::Delivered))) => MailState::Delivered(at),
        (None, Some((at, _))) => MailState::Abandoned(at),
        (None, None) => unreachable!("what is not owed is settled"),
    };
    MailRecord {
        id: row.id,
        class: row.class,
        code_id: row.code_id,
        key_id: row.key_id,
        state,
        created_at: row.created_at,
        due_at: row.due_at,
        attempts: row.attempts,
    }
}
