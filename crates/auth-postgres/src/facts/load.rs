//! What is stored in a scope.

use auth_domain::{
    AddressState, Alias, AliasState, Claim, CodePurpose, RoleName, Scope, State, StoreError, User, UserId,
    archive::{CodeRecord, EmailRecord, ThrottleRecord, UserRecord},
};
use diesel::{
    ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, PgArrayExpressionMethods, QueryDsl,
    QueryResult, dsl::not,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::{join, join3, join4};
use tracing::error;

use super::{
    address::{AddressRows, address},
    locks,
    pipeline::{Progress, in_order},
};
use crate::{
    error::Failure,
    records::{CodeRow, EmailRow, KeyPairRow, SessionRow, UserRow},
    schema::{codes, emails, key_pairs, sessions, users},
    statement::{Statement, Value},
};

// What is found through something else is looked for by an array of ids, each by its index: joined, a table that was empty when
// the statement was planned would be read through. Columns are named, so that a migration may add one while this runs.

/// Whoever holds an alias, and a user.
const USERS: &str = "SELECT id, alias, alias_key, full_name, verified, enabled, registration, roles, groups, created_at \
     FROM users WHERE id = ANY (ARRAY(\
         SELECT holder.id FROM users AS holder WHERE holder.alias_key = ? UNION ALL SELECT ?))";
const ALIAS_EMAILS: &str = "SELECT id, user_id, address, address_key, verified, vouched, preferred, created_at FROM emails \
     WHERE user_id = ANY (ARRAY(SELECT users.id FROM users WHERE alias_key = ?))";
const ALIAS_CODES: &str = "SELECT id, purpose, session_id, key_pair_id, email_id, address_key, network, hash, key_id, \
         created_at, expires_at, wrong_guesses, ended FROM codes \
     WHERE address_key = ANY (ARRAY(SELECT emails.address_key FROM emails WHERE emails.user_id = ANY (ARRAY(\
         SELECT users.id FROM users WHERE alias_key = ? AND registration IS NOT NULL)))) \
     AND purpose = ? AND NOT ended";

/// Begins a transaction, locks all that is in a scope, and reads it.
pub(super) async fn lock_and_load(
    conn: &AsyncPgConnection,
    scope: &Scope,
    progress: &Progress,
) -> Result<State, Failure> {
    let mut begin = conn;
    let mut locks = vec![Statement::<()>::new("BEGIN", Vec::new()).execute(&mut begin)];
    locks.extend(locks::lock(conn, scope));
    // Whatever is locked is locked before the first row is read.
    let (locked, users, rows) = join3(in_order(locks, progress), users(conn, scope), rows(conn, scope)).await;
    locked?;
    state(scope, users?, rows?)
}

/// Reads all that is in a scope.
pub(super) async fn view(conn: &AsyncPgConnection, scope: &Scope) -> Result<State, Failure> {
    let (users, rows) = join(users(conn, scope), rows(conn, scope)).await;
    state(scope, users?, rows?)
}

/// What was read but for users.
struct Rows {
    address: AddressRows,
    alias_emails: Vec<EmailRow>,
    alias_codes: Vec<CodeRow>,
    user_emails: Vec<EmailRow>,
    sessions: Vec<SessionRow>,
    administrators: Vec<UserRow>,
    code: Option<CodeRow>,
    session: Option<SessionRow>,
    key_pair: Option<KeyPairRow>,
    key_pair_codes: Vec<CodeRow>,
    email: Option<EmailRow>,
}

/// A code with what it opens and the address that it was mailed to.
type NamedRows = (Option<CodeRow>, Option<SessionRow>, Option<KeyPairRow>, Option<EmailRow>);

async fn rows(conn: &AsyncPgConnection, scope: &Scope) -> QueryResult<Rows> {
    let (address, (alias_emails, alias_codes), theirs, (named, key_pair_codes)) = join4(
        address(conn, scope),
        join(alias_emails(conn, scope), alias_codes(conn, scope)),
        join3(user_emails(conn, scope), user_sessions(conn, scope), administrators(conn, scope)),
        join(named(conn, scope), key_pair_codes(conn, scope)),
    )
    .await;
    let (user_emails, sessions, administrators) = theirs;
    let (code, session, key_pair, email) = named?;
    Ok(Rows {
        address: address?,
        alias_emails: alias_emails?,
        alias_codes: alias_codes?,
        user_emails: user_emails?,
        sessions: sessions?,
        administrators: administrators?,
        code,
        session,
        key_pair,
        key_pair_codes: key_pair_codes?,
        email,
    })
}

async fn users(mut conn: &AsyncPgConnection, scope: &Scope) -> QueryResult<Vec<UserRow>> {
    if scope.alias.is_none() && scope.user.is_none() {
        return Ok(Vec::new());
    }
    let alias = scope.alias.as_ref().map(Alias::key);
    let values = vec![Value::Text(alias), Value::Uuid(scope.user.map(UserId::uuid))];
    Statement::<users::SqlType>::new(USERS, values).load(&mut conn).await
}

async fn alias_emails(mut conn: &AsyncPgConnection, scope: &Scope) -> QueryResult<Vec<EmailRow>> {
    let Some(alias) = &scope.alias else { return Ok(Vec::new()) };
    Statement::<emails::SqlType>::new(ALIAS_EMAILS, vec![alias.key().as_str().into()]).load(&mut conn).await
}

/// The sign-in codes for any address of whoever holds the alias. Of an account they do not matter.
async fn alias_codes(mut conn: &AsyncPgConnection, scope: &Scope) -> QueryResult<Vec<CodeRow>> {
    let Some(alias) = &scope.alias else { return Ok(Vec::new()) };
    let values = vec![alias.key().as_str().into(), CodePurpose::SignIn.as_str().into()];
    Statement::<codes::SqlType>::new(ALIAS_CODES, values).load(&mut conn).await
}

async fn user_emails(mut conn: &AsyncPgConnection, scope: &Scope) -> QueryResult<Vec<EmailRow>> {
    let Some(user) = scope.user else { return Ok(Vec::new()) };
    emails::table
        .filter(emails::user_id.eq(user.uuid()))
        .order((emails::created_at, emails::id))
        .select(emails::all_columns)
        .load(&mut conn)
        .await
}

async fn user_sessions(mut conn: &AsyncPgConnection, scope: &Scope) -> QueryResult<Vec<SessionRow>> {
    let Some(user) = scope.user.filter(|_| scope.sessions) else { return Ok(Vec::new()) };
    sessions::table.filter(sessions::user_id.eq(user.uuid())).select(sessions::all_columns).load(&mut conn).await
}

async fn administrators(mut conn: &AsyncPgConnection, scope: &Scope) -> QueryResult<Vec<UserRow>> {
    if !scope.administrators {
        return Ok(Vec::new());
    }
    let role = RoleName::users_admin();
    users::table.filter(users::roles.contains(vec![role.as_str()])).select(users::all_columns).load(&mut conn).await
}

/// What is named by its id. A code comes with the others in one statement, so nobody who has a code has them named besides.
async fn named(mut conn: &AsyncPgConnection, scope: &Scope) -> QueryResult<NamedRows> {
    if let Some(id) = scope.code {
        let found = codes::table
            .left_join(sessions::table.on(codes::session_id.eq(sessions::id.nullable())))
            .left_join(key_pairs::table.on(codes::key_pair_id.eq(key_pairs::id.nullable())))
            .left_join(emails::table.on(codes::email_id.eq(emails::id.nullable())))
            .filter(codes::id.eq(id.uuid()))
            .select((
                codes::all_columns.nullable(),
                sessions::all_columns.nullable(),
                key_pairs::all_columns.nullable(),
                emails::all_columns.nullable(),
            ));
        return Ok(found.get_result::<NamedRows>(&mut conn).await.optional()?.unwrap_or_default());
    }
    let (session, key_pair, email) = join3(session(conn, scope), key_pair(conn, scope), email(conn, scope)).await;
    Ok((None, session?, key_pair?, email?))
}

async fn session(mut conn: &AsyncPgConnection, scope: &Scope) -> QueryResult<Option<SessionRow>> {
    let Some(id) = scope.session else { return Ok(None) };
    sessions::table.find(id.uuid()).get_result(&mut conn).await.optional()
}

async fn key_pair(mut conn: &AsyncPgConnection, scope: &Scope) -> QueryResult<Option<KeyPairRow>> {
    let Some(id) = scope.key_pair else { return Ok(None) };
    key_pairs::table.find(id.uuid()).get_result(&mut conn).await.optional()
}

async fn email(mut conn: &AsyncPgConnection, scope: &Scope) -> QueryResult<Option<EmailRow>> {
    let Some(id) = scope.email else { return Ok(None) };
    emails::table.find(id.uuid()).get_result(&mut conn).await.optional()
}

async fn key_pair_codes(mut conn: &AsyncPgConnection, scope: &Scope) -> QueryResult<Vec<CodeRow>> {
    let Some(id) = scope.key_pair else { return Ok(Vec::new()) };
    let living = codes::table.filter(codes::key_pair_id.eq(id.uuid())).filter(not(codes::ended));
    living.select(codes::all_columns).load(&mut conn).await
}

/// The rows as the domain knows them.
fn state(scope: &Scope, users: Vec<UserRow>, rows: Rows) -> Result<State, Failure> {
    let users: Vec<UserRecord> = records(users)?;
    let user_of = |id: UserId| users.iter().find(|user| user.user.id == id).cloned();
    let found = rows.address;
    let throttles = records(found.throttles)?;
    let (of_address, of_network) = throttles.into_iter().partition(|row: &ThrottleRecord| row.key.address.is_some());
    let claim = |(email, user): (EmailRow, UserRow)| Ok(Claim { email: email.try_into()?, user: user.try_into()? });
    let code = rows.code.map(CodeRecord::try_from).transpose()?;
    let address = match scope.address.as_ref().or(code.as_ref().map(|code| &code.address_key)) {
        None => None,
        Some(key) => Some(AddressState {
            key: key.clone(),
            claims: found.claims.into_iter().map(claim).collect::<Result<_, StoreError>>()?,
            codes: records(found.codes)?,
            known_networks: records(found.known_networks)?,
            failures: records(found.failures)?,
            throttles: of_address,
        }),
    };
    Ok(State {
        address,
        alias: alias(scope, &users, rows.alias_emails, rows.alias_codes)?,
        administrators: rows.administrators.into_iter().filter_map(passing_over_damaged).collect(),
        user: scope.user.and_then(user_of),
        emails: records(rows.user_emails)?,
        sessions: records(rows.sessions)?,
        code,
        session: rows.session.map(TryInto::try_into).transpose()?,
        key_pair: rows.key_pair.map(TryInto::try_into).transpose()?,
        key_pair_codes: records(rows.key_pair_codes)?,
        email: rows.email.map(TryInto::try_into).transpose()?,
        network: of_network,
    })
}

fn alias(
    scope: &Scope,
    users: &[UserRecord],
    emails: Vec<EmailRow>,
    codes: Vec<CodeRow>,
) -> Result<Option<AliasState>, StoreError> {
    let Some(key) = scope.alias.as_ref().map(Alias::key) else { return Ok(None) };
    let Some(user) = users.iter().find(|user| user.alias_key == key).cloned() else { return Ok(None) };
    let emails: Vec<EmailRecord> = records(emails)?;
    let address = emails.into_iter().min_by_key(|email| (email.created_at, email.id)).map(|email| email.address_key);
    let mut codes: Vec<CodeRecord> = records(codes)?;
    codes.retain(|code| Some(&code.address_key) == address.as_ref());
    Ok(Some(AliasState { user, address, codes }))
}

fn records<Row, Record: TryFrom<Row, Error = StoreError>>(rows: Vec<Row>) -> Result<Vec<Record>, StoreError> {
    rows.into_iter().map(TryInto::try_into).collect()
}

/// One damaged row must not keep everybody else from being changed. Taken for nobody, it can only keep the last administrator.
fn passing_over_damaged(row: UserRow) -> Option<User> {
    let damaged = |error: &StoreError| error!(table = "users", %error, "damaged row passed over");
    UserRecord::try_from(row).inspect_err(damaged).ok().map(|record| record.user)
}
