//! Accounts, as administrators see them.

use std::collections::HashMap;

use async_trait::async_trait;
use auth_domain::{Account, AccountFilter, Accounts, Email, Page, Paged, StoreError, User, UserId};
use diesel::{
    Connection, ExpressionMethods, QueryDsl, RunQueryDsl, SqliteConnection, define_sql_function, sql_types::Text,
    sqlite::Sqlite,
};

use crate::{
    SqliteStore,
    error::Failure,
    pages,
    rows::{self, UserRow, all, bytes_of},
    schema::{emails, users},
};

#[async_trait]
impl Accounts for SqliteStore {
    async fn page_accounts(&self, filter: &AccountFilter, page: Page) -> Result<Paged<Account>, StoreError> {
        let filter = filter.clone();
        self.read(move |conn| conn.transaction(|conn| page_accounts(conn, &filter, page))).await
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
    let rows: Vec<UserRow> =
        wanted().order(users::id).limit(page.size().into()).offset(pages::offset(page)).load(conn)?;
    let Paged { on_page, items } = pages::paged(rows, items, |row| Ok(rows::user(row)?.user))?;
    Ok(Paged { on_page: with_emails(conn, on_page)?, items })
}

/// Users with their addresses, in the same order.
fn with_emails(conn: &mut SqliteConnection, users: Vec<User>) -> Result<Vec<Account>, Failure> {
    let mut emails = emails_of(conn, &users.iter().map(|user| user.id).collect::<Vec<_>>())?;
    let account = |user: User| Account { emails: emails.remove(&user.id).unwrap_or_default(), user };
    Ok(users.into_iter().map(account).collect())
}

/// The addresses of each of these users, oldest first.
fn emails_of(conn: &mut SqliteConnection, users: &[UserId]) -> Result<HashMap<UserId, Vec<Email>>, Failure> {
    let theirs = emails::table
        .filter(emails::user_id.eq_any(users.iter().map(|user| bytes_of(user.uuid()))))
        .order((emails::created_at, emails::id));
    let mut emails = HashMap::<UserId, Vec<Email>>::new();
    for record in all(theirs.load(conn), rows::email)? {
        emails.entry(record.user_id).or_default().push(Email::from(&record));
    }
    Ok(emails)
}
