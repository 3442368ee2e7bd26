//! Spending a verification code. A function of the database's judges the guess, opens what it opens, and tells the audit log
//! what the domain says of it, in one round trip.

use async_trait::async_trait;
use auth_domain::{
    CodeGuess, CodePurpose, Codes, Event, FactKey, Opened, Redeemed, StoreError, UserId,
    rules::{KNOWN_NETWORKS_AT_MOST, event_of_disabled_account, event_of_redeeming, event_of_wrong_guess},
};
use diesel::{
    QueryResult,
    data_types::PgTimestamp,
    pg::Pg,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Array, Binary, Bool, Inet, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use ipnet::IpNet;
use uuid::Uuid;

use crate::{
    PostgresStore,
    calls::bind_all,
    error::{Failure, corrupt},
    key_pairs::TRIES,
    limits::{self, Measure},
    revocations::Revoked,
    rows::{network_text, stored},
};

/// [`KNOWN_NETWORKS_AT_MOST`] as the functions take it.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "a small number")]
const KNOWN_AT_MOST: i32 = KNOWN_NETWORKS_AT_MOST as i32;

/// In an event that may come to be told, whose the code is. No user has this id.
const OWNER: Uuid = Uuid::nil();
/// In an event that may come to be told, what the code has opened. Nothing has this id.
const OPENED: Uuid = Uuid::max();

#[async_trait]
impl Codes for PostgresStore {
    async fn redeem_code(&self, guess: &CodeGuess) -> Result<Redeemed, StoreError> {
        self.revoke_at_once(Some(FactKey::from_guess(guess)), guess.clone(), None, |conn, guess| {
            Box::pin(redeem_code(conn, guess))
        })
        .await
    }
}

async fn redeem_code(conn: &mut AsyncPgConnection, guess: &CodeGuess) -> Result<Revoked<Redeemed>, Failure> {
    let (redeemed, found, opened, changed, refused_by, until, told): Row = Call::of(guess).get_result(conn).await?;
    let refusal = || limits::refusal((refused_by.clone(), until, found, told));
    let owner = found.map(UserId::from);
    let of = owner.filter(|_| changed);
    let answer = match (redeemed.as_str(), owner, opened) {
        ("refused", ..) => Redeemed::Refused,
        ("shut", ..) => Redeemed::Shut(refusal()?),
        ("throttled", ..) => Redeemed::Throttled(refusal()?),
        ("wrong", owner, _) => Redeemed::Wrong { owner },
        ("disabled", Some(user_id), _) => Redeemed::Disabled { user_id },
        ("opened", Some(user_id), Some(id)) => {
            Redeemed::Yes { opened: open(guess.purpose, id), user_id, registered: false }
        }
        ("registered", Some(user_id), Some(id)) => {
            Redeemed::Yes { opened: open(guess.purpose, id), user_id, registered: true }
        }
        ("damaged", ..) => return Err(corrupt("codes", guess.id, "opens nothing").into()),
        (unknown, ..) => return Err(corrupt("codes", guess.id, format!("redeemed as {unknown}")).into()),
    };
    Ok(Revoked { answer, of })
}

fn open(purpose: CodePurpose, id: Uuid) -> Opened {
    match purpose {
        CodePurpose::SignIn => Opened::Session(id.into()),
        CodePurpose::Email => Opened::Email(id.into()),
        CodePurpose::KeyPair => Opened::KeyPair(id.into()),
    }
}

/// What the audit log may come to say of a guess, and after which outcome.
fn candidates(guess: &CodeGuess) -> [(&'static str, Event); 4] {
    let (owner, opened) = (UserId::from(OWNER), open(guess.purpose, OPENED));
    [
        ("wrong", event_of_wrong_guess(guess, Some(owner))),
        ("disabled", event_of_disabled_account(guess, owner)),
        ("opened", event_of_redeeming(guess, opened, owner, false)),
        ("registered", event_of_redeeming(guess, opened, owner, true)),
    ]
}

/// What `redeem_code` returns: what it came to, whose the code is, what it opened, whether that changed its user; of a guess
/// that was refused, by what, until when, and whether the audit log was told.
type Row = (String, Option<Uuid>, Option<Uuid>, bool, Option<String>, Option<PgTimestamp>, bool);

/// A call of `redeem_code`.
struct Call<'a> {
    code: Uuid,
    purpose: &'static str,
    hashes: Vec<&'a [u8]>,
    by_user: Option<Uuid>,
    ip: Option<IpNet>,
    at: PgTimestamp,
    event: Uuid,
    network: String,
    measure: Option<Measure>,
    outcomes_told: Vec<&'static str>,
    kinds: Vec<&'static str>,
    outcomes: Vec<&'static str>,
    actors: Vec<Option<Uuid>>,
    subjects: Vec<Option<Uuid>>,
    credentials: Vec<Option<Uuid>>,
    details: Vec<String>,
}

impl<'a> Call<'a> {
    fn of(guess: &'a CodeGuess) -> Self {
        let candidates = candidates(guess);
        let events = || candidates.iter().map(|(_outcome, event)| event);
        Self {
            code: guess.id.uuid(),
            purpose: guess.purpose.as_str(),
            hashes: guess.hashes.iter().map(|hash| hash.as_bytes().as_slice()).collect(),
            by_user: guess.by.user.map(UserId::uuid),
            ip: guess.by.ip.map(IpNet::from),
            at: stored(guess.at),
            event: guess.event_id.uuid(),
            network: network_text(guess.network),
            measure: guess.limits.as_ref().map(|limits| Measure::of_guess(guess, limits)),
            outcomes_told: candidates.iter().map(|(outcome, _event)| *outcome).collect(),
            kinds: events().map(|event| event.kind.as_str()).collect(),
            outcomes: events().map(|event| event.outcome.as_str()).collect(),
            actors: events().map(|event| event.actor.map(UserId::uuid)).collect(),
            subjects: events().map(|event| event.subject.map(UserId::uuid)).collect(),
            credentials: events().map(|event| event.credential).collect(),
            details: events().map(|event| event.detail.clone()).collect(),
        }
    }
}

/// One statement with limits and one without: which one, diesel finds by the text.
impl QueryId for Call<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Call<'_> {
    type SqlType = (Text, Nullable<SqlUuid>, Nullable<SqlUuid>, Bool, Nullable<Text>, Nullable<Timestamptz>, Bool);
}

