//! Accounts, as administrators see and change them.

use async_trait::async_trait;
use auth_domain::{
    Account, AccountFilter, Accounts, Changed, Created, Event, FactKey, Membership, NewAccount, Page, Paged, Standing,
    StoreError, User, UserChange, UserId,
    rules::{AliasVerdict, ChangeVerdict, is_administrator, judge_alias, judge_change},
};
use diesel::{
    Connection, ExpressionMethods, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection,
    connection::DefaultLoadingMode,
    define_sql_function,
    dsl::{auto_type, sql},
    sql_types::{Bool, Text},
    sqlite::Sqlite,
};

use crate::{
    SqliteStore, audit,
    emails::emails_of,
    error::Failure,
    key_pairs, outbox, pages, registrations,
    rows::{UserRow, as_json, bytes_of},
    schema::{key_pairs as key_pair, sessions, users},
    users::{NewUser, find_user, has_owner, insert_user},
};

#[async_trait]
impl Accounts for SqliteStore {
    async fn page_accounts(&self, filter: &AccountFilter, page: Page) -> Result<Paged<Account>, StoreError> {
        let filter = filter.clone();
        self.read(move |conn| conn.transaction(|conn| page_accounts(conn, &filter, page))).await
    }

    async fn find_account(&self, id: UserId) -> Result<Option<Account>, StoreError> {
        self.read(move |conn| conn.transaction(|conn| find_account(conn, id))).await
    }

    async fn create_account(&self, account: &NewAccount) -> Result<Created, StoreError> {
        let account = account.clone();
        self.write(None, move |conn| create_account(conn, &account)).await
    }

    async fn change_user(&self, id: UserId, change: &UserChange, event: &Event) -> Result<Changed, StoreError> {
        let (change, event) = (change.clone(), event.clone());
        self.revoke(None, move |conn| Ok((change_user(conn, id, &change, &event)?, Some(id)))).await
    }

    async fn delete_user(&self, id: UserId, event: &Event) -> Result<Changed, StoreError> {
        let event = event.clone();
        self.revoke(Some(FactKey::User(id)), move |conn| Ok((delete_user(conn, id, &event)?, Some(id)))).await
    }
}

define_sql_function! {
    /// Where `part` begins in `text`, from 1; 0 if it does not occur.
    fn instr(text: Text, part: Text) -> Integer;
}

fn page_accounts(conn: &mut SqliteConnection, filter: &AccountFilter, page: Page) -> Result<Paged<Account>, Failure> {
    let wanted = || {
        let mut accounts = users::table.filter(users::registration.is_null()).into_boxed::<Sqlite>();
        if let Some(enabled) = filter.enabled {
            accounts = accounts.filter(users::enabled.eq(enabled));
        }
        if let Some(role) = &filter.role {
            // A name in quotes stands nowhere in a JSON array of names but where it is one of them.
            accounts = accounts.filter(instr(users::roles, format!("\"{role}\"")).gt(0));
        }
        accounts
    };
    let items = wanted().count().get_result(conn)?;
    let rows: Vec<UserRow> = wanted()
        .order(users::id)
        .limit(page.size().into())
        .offset(pages::offset(page))
        .select(UserRow::as_select())
        .load(conn)?;
    let Paged { on_page, items } = pages::paged(rows, items, UserRow::into_user)?;
    Ok(Paged { on_page: with_emails(conn, on_page)?, items })
}

fn find_account(conn: &mut SqliteConnection, id: UserId) -> Result<Option<Account>, Failure> {
    let Some(user) = find_user(conn, id)? else { return Ok(None) };
    Ok(with_emails(conn, vec![user])?.pop())
}

/// Users with their addresses, in the same order.
fn with_emails(conn: &mut SqliteConnection, users: Vec<User>) -> Result<Vec<Account>, Failure> {
    let mut emails = emails_of(conn, &users.iter().map(|user| user.id).collect::<Vec<_>>())?;
    let account = |user: User| Account { emails: emails.remove(&user.id).unwrap_or_default(), user };
    Ok(users.into_iter().map(account).collect())
}

fn create_account(conn: &mut SqliteConnection, account: &NewAccount) -> Result<Created, Failure> {
    let address = account.address.key();
    let holder = registrations::alias_holder(conn, &account.alias, account.created_at)?;
    if judge_alias(holder.as_ref().map(|(_, holder)| holder), &address) == AliasVerdict::Taken {
        return Ok(Created::AliasTaken);
    }
    if has_owner(conn, &address)? {
        return Ok(Created::AddressTaken);
    }
    let mut replaced = registrations::for_address(conn, &address)?;
    replaced.extend(holder.map(|(id, _)| id));
    registrations::delete_users(conn, replaced)?;

    let user = NewUser {
        id: account.user_id,
        alias: &account.alias,
        full_name: &account.full_name,
        standing: Standing::Account,
        verified: account.verified,
        roles: &account.roles,
        groups: &account.groups,
        email_id: account.email_id,
        address: &account.address,
        created_at: account.created_at,
    };
    insert_user(conn, &user)?;
    if let Some(key_pair) = &account.key_pair {
        key_pairs::insert(conn, key_pair, Some(account.created_at))?;
    }
    if let Some(mail) = &account.mail {
        outbox::insert(conn, mail)?;
    }
    account.events.iter().try_for_each(|event| audit::record(conn, event))?;
    Ok(Created::Yes)
}

