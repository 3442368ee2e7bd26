//! What is let through so often in so long: requests for codes, and strangers' guesses as requests of their network.

use auth_domain::{
    AddressKey, CodeGuess, Limits, NewCode, Refusal, Restraint, ThrottleKey, ThrottleKind, Timestamp, UserId,
    rules::{
        Asking, Charge, HeldBack, HeldBackBy, event_of_refusal, event_of_refused_guess, is_to_be_told, judge_asking,
        judge_guessing, judge_throttle,
    },
};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, SqliteConnection};

use crate::{
    audit,
    error::Failure,
    failures::{FailureKey, knows, stored},
    rows::id,
    schema::throttles,
    users::owned,
};

/// What a request is charged once it is stored.
#[derive(Debug)]
pub(crate) struct Charges(Vec<(ThrottleKey, Timestamp)>);

/// What a request for `code` will be charged, or why it is held back.
pub(crate) fn judge(
    conn: &mut SqliteConnection,
    restraint: Option<&Restraint>,
    asking: Asking,
    code: &NewCode,
) -> Result<Result<Charges, Refusal>, Failure> {
    let Some(restraint) = restraint else { return Ok(Ok(Charges(Vec::new()))) };
    let (address, limits, now) = (&code.address, &restraint.limits, code.created_at);
    let known = knows(conn, address, code.network, limits, now)?;
    let failure_key = FailureKey::new(address, code.network, known);
    let failures = failure_key.load(conn)?;
    let guessing = judge_guessing(failures.as_ref(), limits, now);
    let mut throttles = Vec::new();
    for key in asking.keys(address, code.network, known) {
        let full_at = full_at(conn, &key)?;
        throttles.push((key, full_at));
    }
    let HeldBack { by, until } = match judge_asking(guessing, throttles, limits, now) {
        Ok(charges) => return Ok(Ok(Charges(charges))),
        Err(held_back) => held_back,
    };
    let told = match (&by, &failures) {
        (HeldBackBy::Throttle(key), _) => is_told(conn, key, limits, now)?,
        (HeldBackBy::Guesses, Some(failures)) => failure_key.is_told(conn, failures, now)?,
        (HeldBackBy::Guesses, None) => false,
    };
    let limit = by.limit();
    let owner = if limit.is_for_an_address() { owner_of(conn, address)? } else { None };
    if told {
        audit::record(conn, &event_of_refusal(restraint, limit, owner))?;
    }
    Ok(Err(Refusal { limit, until, owner, told }))
}

impl Charges {
    /// Charges them.
    pub(crate) fn settle(self, conn: &mut SqliteConnection) -> Result<(), Failure> {
        self.0.into_iter().try_for_each(|(key, full_at)| charge(conn, &key, full_at))
    }

    /// Those of a registration whose alias is taken.
    pub(crate) fn for_a_taken_alias(mut self) -> Self {
        self.0.retain(|(key, _)| key.kind.is_charged_for_a_taken_alias());
        self
    }
}

/// Charges a stranger's guess as a request of its network, or says why it is held back.
pub(crate) fn charge_guess(conn: &mut SqliteConnection, guess: &CodeGuess) -> Result<Option<Refusal>, Failure> {
    let (Some(limits), None) = (&guess.limits, guess.by.user) else { return Ok(None) };
    let kind = ThrottleKind::Requests;
    let key = ThrottleKey { kind, address: None, network: Some(guess.network) };
    match judge_throttle(full_at(conn, &key)?, kind.rate(limits), guess.at) {
        Charge::Room(full_at) => {
            charge(conn, &key, full_at)?;
            Ok(None)
        }
        Charge::Full(until) => {
            let told = is_told(conn, &key, limits, guess.at)?;
            let limit = HeldBackBy::Throttle(key).limit();
            if told {
                audit::record(conn, &event_of_refused_guess(guess, limit, None))?;
            }
            Ok(Some(Refusal { limit, until, owner: None, told }))
        }
    }
}

/// Who owns an address.
pub(crate) fn owner_of(conn: &mut SqliteConnection, address: &AddressKey) -> Result<Option<UserId>, Failure> {
    let owner: Option<Vec<u8>> =
        owned(address.as_str()).select(crate::schema::emails::user_id).get_result(conn).optional()?;
    Ok(owner.map(|owner| id("emails", &owner, &owner)).transpose()?)
}

/// The row of a throttle: kind, address, network.
type Key = (&'static str, String, String);

fn row(key: &ThrottleKey) -> Key {
    let address = key.address.as_ref().map_or_else(String::new, |address| address.as_str().to_owned());
    (key.kind.as_str(), address, stored(key.network))
}

/// When all of it is there again.
fn full_at(conn: &mut SqliteConnection, key: &ThrottleKey) -> Result<Option<Timestamp>, Failure> {
    let full_at: Option<i64> =
        throttles::table.find(row(key)).select(throttles::full_at).get_result(conn).optional()?;
    Ok(full_at.map(Timestamp::from_unix_millis))
}

fn charge(conn: &mut SqliteConnection, key: &ThrottleKey, full_at: Timestamp) -> Result<(), Failure> {
    let (kind, address, network) = row(key);
    let full_at = throttles::full_at.eq(full_at.unix_millis());
    diesel::insert_into(throttles::table)
        .values((throttles::kind.eq(kind), throttles::address_key.eq(address), throttles::network.eq(network), full_at))
        .on_conflict((throttles::kind, throttles::address_key, throttles::network))
        .do_update()
        .set(full_at)
        .execute(conn)?;
    Ok(())
}

/// Whether the audit log is to be told that this throttle refuses something; from then on it has been.
fn is_told(conn: &mut SqliteConnection, key: &ThrottleKey, limits: &Limits, now: Timestamp) -> Result<bool, Failure> {
    let told_at: Option<i64> = throttles::table.find(row(key)).select(throttles::told_at).get_result(conn)?;
    let span = key.kind.rate(limits).span();
    let told = is_to_be_told(told_at.map(Timestamp::from_unix_millis), span, now);
    if told {
        diesel::update(throttles::table.find(row(key))).set(throttles::told_at.eq(now.unix_millis())).execute(conn)?;
    }
    Ok(told)
}