impl QueryFragment<Pg> for Call<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT redeemed, owner, opened, changed, refused_by, until, was_told FROM redeem_code(ROW(");
        bind_all!(
            out,
            SqlUuid: &self.code,
            Text: self.purpose,
            Array<Binary>: &self.hashes,
            Nullable<SqlUuid>: &self.by_user,
            Nullable<Inet>: &self.ip,
            Timestamptz: &self.at,
            SqlUuid: &self.event,
            Text: &self.network,
        );
        out.push_sql(")::code_guess, ");
        bind_all!(out, Integer: &TRIES, Integer: &KNOWN_AT_MOST);
        out.push_sql(", ROW(");
        bind_all!(
            out,
            Array<Text>: &self.outcomes_told,
            Array<Text>: &self.kinds,
            Array<Text>: &self.outcomes,
            Array<Nullable<SqlUuid>>: &self.actors,
            Array<Nullable<SqlUuid>>: &self.subjects,
            Array<Nullable<SqlUuid>>: &self.credentials,
            Array<Text>: &self.details,
            SqlUuid: &OWNER,
            SqlUuid: &OPENED,
        );
        out.push_sql(")::event_candidates, ");
        match &self.measure {
            Some(measure) => limits::bind(&mut out, measure)?,
            // Which costs no more than the word.
            None => out.push_sql("NULL"),
        }
        out.push_sql(")");
        Ok(())
    }
}
