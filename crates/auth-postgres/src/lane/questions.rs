use auth_domain::{AddressKey, CodePurpose, Standing, StoreError, TokenDigest};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, PgExpressionMethods, QueryDsl, QueryResult, SelectableHelper,
    data_types::PgTimestamp,
    dsl::{array, not},
    result::Error,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::try_join3;

use super::askers::{Asker, Askers};
use crate::{
    key_pairs::TRIES,
    rows::{EmailRow, KeyPairRow, SessionRow, UserRow},
    schema::{codes, emails, key_pairs, sessions, users},
};

pub(super) type FoundSession = (SessionRow, UserRow);
pub(super) type FoundKeyPair = (KeyPairRow, UserRow);
/// An address, and when the codes end with which somebody could sign in there.
pub(super) type FoundAddress = (EmailRow, Vec<PgTimestamp>);

pub(super) enum Question {
    Session(Asker<TokenDigest, FoundSession>),
    KeyPair(Asker<TokenDigest, FoundKeyPair>),
    Address(Asker<AddressKey, FoundAddress>),
}

impl Question {
    /// Whether anybody still waits for the answer.
    pub(super) fn is_wanted(&self) -> bool {
        match self {
            Self::Session(asker) => !asker.answer.is_closed(),
            Self::KeyPair(asker) => !asker.answer.is_closed(),
            Self::Address(asker) => !asker.answer.is_closed(),
        }
    }
}

/// Questions that are asked together: each kind by one statement, all of them in one round trip.
#[derive(Default)]
pub(super) struct Batch {
    sessions: Askers<TokenDigest, FoundSession>,
    key_pairs: Askers<TokenDigest, FoundKeyPair>,
    addresses: Askers<AddressKey, FoundAddress>,
}

/// What there is of what was asked for, by what it was asked for with.
pub(super) struct Found {
    sessions: Vec<(TokenDigest, FoundSession)>,
    key_pairs: Vec<(TokenDigest, FoundKeyPair)>,
    addresses: Vec<(AddressKey, FoundAddress)>,
}

impl Batch {
    pub(super) fn of(questions: Vec<Question>) -> Self {
        let mut batch = Self::default();
        for question in questions {
            match question {
                Question::Session(asker) => batch.sessions.add(asker),
                Question::KeyPair(asker) => batch.key_pairs.add(asker),
                Question::Address(asker) => batch.addresses.add(asker),
            }
        }
        batch
    }

    /// Each statement is prepared once for each connection. None is sent that asks for nothing.
    pub(super) async fn look_up(&self, conn: &AsyncPgConnection) -> QueryResult<Found> {
        let (sessions, key_pairs, addresses) = try_join3(
            find_sessions(conn, octets(&self.sessions)),
            find_key_pairs(conn, octets(&self.key_pairs)),
            find_addresses(conn, self.addresses.keys().map(AddressKey::as_str).collect()),
        )
        .await?;
        Ok(Found { sessions, key_pairs, addresses })
    }

    pub(super) fn answer(self, found: Found) {
        self.sessions.answer(found.sessions);
        self.key_pairs.answer(found.key_pairs);
        self.addresses.answer(found.addresses);
    }

    pub(super) fn fail(self, error: &StoreError) {
        self.sessions.fail(error);
        self.key_pairs.fail(error);
        self.addresses.fail(error);
    }
}

fn octets<R: Clone>(askers: &Askers<TokenDigest, R>) -> Vec<&[u8]> {
    askers.keys().map(|digest| digest.as_bytes().as_slice()).collect()
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

/// One statement for every address: another one to see whether a registration has ended would tell that there is one.
async fn find_addresses(mut conn: &AsyncPgConnection, keys: Vec<&str>) -> QueryResult<Vec<(AddressKey, FoundAddress)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let is_owned = emails::verified.or(emails::vouched);
    let living = codes::table
        .filter(codes::address_key.eq(emails::address_key))
        .filter(codes::purpose.eq(CodePurpose::SignIn.as_str()))
        .filter(not(codes::ended))
        .filter(codes::wrong_guesses.lt(TRIES));
    // At most one of each is owned. Two registrations for one address replace each other, so the newest is the one.
    let found: Vec<FoundAddress> = emails::table
        .inner_join(users::table)
        .filter(emails::address_key.eq_any(keys))
        .filter(is_owned.or(users::registration.is_not_distinct_from(Standing::Pending.as_stored())))
        .distinct_on(emails::address_key)
        .order((emails::address_key, is_owned.desc(), emails::created_at.desc(), emails::id.desc()))
        .select((EmailRow::as_select(), array(living.select(codes::expires_at))))
        .load(&mut conn)
        .await?;
    let by_key = |found: FoundAddress| (AddressKey::from_stored(found.0.address_key.clone()), found);
    Ok(found.into_iter().map(by_key).collect())
}
