//! The store's own well-being.

use async_trait::async_trait;
use auth_domain::{
    Backlog, CodePurpose, Hanging, KeyId, MailClass, Purge, StoreError, Timestamp, Upkeep,
    rules::{DAY, REMEMBERED_FOR, SETTLED_MAILS_KEPT},
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, PgExpressionMethods, QueryDsl,
    data_types::PgTimestamp,
    dsl::{auto_type, exists, min, not},
    sql_query,
    sql_types::{BigInt, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{
    PostgresStore,
    error::Failure,
    facts,
    key_pairs::TRIES,
    migrations,
    rows::{moment, stored},
    schema::{codes, emails, events, key_pairs, outbox, sessions, users},
    server_keys,
};

#[async_trait]
impl Upkeep for PostgresStore {
    async fn check_ready(&self) -> Result<(), StoreError> {
        self.read((), |conn, ()| Box::pin(migrations::check_layout(conn))).await
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        self.read(now, |conn, now| Box::pin(backlog(conn, *now))).await
    }

    async fn what_hangs_on_keys(&self, now: Timestamp) -> Result<Vec<(KeyId, Hanging)>, StoreError> {
        let connector = self.connector.clone();
        let counting = self.runtime.spawn(async move { server_keys::what_hangs_on_each(&connector, now).await });
        counting.await.map_err(StoreError::unavailable)?
    }

    async fn purge(&self, purge: &Purge) -> Result<u64, StoreError> {
        let limit = i64::from(purge.limit);
        let (input, of_events, of_networks) =
            ((purge.now, limit), (purge.events_until, limit), (purge.networks_until, limit));
        // A transaction for each kind, so that none holds its rows for long.
        Ok(self.write(input, |conn, (now, limit)| Box::pin(purge_registrations(conn, *now, *limit))).await?
            + self.write(input, |conn, (now, limit)| Box::pin(purge_sessions(conn, *now, *limit))).await?
            + self.write(input, |conn, (now, limit)| Box::pin(purge_key_pairs(conn, *now, *limit))).await?
            + self.write(input, |conn, (now, limit)| Box::pin(purge_codes(conn, *now, *limit))).await?
            + self.write(input, |conn, (now, limit)| Box::pin(purge_mails(conn, *now, *limit))).await?
            + self.write(of_events, |conn, (until, limit)| Box::pin(purge_events(conn, *until, *limit))).await?
            + self
                .write_at_once(of_networks, |conn, (until, limit)| Box::pin(purge_networks(conn, *until, *limit)))
                .await?
            + self.write_at_once(input, |conn, (now, limit)| Box::pin(purge_failures(conn, *now, *limit))).await?
            + self.write_at_once(input, |conn, (now, limit)| Box::pin(purge_throttles(conn, *now, *limit))).await?)
    }
}

async fn backlog(conn: &mut AsyncPgConnection, now: Timestamp) -> Result<Backlog, Failure> {
    let codes = owed(conn, MailClass::Code).await?;
    let notices = owed(conn, MailClass::Notice).await?;
    let decoys = owed(conn, MailClass::Decoy).await?;
    let now = stored(now);
    // What has ended first, of each: the first entry of an index.
    let ended: [Option<PgTimestamp>; 3] = [
        sessions::table.filter(sessions::expires_at.le(now)).select(min(sessions::expires_at)).get_result(conn).await?,
        key_pairs::table
            .filter(key_pairs::expires_at.le(now))
            .select(min(key_pairs::expires_at))
            .get_result(conn)
            .await?,
        codes::table.filter(codes::expires_at.le(now)).select(min(codes::expires_at)).get_result(conn).await?,
    ];
    Ok(Backlog {
        codes: counted(codes.len()),
        notices: counted(notices.len()),
        decoys: counted(decoys.len()),
        owed_since: [codes, notices, decoys].into_iter().flatten().map(moment).min(),
        ended_since: ended.into_iter().flatten().map(moment).min(),
    })
}

/// Since when each mail of a class is owed: of those that are due first, as many as are counted.
async fn owed(conn: &mut AsyncPgConnection, class: MailClass) -> Result<Vec<PgTimestamp>, Failure> {
    let owed = outbox::table
        .filter(outbox::settled_at.is_null())
        .filter(outbox::class.eq(class.as_str()))
        .order(outbox::due_at)
        .limit(Backlog::COUNTED_AT_MOST.into())
        .select(outbox::created_at);
    Ok(owed.load(conn).await?)
}

/// [`CodeState::is_living_at`](auth_domain::CodeState::is_living_at) as a condition, for deciding about many rows at once.
///
/// The time is put so that no index is searched by it: nearly everybody looks for the codes of something, and that is what they
/// are to be found by.
#[auto_type(no_type_alias)]
pub(crate) fn is_living_at(now: PgTimestamp) -> _ {
    let tries: i32 = TRIES;
    not(codes::ended).and(codes::wrong_guesses.lt(tries)).and(codes::expires_at.gt(now).is_not_distinct_from(true))
}

fn counted(rows: usize) -> u64 {
    rows.try_into().unwrap_or(u64::MAX)
}

// What another transaction holds is passed over and found the next time: nobody waits, and replicas share the work.

/// Registrations for addresses without a living code. Once that is so it stays so: a sign-in for such an address deletes
/// the registration before it stores a new code.
async fn purge_registrations(conn: &mut AsyncPgConnection, now: Timestamp, limit: i64) -> Result<u64, Failure> {
    let living = emails::table
        .inner_join(codes::table.on(codes::address_key.eq(emails::address_key)))
        .filter(emails::user_id.eq(users::id))
        .filter(codes::purpose.eq(CodePurpose::SignIn.as_str()))
        .filter(is_living_at(stored(now)));
    let ended: Vec<Uuid> = users::table
        .filter(users::registration.is_not_null())
        .filter(not(exists(living)))
        .order(users::created_at)
        .limit(limit)
        .select(users::id)
        .for_update()
        .skip_locked()
        .load(conn)
        .await?;
    facts::delete_registrations(conn, &ended).await?;
    Ok(counted(ended.len()))
}

/// Sessions past their end, and those that wait for a code which can be redeemed no more.
async fn purge_sessions(conn: &mut AsyncPgConnection, now: Timestamp, limit: i64) -> Result<u64, Failure> {
    let expired: Vec<Uuid> = sessions::table
        .filter(sessions::expires_at.le(stored(now)))
        .order(sessions::expires_at)
        .limit(limit)
        .select(sessions::id)
        .for_update()
        .skip_locked()
        .load(conn)
        .await?;
    let living = codes::table.filter(codes::session_id.eq(sessions::id.nullable())).filter(is_living_at(stored(now)));
    let hopeless: Vec<Uuid> = sessions::table
        .filter(sessions::verified_at.is_null())
        .filter(not(exists(living)))
        .order(sessions::created_at)
        .limit(limit)
        .select(sessions::id)
        .for_update()
        .skip_locked()
        .load(conn)
        .await?;
    let ended = sessions::table.filter(sessions::id.eq_any([expired, hopeless].concat()));
    Ok(counted(diesel::delete(ended).execute(conn).await?))
}

/// Key pairs past their end, and those that nobody can verify any more.
async fn purge_key_pairs(conn: &mut AsyncPgConnection, now: Timestamp, limit: i64) -> Result<u64, Failure> {
    let expired: Vec<Uuid> = key_pairs::table
        .filter(key_pairs::expires_at.le(stored(now)))
        .order(key_pairs::expires_at)
        .limit(limit)
        .select(key_pairs::id)
        .for_update()
        .skip_locked()
        .load(conn)
        .await?;
    let living = codes::table.filter(codes::key_pair_id.eq(key_pairs::id.nullable())).filter(is_living_at(stored(now)));
    let hopeless: Vec<Uuid> = key_pairs::table
        .filter(key_pairs::verified_at.is_null())
        .filter(not(exists(living)))
        .order(key_pairs::created_at)
        .limit(limit)
        .select(key_pairs::id)
        .for_update()
        .skip_locked()
        .load(conn)
        .await?;
    let ended = key_pairs::table.filter(key_pairs::id.eq_any([expired, hopeless].concat()));
    Ok(counted(diesel::delete(ended).execute(conn).await?))
}

async fn purge_codes(conn: &mut AsyncPgConnection, now: Timestamp, limit: i64) -> Result<u64, Failure> {
    let expired: Vec<Uuid> = codes::table
        .filter(codes::expires_at.le(stored(now)))
        .order(codes::expires_at)
        .limit(limit)
        .select(codes::id)
        .for_update()
        .skip_locked()
        .load(conn)
        .await?;
    Ok(counted(diesel::delete(codes::table.filter(codes::id.eq_any(expired))).execute(conn).await?))
}

async fn purge_mails(conn: &mut AsyncPgConnection, now: Timestamp, limit: i64) -> Result<u64, Failure> {
    let settled: Vec<Uuid> = outbox::table
        .filter(outbox::settled_at.le(stored(now.minus(SETTLED_MAILS_KEPT))))
        .order(outbox::settled_at)
        .limit(limit)
        .select(outbox::id)
        .for_update()
        .skip_locked()
        .load(conn)
        .await?;
    Ok(counted(diesel::delete(outbox::table.filter(outbox::id.eq_any(settled))).execute(conn).await?))
}

async fn purge_events(conn: &mut AsyncPgConnection, until: Timestamp, limit: i64) -> Result<u64, Failure> {
    let old: Vec<Uuid> = events::table
        .filter(events::at.le(stored(until)))
        .order(events::at)
        .limit(limit)
        .select(events::id)
        .for_update()
        .skip_locked()
        .load(conn)
        .await?;
    Ok(counted(diesel::delete(events::table.filter(events::id.eq_any(old))).execute(conn).await?))
}

// These have no id: a row is found again by where it stands, which nobody can change once it is locked.

async fn purge_networks(conn: &mut AsyncPgConnection, until: Timestamp, limit: i64) -> Result<u64, Failure> {
    let purge = "DELETE FROM known_networks WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM known_networks WHERE last_signed_in_at <= $1
        ORDER BY last_signed_in_at LIMIT $2 FOR UPDATE SKIP LOCKED))";
    let purge = sql_query(purge).bind::<Timestamptz, _>(stored(until)).bind::<BigInt, _>(limit);
    Ok(counted(purge.execute(conn).await?))
}

