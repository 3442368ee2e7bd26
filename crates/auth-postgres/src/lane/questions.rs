use auth_domain::{StoreError, TokenDigest};
use diesel::{ExpressionMethods, QueryDsl, QueryResult, SelectableHelper, result::Error};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::try_join;

use super::askers::{Asker, Askers};
use crate::{
    rows::{KeyPairRow, SessionRow, UserRow},
    schema::{key_pairs, sessions, users},
};

pub(super) type FoundSession = (SessionRow, UserRow);
pub(super) type FoundKeyPair = (KeyPairRow, UserRow);

pub(super) enum Question {
    Session(Asker<FoundSession>),
    KeyPair(Asker<FoundKeyPair>),
}

impl Question {
    /// Whether anybody still waits for the answer.
    pub(super) fn is_wanted(&self) -> bool {
        match self {
            Self::Session(asker) => !asker.answer.is_closed(),
            Self::KeyPair(asker) => !asker.answer.is_closed(),
        }
    }
}

/// Questions that are asked together: each kind by one statement, all of them in one round trip.
#[derive(Default)]
pub(super) struct Batch {
    sessions: Askers<FoundSession>,
    key_pairs: Askers<FoundKeyPair>,
}

/// What there is of what was asked for, by what it was asked for with.
pub(super) struct Found {
    sessions: Vec<(TokenDigest, FoundSession)>,
    key_pairs: Vec<(TokenDigest, FoundKeyPair)>,
}

impl Batch {
    pub(super) fn of(questions: Vec<Question>) -> Self {
        let mut batch = Self::default();
        for question in questions {
            match question {
                Question::Session(asker) => batch.sessions.add(asker),
                Question::KeyPair(asker) => batch.key_pairs.add(asker),
            }
        }
        batch
    }

    /// Each statement is prepared once for each connection. None is sent that asks for nothing.
    pub(super) async fn look_up(&self, conn: &AsyncPgConnection) -> QueryResult<Found> {
        let (sessions, key_pairs) =
            try_join(find_sessions(conn, self.sessions.digests()), find_key_pairs(conn, self.key_pairs.digests()))
                .await?;
        Ok(Found { sessions, key_pairs })
    }

    pub(super) fn answer(self, found: Found) {
        self.sessions.answer(found.sessions);
        self.key_pairs.answer(found.key_pairs);
    }

    pub(super) fn fail(self, error: &StoreError) {
        self.sessions.fail(error);
        self.key_pairs.fail(error);
    }
}

/// The digest by which a row was found: one that was asked for, so one of another length is a failure and not an absence.
fn asked_for(digest: Vec<u8>) -> QueryResult<TokenDigest> {
    let other = |_digest| Error::DeserializationError("a digest of another length was found".into());
    digest.try_into().map(TokenDigest::from_stored).map_err(other)
}

async fn find_sessions(
    mut conn: &AsyncPgConnection,
    digests: Vec<&[u8]>,
) -> QueryResult<Vec<(TokenDigest, FoundSession)>> {
    if digests.is_empty() {
        return Ok(Vec::new());
    }
    let found: Vec<(Vec<u8>, SessionRow, UserRow)> = sessions::table
        .inner_join(users::table)
        .filter(sessions::digest.eq_any(digests))
        .select((sessions::digest, SessionRow::as_select(), UserRow::as_select()))
        .load(&mut conn)
        .await?;
    found.into_iter().map(|(digest, session, user)| Ok((asked_for(digest)?, (session, user)))).collect()
}

async fn find_key_pairs(
    mut conn: &AsyncPgConnection,
    digests: Vec<&[u8]>,
) -> QueryResult<Vec<(TokenDigest, FoundKeyPair)>> {
    if digests.is_empty() {
        return Ok(Vec::new());
    }
    let found: Vec<(Vec<u8>, KeyPairRow, UserRow)> = key_pairs::table
        .inner_join(users::table)
        .filter(key_pairs::digest.eq_any(digests))
        .select((key_pairs::digest, KeyPairRow::as_select(), UserRow::as_select()))
        .load(&mut conn)
        .await?;
    found.into_iter().map(|(digest, pair, user)| Ok((asked_for(digest)?, (pair, user)))).collect()
}
