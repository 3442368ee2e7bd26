//! Wrong guesses at the codes of an address, and the networks that it knows.

use std::fmt;

use auth_domain::{
    AddressKey, CodeGuess, EmailId, Failures, Limit, Limits, Network, Refusal, StoreError, Timestamp,
    rules::{
        Guessing, after_failure, after_success, event_of_refused_guess, forgotten_networks, judge_guessing,
        network_is_known, refused_guess_is_to_be_told,
    },
};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, Queryable, RunQueryDsl, Selectable, SelectableHelper,
    SqliteConnection, dsl::auto_type, sqlite::Sqlite,
};

use crate::{
    audit,
    error::{Failure, corrupt},
    rows::{bytes_of, printed},
    schema::{emails, failures, known_networks},
    throttles::owner_of,
};

/// Which wrong guesses are meant: those at the codes of an address from a network that it knows, or from all others.
#[derive(Debug, Clone)]
pub(crate) struct FailureKey {
    address: AddressKey,
    network: Option<Network>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = failures, check_for_backend(Sqlite))]
pub(crate) struct FailureRow {
    pub(crate) address_key: String,
    pub(crate) network: String,
    day_began_at: i64,
    of_day: i64,
    in_a_row: i64,
    last_at: i64,
    told_at: Option<i64>,
    owner_told_at: Option<i64>,
}

impl FailureRow {
    /// What the row is told apart by in the log. Its key is an address, which is not for logs.
    fn printed(&self) -> String {
        format!("with last_at {}", self.last_at)
    }

    pub(crate) fn failures(&self) -> Result<Failures, StoreError> {
        let count = |stored: i64| u32::try_from(stored).map_err(|error| corrupt("failures", self.printed(), error));
        Ok(Failures {
            day_began_at: Timestamp::from_unix_millis(self.day_began_at),
            of_day: count(self.of_day)?,
            in_a_row: count(self.in_a_row)?,
            last_at: Timestamp::from_unix_millis(self.last_at),
            told_at: self.told_at.map(Timestamp::from_unix_millis),
            owner_told_at: self.owner_told_at.map(Timestamp::from_unix_millis),
        })
    }

    pub(crate) fn network(&self) -> Result<Option<Network>, StoreError> {
        parsed("failures", self.printed(), &self.network)
    }
}

/// A network as it is stored: its first address, nothing for none.
pub(crate) fn stored(network: Option<Network>) -> String {
    network.map_or_else(String::new, |network| network.first_address().to_string())
}

/// The network in a column of `table`, whose row is `row`.
pub(crate) fn parsed(table: &'static str, row: impl fmt::Display, stored: &str) -> Result<Option<Network>, StoreError> {
    if stored.is_empty() {
        return Ok(None);
    }
    let first_address = match stored.parse() {
        Ok(first_address) => first_address,
        Err(error) => return Err(corrupt(table, row, error)),
    };
    let network = Network::of(first_address);
    if network.first_address() == first_address {
        Ok(Some(network))
    } else {
        Err(corrupt(table, row, "not the first address of a network"))
    }
}

/// The last sign-ins to accounts with `address` from `network`.
#[auto_type(no_type_alias)]
fn sign_ins<'a>(address: &'a str, network: String) -> _ {
    known_networks::table
        .inner_join(emails::table)
        .filter(emails::address_key.eq(address))
        .filter(known_networks::network.eq(network))
        .select(known_networks::last_signed_in_at)
}

/// Whether `network` is known to `address`.
pub(crate) fn knows(
    conn: &mut SqliteConnection,
    address: &AddressKey,
    network: Network,
    limits: &Limits,
    now: Timestamp,
) -> Result<bool, Failure> {
    let sign_ins: Vec<i64> = sign_ins(address.as_str(), stored(Some(network))).load(conn)?;
    let last = sign_ins.into_iter().max().map(Timestamp::from_unix_millis);
    Ok(network_is_known(last, limits.networks_known_for, now))
}

impl FailureKey {
    /// The wrong guesses that somebody in `network` is judged by, which `address` knows or not.
    pub(crate) fn new(address: &AddressKey, network: Network, known: bool) -> Self {
        Self { address: address.clone(), network: known.then_some(network) }
    }

    fn of_guess(
        conn: &mut SqliteConnection,
        guess: &CodeGuess,
        address: &AddressKey,
        limits: &Limits,
    ) -> Result<Self, Failure> {
        Ok(Self::new(address, guess.network, knows(conn, address, guess.network, limits, guess.at)?))
    }

    pub(crate) fn load(&self, conn: &mut SqliteConnection) -> Result<Option<Failures>, Failure> {
        let row: Option<FailureRow> = failures::table
            .find((self.address.as_str(), stored(self.network)))
            .select(FailureRow::as_select())
            .get_result(conn)
            .optional()?;
        Ok(row.map(|row| row.failures()).transpose()?)
    }