/// [`failures_are_over`](auth_domain::rules::failures_are_over) as a condition.
async fn purge_failures(conn: &mut AsyncPgConnection, now: Timestamp, limit: i64) -> Result<u64, Failure> {
    let purge = "DELETE FROM failures WHERE day_began_at <= $1 AND ctid = ANY (ARRAY(
        SELECT ctid FROM failures WHERE in_a_row = 0 AND day_began_at <= $1
        ORDER BY day_began_at LIMIT $3 FOR UPDATE SKIP LOCKED) || ARRAY(
        SELECT ctid FROM failures WHERE in_a_row > 0 AND owner_told_at IS NULL AND last_at <= $2
        ORDER BY last_at LIMIT $3 FOR UPDATE SKIP LOCKED))";
    let purge = sql_query(purge)
        .bind::<Timestamptz, _>(stored(now.minus(DAY)))
        .bind::<Timestamptz, _>(stored(now.minus(REMEMBERED_FOR)))
        .bind::<BigInt, _>(limit);
    Ok(counted(purge.execute(conn).await?))
}

async fn purge_throttles(conn: &mut AsyncPgConnection, now: Timestamp, limit: i64) -> Result<u64, Failure> {
    let purge = "DELETE FROM throttles WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM throttles WHERE full_at <= $1 ORDER BY full_at LIMIT $2 FOR UPDATE SKIP LOCKED))";
    let purge = sql_query(purge).bind::<Timestamptz, _>(stored(now)).bind::<BigInt, _>(limit);
    Ok(counted(purge.execute(conn).await?))
}
