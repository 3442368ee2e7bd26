//! The store's own well-being.

use async_trait::async_trait;
use auth_domain::{
    Backlog, CodePurpose, CodeState, Hanging, KeyId, MailClass, Purge, StoreError, Timestamp, Upkeep,
    rules::{SETTLED_MAILS_KEPT, failures_are_over},
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, QueryDsl, QueryResult, RunQueryDsl,
    SelectableHelper, SqliteConnection,
    dsl::{auto_type, exists, min, not, sql},
    sql_types::Bool,
    sqlite::Sqlite,
};

use crate::{
    SqliteStore, changes, damage,
    error::Failure,
    migrations,
    rows::FailureRow,
    schema::{codes, emails, events, failures, key_pairs, known_networks, outbox, sessions, throttles, users},
    server_keys,
};

#[async_trait]
impl Upkeep for SqliteStore {
    async fn check_ready(&self) -> Result<(), StoreError> {
        self.read(migrations::check_layout).await
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        self.read(move |conn| backlog(conn, now)).await
    }

    async fn what_hangs_on_keys(&self, now: Timestamp) -> Result<Vec<(KeyId, Hanging)>, StoreError> {
        self.read(move |conn| server_keys::what_hangs_on_each(conn, now)).await
    }

    async fn purge(&self, purge: &Purge) -> Result<u64, StoreError> {
        let due = *purge;
        self.write(move |conn| self::purge(conn, due)).await
    }
}

fn backlog(conn: &mut SqliteConnection, now: Timestamp) -> Result<Backlog, Failure> {
    let codes: Vec<i64> = owed(MailClass::Code).load(conn)?;
    let notices: Vec<i64> = owed(MailClass::Notice).load(conn)?;
    let decoys: Vec<i64> = owed(MailClass::Decoy).load(conn)?;
    let now = now.unix_millis();
    // What has ended first, of each: the first entry of an index.
    let ended: [Option<i64>; 3] = [
        sessions::table.filter(sessions::expires_at.le(now)).select(min(sessions::expires_at)).get_result(conn)?,
        key_pairs::table.filter(key_pairs::expires_at.le(now)).select(min(key_pairs::expires_at)).get_result(conn)?,
        codes::table.filter(codes::expires_at.le(now)).select(min(codes::expires_at)).get_result(conn)?,
    ];
    Ok(Backlog {
        codes: counted(codes.len()),
        notices: counted(notices.len()),
        decoys: counted(decoys.len()),
        owed_since: [codes, notices, decoys].into_iter().flatten().min().map(Timestamp::from_unix_millis),
        ended_since: ended.into_iter().flatten().min().map(Timestamp::from_unix_millis),
    })
}

/// Since when each mail of a class is owed: of those that are due first, as many as are counted.
#[auto_type(no_type_alias)]
fn owed(class: MailClass) -> _ {
    let class: &'static str = class.as_str();
    let limit: i64 = i64::from(Backlog::COUNTED_AT_MOST);
    outbox::table
        .filter(outbox::settled_at.is_null())
        .filter(outbox::class.eq(class))
        .order(outbox::due_at)
        .limit(limit)
        .select(outbox::created_at)
}

fn counted(rows: usize) -> u64 {
    rows.try_into().unwrap_or(u64::MAX)
}

/// [`CodeState::is_living_at`] as a condition, for deciding about many rows at once.
#[auto_type(no_type_alias)]
pub(crate) fn is_living_at(now: i64) -> _ {
    let tries: i64 = i64::from(CodeState::TRIES);
    codes::ended.eq(false).and(codes::wrong_guesses.lt(tries)).and(codes::expires_at.gt(now))
}