    fn store(&self, conn: &mut SqliteConnection, row: &Failures) -> Result<(), Failure> {
        diesel::replace_into(failures::table)
            .values((
                failures::address_key.eq(self.address.as_str()),
                failures::network.eq(stored(self.network)),
                failures::day_began_at.eq(row.day_began_at.unix_millis()),
                failures::of_day.eq(i64::from(row.of_day)),
                failures::in_a_row.eq(i64::from(row.in_a_row)),
                failures::last_at.eq(row.last_at.unix_millis()),
                failures::told_at.eq(row.told_at.map(Timestamp::unix_millis)),
                failures::owner_told_at.eq(row.owner_told_at.map(Timestamp::unix_millis)),
            ))
            .execute(conn)?;
        Ok(())
    }

    /// Whether the audit log is to be told that these refuse something; from then on it has been.
    pub(crate) fn is_told(&self, conn: &mut SqliteConnection, row: &Failures, now: Timestamp) -> Result<bool, Failure> {
        let told = refused_guess_is_to_be_told(row, now);
        if told {
            self.store(conn, &Failures { told_at: Some(now), ..*row })?;
        }
        Ok(told)
    }
}

/// A guess that may be judged, and what has to be stored once it was.
pub(crate) struct Judgeable {
    /// The row that a wrong guess counts in, and what it holds; `None` without limits.
    counted: Option<(FailureKey, Option<Failures>)>,
}

/// Whether a guess at a living code for `address`, which leads to `owner`, is to be judged, or why not.
pub(crate) fn judge(
    conn: &mut SqliteConnection,
    guess: &CodeGuess,
    address: &AddressKey,
) -> Result<Result<Judgeable, Refusal>, Failure> {
    let Some(limits) = &guess.limits else { return Ok(Ok(Judgeable { counted: None })) };
    let key = FailureKey::of_guess(conn, guess, address, limits)?;
    let row = key.load(conn)?;
    match (judge_guessing(row.as_ref(), limits, guess.at), &row) {
        (Guessing::Shut { until }, Some(row)) => {
            let (owner, told) = (owner_of(conn, address)?, key.is_told(conn, row, guess.at)?);
            if told {
                audit::record(conn, &event_of_refused_guess(guess, Limit::Guesses, owner))?;
            }
            Ok(Err(Refusal { limit: Limit::Guesses, until, owner, told }))
        }
        (Guessing::Open | Guessing::Shut { .. }, _) => Ok(Ok(Judgeable { counted: Some((key, row)) })),
    }
}

impl Judgeable {
    /// The guess was wrong.
    pub(crate) fn count_failure(&self, conn: &mut SqliteConnection, guess: &CodeGuess) -> Result<(), Failure> {
        match &self.counted {
            Some((key, row)) => key.store(conn, &after_failure(row.as_ref(), guess.at)),
            None => Ok(()),
        }
    }

    /// The guess was right and has opened something.
    pub(crate) fn forgive(&self, conn: &mut SqliteConnection, guess: &CodeGuess) -> Result<(), Failure> {
        let Some((FailureKey { address, .. }, _)) = &self.counted else { return Ok(()) };
        let own = failures::table.find((address.as_str(), stored(Some(guess.network))));
        diesel::delete(own).execute(conn)?;
        let strangers = FailureKey { address: address.clone(), network: None };
        match strangers.load(conn)? {
            Some(row) => strangers.store(conn, &after_success(&row)),
            None => Ok(()),
        }
    }
}

/// Makes a network known to the address `email`.
pub(crate) fn get_to_know(
    conn: &mut SqliteConnection,
    email: EmailId,
    network: Network,
    now: Timestamp,
) -> Result<(), Failure> {
    let email = bytes_of(email.uuid());
    let rows: Vec<(String, i64)> = known_networks::table
        .filter(known_networks::email_id.eq(&email))
        .select((known_networks::network, known_networks::last_signed_in_at))
        .load(conn)?;
    let mut known = Vec::with_capacity(rows.len());
    for (stored, last_signed_in_at) in rows {
        let parsed = parsed("known_networks", printed(&email), &stored)?;
        let parsed = parsed.ok_or_else(|| corrupt("known_networks", printed(&email), "no network"))?;
        known.push((parsed, Timestamp::from_unix_millis(last_signed_in_at)));
    }
    for forgotten in forgotten_networks(&known, network) {
        let row = known_networks::table.find((&email, stored(Some(forgotten))));
        diesel::delete(row).execute(conn)?;
    }
    let before = known.iter().find(|(known, _)| *known == network).map(|(_, last)| *last);
    let last = before.map_or(now, |before| before.max(now));
    diesel::replace_into(known_networks::table)
        .values((
            known_networks::email_id.eq(&email),
            known_networks::network.eq(stored(Some(network))),
            known_networks::last_signed_in_at.eq(last.unix_millis()),
        ))
        .execute(conn)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;

    #[test]
    fn whether_a_network_is_known_is_found_by_the_address() {
        let plan = plan(&sign_ins("ada@example.org", "192.0.2.0".to_owned()));
        let expected = [
            "SEARCH emails USING INDEX emails_address_key (address_key=?)",
            "SEARCH known_networks USING PRIMARY KEY (email_id=? AND network=?)",
        ];
        assert_eq!(plan, expected);
    }
}
