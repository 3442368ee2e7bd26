//! Changes to users that administrators make, the last of them to their own account included: none of them may cost the
//! installation its last administrator.

use auth_domain::{
    Changed, Event, Membership, User, UserChange, UserId,
    rules::{ChangeVerdict, judge_change},
};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper, dsl::sql, sql_types::Bool};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    audit,
    error::Failure,
    locks, registrations,
    revocations::{self, Revoked},
    rows::{UserRow, sorted},
    schema::{key_pairs, sessions, users},
};

/// Who holds [`RoleName::users_admin`](auth_domain::RoleName::users_admin), spelt as `users_administrators` has it: only then
/// is that index used.
const ADMINISTERS: &str = "'users_admin' = ANY (users.roles)";

pub(crate) async fn change_user(
    conn: &mut AsyncPgConnection,
    id: UserId,
    change: &UserChange,
    event: &Event,
) -> Result<Revoked<Changed>, Failure> {
    let Some(user) = lock(conn, id).await? else { return Ok(changed(id, ChangeVerdict::Missing)) };
    let verdict = judge_change(&user, Some(change), others_administer(conn, id).await?);
    if verdict == ChangeVerdict::Make {
        make(conn, user, change).await?;
        audit::record(conn, event).await?;
        revocations::announce(conn, id).await?;
    }
    Ok(changed(id, verdict))
}

pub(crate) async fn delete_user(
    conn: &mut AsyncPgConnection,
    id: UserId,
    event: &Event,
) -> Result<Revoked<Changed>, Failure> {
    let Some(user) = lock(conn, id).await? else { return Ok(changed(id, ChangeVerdict::Missing)) };
    let verdict = judge_change(&user, None, others_administer(conn, id).await?);
    if verdict == ChangeVerdict::Make {
        registrations::delete_users(conn, &[id.uuid()]).await?;
        audit::record(conn, event).await?;
        revocations::announce(conn, id).await?;
    }
    Ok(changed(id, verdict))
}

fn changed(id: UserId, verdict: ChangeVerdict) -> Revoked<Changed> {
    match verdict {
        ChangeVerdict::Make => Revoked { answer: Changed::Yes, of: Some(id) },
        ChangeVerdict::Already => Revoked { answer: Changed::Already, of: None },
        ChangeVerdict::Missing => Revoked { answer: Changed::Missing, of: None },
        ChangeVerdict::LastAdministrator => Revoked { answer: Changed::LastAdministrator, of: None },
    }
}

/// Locks how many administrators there are, then an account: also against those who are giving it something, so that what
/// ends with a change is all there to be ended.
async fn lock(conn: &mut AsyncPgConnection, id: UserId) -> Result<Option<User>, Failure> {
    locks::administrators(conn).await?;
    let account = users::table
        .filter(users::id.eq(id.uuid()))
        .filter(users::registration.is_null())
        .select(UserRow::as_select())
        .for_update()
        .get_result(conn)
        .await
        .optional()?;
    Ok(account.map(UserRow::into_user).transpose()?)
}

/// Whether somebody but `id` [administers users](auth_domain::rules::is_administrator).
async fn others_administer(conn: &mut AsyncPgConnection, id: UserId) -> Result<bool, Failure> {
    let others = users::table
        .filter(sql::<Bool>(ADMINISTERS))
        .filter(users::enabled)
        .filter(users::verified)
        .filter(users::registration.is_null())
        .filter(users::id.ne(id.uuid()));
    Ok(diesel::select(diesel::dsl::exists(others)).get_result(conn).await?)
}

async fn make(conn: &mut AsyncPgConnection, user: User, change: &UserChange) -> Result<(), Failure> {
    let id = user.id.uuid();
    let row = diesel::update(users::table.filter(users::id.eq(id)));
    match change {
        UserChange::Enable => row.set(users::enabled.eq(true)).execute(conn).await?,
        UserChange::Disable => row.set(users::enabled.eq(false)).execute(conn).await?,
        UserChange::Verify => row.set(users::verified.eq(true)).execute(conn).await?,
        UserChange::Unverify => row.set(users::verified.eq(false)).execute(conn).await?,
        UserChange::Grant(membership @ Membership::Role(_)) => {
            row.set(users::roles.eq(with(user.roles, membership))).execute(conn).await?
        }
        UserChange::Grant(membership @ Membership::Group(_)) => {
            row.set(users::groups.eq(with(user.groups, membership))).execute(conn).await?
        }
        UserChange::Revoke(membership @ Membership::Role(_)) => {
            row.set(users::roles.eq(without(user.roles, membership))).execute(conn).await?
        }
        UserChange::Revoke(membership @ Membership::Group(_)) => {
            row.set(users::groups.eq(without(user.groups, membership))).execute(conn).await?
        }
    };
    if change.ends_credentials() {
        locks::credentials(conn, user.id).await?;
        // Their codes go by foreign key.
        diesel::delete(sessions::table.filter(sessions::user_id.eq(id))).execute(conn).await?;
        diesel::delete(key_pairs::table.filter(key_pairs::user_id.eq(id))).execute(conn).await?;
    }
    Ok(())
}

fn with(mut names: Vec<String>, membership: &Membership) -> Vec<String> {
    names.push(membership.name().to_owned());
    sorted(&names)
}

fn without(mut names: Vec<String>, membership: &Membership) -> Vec<String> {
    names.retain(|name| name != membership.name());
    sorted(&names)
}

#[cfg(test)]
mod tests {
    use auth_domain::RoleName;

    use super::*;

    #[test]
    fn the_administrators_looked_for_are_those_of_the_rules() {
        assert!(ADMINISTERS.starts_with(&format!("'{}' = ANY ", RoleName::users_admin())));
    }
}