fn change_user(
    conn: &mut SqliteConnection,
    id: UserId,
    change: &UserChange,
    event: &Event,
) -> Result<Changed, Failure> {
    let Some(user) = find_user(conn, id)? else { return Ok(Changed::Missing) };
    let verdict = judge(conn, &user, Some(change))?;
    if verdict == Changed::Yes {
        apply(conn, user, change)?;
        audit::record(conn, event)?;
    }
    Ok(verdict)
}

fn delete_user(conn: &mut SqliteConnection, id: UserId, event: &Event) -> Result<Changed, Failure> {
    let Some(user) = find_user(conn, id)? else { return Ok(Changed::Missing) };
    let verdict = judge(conn, &user, None)?;
    if verdict == Changed::Yes {
        registrations::delete_users(conn, vec![bytes_of(id.uuid())])?;
        audit::record(conn, event)?;
    }
    Ok(verdict)
}

/// What comes of a change to `user`, or of deleting them if it is `None`. It stays true until the transaction ends, which
/// has held the write lock from its beginning.
fn judge(conn: &mut SqliteConnection, user: &User, change: Option<&UserChange>) -> Result<Changed, Failure> {
    // It makes no difference who else there is when somebody goes who is no administrator.
    let others = is_administrator(user) && anybody_else_administers(conn, user.id)?;
    Ok(match judge_change(user, change, others) {
        ChangeVerdict::Make => Changed::Yes,
        ChangeVerdict::Already => Changed::Already,
        ChangeVerdict::Missing => Changed::Missing,
        ChangeVerdict::LastAdministrator => Changed::LastAdministrator,
    })
}

/// Those who may turn out to administer users besides `user`. The first condition, to the letter, is that of an index.
#[auto_type(no_type_alias)]
fn other_administrators(user: UserId) -> _ {
    let hold_the_role: diesel::expression::SqlLiteral<Bool> = sql(r#"instr(roles, '"users_admin"') > 0"#);
    let user: Vec<u8> = bytes_of(user.uuid());
    let columns: diesel::dsl::AsSelect<UserRow, Sqlite> = UserRow::as_select();
    users::table
        .filter(hold_the_role)
        .filter(users::registration.is_null())
        .filter(users::enabled.eq(true))
        .filter(users::verified.eq(true))
        .filter(users::id.ne(user))
        .select(columns)
}

fn anybody_else_administers(conn: &mut SqliteConnection, user: UserId) -> Result<bool, Failure> {
    for other in other_administrators(user).load_iter::<UserRow, DefaultLoadingMode>(conn)? {
        if is_administrator(&other?.into_user()?) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn apply(conn: &mut SqliteConnection, user: User, change: &UserChange) -> Result<(), Failure> {
    let id = bytes_of(user.id.uuid());
    let row = diesel::update(users::table.filter(users::id.eq(&id)));
    match change {
        UserChange::Enable => row.set(users::enabled.eq(true)).execute(conn)?,
        UserChange::Disable => row.set(users::enabled.eq(false)).execute(conn)?,
        UserChange::Verify => row.set(users::verified.eq(true)).execute(conn)?,
        UserChange::Unverify => row.set(users::verified.eq(false)).execute(conn)?,
        UserChange::Grant(membership @ Membership::Role(_)) => {
            row.set(users::roles.eq(with(user.roles, membership))).execute(conn)?
        }
        UserChange::Grant(membership @ Membership::Group(_)) => {
            row.set(users::groups.eq(with(user.groups, membership))).execute(conn)?
        }
        UserChange::Revoke(membership @ Membership::Role(_)) => {
            row.set(users::roles.eq(without(user.roles, membership))).execute(conn)?
        }
        UserChange::Revoke(membership @ Membership::Group(_)) => {
            row.set(users::groups.eq(without(user.groups, membership))).execute(conn)?
        }
    };
    if change.ends_credentials() {
        // Their codes go by foreign key.
        diesel::delete(sessions::table.filter(sessions::user_id.eq(&id))).execute(conn)?;
        diesel::delete(key_pair::table.filter(key_pair::user_id.eq(&id))).execute(conn)?;
    }
    Ok(())
}

fn with(mut names: Vec<String>, membership: &Membership) -> String {
    names.push(membership.name().to_owned());
    as_json(&names)
}

fn without(mut names: Vec<String>, membership: &Membership) -> String {
    names.retain(|name| name != membership.name());
    as_json(&names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;

    #[test]
    fn whether_an_administrator_is_left_is_found_among_those_who_hold_the_role() {
        let plan = plan(&other_administrators(uuid::Uuid::from_u128(1).into()));
        assert_eq!(plan, ["SCAN users USING INDEX users_administrators"]);
    }
}