/// Returns how many rows were named here. Those that go with them by foreign key are not counted.
fn purge(conn: &mut SqliteConnection, purge: Purge) -> Result<u64, Failure> {
    let Purge { now, events_until, networks_until, limit } = purge;
    let limit = i64::from(limit);
    let ended = ended_registrations(conn, now, limit)?;
    let mut gone = 0;
    // Row by row, by their ids: one prepared statement, and no more rows than were counted.
    for id in ended {
        gone += changes::delete_user(conn, &id)?;
    }
    for id in expired_sessions(conn, now, limit)?.into_iter().chain(hopeless_sessions(conn, now, limit)?) {
        gone += diesel::delete(sessions::table.filter(sessions::id.eq(id))).execute(conn)?;
    }
    for id in ended_key_pairs(conn, now, limit)? {
        gone += diesel::delete(key_pairs::table.filter(key_pairs::id.eq(id))).execute(conn)?;
    }
    for id in expired_codes(conn, now, limit)? {
        gone += diesel::delete(codes::table.filter(codes::id.eq(id))).execute(conn)?;
    }
    for id in mails_settled_long_ago(conn, now, limit)? {
        gone += diesel::delete(outbox::table.filter(outbox::id.eq(id))).execute(conn)?;
    }
    for id in old_events(conn, events_until, limit)? {
        gone += diesel::delete(events::table.filter(events::id.eq(id))).execute(conn)?;
    }
    for (email, network) in unused_networks(conn, networks_until, limit)? {
        gone += diesel::delete(known_networks::table.find((email, network))).execute(conn)?;
    }
    for key in failures_that_are_over(conn, now, limit)? {
        gone += diesel::delete(failures::table.find(key)).execute(conn)?;
    }
    for key in throttles_full_again(conn, now, limit)? {
        gone += diesel::delete(throttles::table.find(key)).execute(conn)?;
    }
    Ok(counted(gone))
}

/// Registrations for addresses without a living code.
fn ended_registrations(conn: &mut SqliteConnection, now: Timestamp, limit: i64) -> QueryResult<Vec<Vec<u8>>> {
    let living = emails::table
        .inner_join(codes::table.on(codes::address_key.eq(emails::address_key)))
        .filter(emails::user_id.eq(users::id))
        .filter(codes::purpose.eq(CodePurpose::SignIn.as_str()))
        .filter(is_living_at(now.unix_millis()));
    users::table
        .filter(users::registration.is_not_null())
        .filter(not(exists(living)))
        .order(users::created_at)
        .limit(limit)
        .select(users::id)
        .load(conn)
}

fn expired_sessions(conn: &mut SqliteConnection, now: Timestamp, limit: i64) -> QueryResult<Vec<Vec<u8>>> {
    sessions::table
        .filter(sessions::expires_at.le(now.unix_millis()))
        .order(sessions::expires_at)
        .limit(limit)
        .select(sessions::id)
        .load(conn)
}

/// Sessions that wait for a code which can be redeemed no more.
fn hopeless_sessions(conn: &mut SqliteConnection, now: Timestamp, limit: i64) -> QueryResult<Vec<Vec<u8>>> {
    let living =
        codes::table.filter(codes::session_id.eq(sessions::id.nullable())).filter(is_living_at(now.unix_millis()));
    sessions::table
        .filter(sessions::verified_at.is_null())
        .filter(not(exists(living)))
        .order(sessions::created_at)
        .limit(limit)
        .select(sessions::id)
        .load(conn)
}

/// Key pairs past their time, and those that nobody can verify any more. Two questions, each of which an index answers.
fn ended_key_pairs(conn: &mut SqliteConnection, now: Timestamp, limit: i64) -> QueryResult<Vec<Vec<u8>>> {
    let expired = key_pairs::table
        .filter(key_pairs::expires_at.le(now.unix_millis()))
        .order(key_pairs::expires_at)
        .limit(limit)
        .select(key_pairs::id)
        .load(conn)?;
    let living =
        codes::table.filter(codes::key_pair_id.eq(key_pairs::id.nullable())).filter(is_living_at(now.unix_millis()));
    let hopeless: Vec<Vec<u8>> = key_pairs::table
        .filter(key_pairs::verified_at.is_null())
        .filter(not(exists(living)))
        .order(key_pairs::created_at)
        .limit(limit)
        .select(key_pairs::id)
        .load(conn)?;
    Ok(expired.into_iter().chain(hopeless).collect())
}

fn expired_codes(conn: &mut SqliteConnection, now: Timestamp, limit: i64) -> QueryResult<Vec<Vec<u8>>> {
    codes::table
        .filter(codes::expires_at.le(now.unix_millis()))
        .order(codes::expires_at)
        .limit(limit)
        .select(codes::id)
        .load(conn)
}

fn mails_settled_long_ago(conn: &mut SqliteConnection, now: Timestamp, limit: i64) -> QueryResult<Vec<Vec<u8>>> {
    outbox::table
        .filter(outbox::settled_at.le(now.minus(SETTLED_MAILS_KEPT).unix_millis()))
        .order(outbox::settled_at)
        .limit(limit)
        .select(outbox::id)
        .load(conn)
}

fn old_events(conn: &mut SqliteConnection, until: Timestamp, limit: i64) -> QueryResult<Vec<Vec<u8>>> {
    events::table
        .filter(events::at.le(until.unix_millis()))
        .order(events::at)
        .limit(limit)
        .select(events::id)
        .load(conn)
}

fn unused_networks(conn: &mut SqliteConnection, until: Timestamp, limit: i64) -> QueryResult<Vec<(Vec<u8>, String)>> {
    known_networks::table
        .filter(known_networks::last_signed_in_at.le(until.unix_millis()))
        .order(known_networks::last_signed_in_at)
        .limit(limit)
        .select((known_networks::email_id, known_networks::network))
        .load(conn)
}

/// Wrong guesses that were forgiven, and those that are old: of each as many as are looked at, the first to be over first.
fn failures_that_are_over(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(String, String)>, Failure> {
    let load_forgiven = |conn: &mut SqliteConnection, offset| forgiven(limit, offset).load(conn);
    let load_untold = |conn: &mut SqliteConnection, offset| {
        failures::table
            .filter(failures::owner_told_at.is_null())
            .order(failures::last_at)
            .limit(limit)
            .offset(offset)
            .select(FailureRow::as_select())
            .load(conn)
    };
    let key_if_over = |_: &mut SqliteConnection, row: FailureRow| {
        let is_over = failures_are_over(&row.failures()?, now);
        Ok(is_over.then_some((row.address_key, row.network)))
    };
    let forgiven = damage::sound_rows(conn, "failures", limit, load_forgiven, key_if_over)?;
    let untold = damage::sound_rows(conn, "failures", limit, load_untold, key_if_over)?;
    Ok(forgiven.into_iter().chain(untold).flatten().collect())
}

/// Those that were forgiven. The condition, to the letter, is that of an index.
#[auto_type(no_type_alias)]
fn forgiven(limit: i64, offset: i64) -> _ {
    let condition: diesel::expression::SqlLiteral<Bool> = sql("in_a_row = 0");
    let columns: diesel::dsl::AsSelect<FailureRow, Sqlite> = FailureRow::as_select();
    failures::table.filter(condition).order(failures::day_began_at).limit(limit).offset(offset).select(columns)
}

fn throttles_full_again(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: i64,
) -> QueryResult<Vec<(String, String, String)>> {
    throttles::table
        .filter(throttles::full_at.le(now.unix_millis()))
        .order(throttles::full_at)
        .limit(limit)
        .select((throttles::kind, throttles::address_key, throttles::network))
        .load(conn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;

    #[test]
    fn what_is_owed_is_counted_in_an_index_of_what_is_owed() {
        let plan = plan(&owed(MailClass::Code));
        assert_eq!(plan, ["SEARCH outbox USING INDEX outbox_owed (class=?)"]);
    }

    #[test]
    fn wrong_guesses_that_were_forgiven_are_found_among_those() {
        assert_eq!(plan(&forgiven(10, 0)), ["SCAN failures USING INDEX failures_forgiven"]);
    }
}
