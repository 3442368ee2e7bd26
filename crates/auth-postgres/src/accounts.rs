//! Accounts, as administrators see and make them.

use async_trait::async_trait;
use auth_domain::{Account, AccountFilter, Accounts, Page, Paged, StoreError, User, UserId};
use diesel::{ExpressionMethods, PgArrayExpressionMethods, QueryDsl, SelectableHelper};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    PostgresStore,
    error::Failure,
    paging,
    rows::{EmailRow, UserRow},
    schema::{emails as email, users},
};

#[async_trait]
impl Accounts for PostgresStore {
    async fn page_accounts(&self, filter: &AccountFilter, page: Page) -> Result<Paged<Account>, StoreError> {
        let input = (filter.clone(), page);
        self.view(input, |conn, (filter, page)| Box::pin(page_accounts(conn, filter, *page))).await
    }
}

async fn page_accounts(
    conn: &mut AsyncPgConnection,
    filter: &AccountFilter,
    page: Page,
) -> Result<Paged<Account>, Failure> {
    let wanted = || {
        let mut wanted = users::table.filter(users::registration.is_null()).into_boxed();
        if let Some(enabled) = filter.enabled {
            wanted = wanted.filter(users::enabled.eq(enabled));
        }
        if let Some(role) = &filter.role {
            wanted = wanted.filter(users::roles.contains(vec![role.as_str()]));
        }
        wanted
    };
    let items = wanted().count().get_result(conn).await?;
    // Ids count up with time: whoever comes later comes on the last page, and moves nobody from one to another.
    let rows = wanted()
        .order(users::id)
        .limit(paging::size(page))
        .offset(paging::offset(page))
        .select(UserRow::as_select())
        .load(conn)
        .await?;
    let paged = paging::paged(rows, items, UserRow::into_user)?;
    Ok(Paged { on_page: with_emails(conn, paged.on_page).await?, items: paged.items })
}

/// Users with their addresses, in the same order.
async fn with_emails(conn: &mut AsyncPgConnection, users: Vec<User>) -> Result<Vec<Account>, Failure> {
    let ids: Vec<_> = users.iter().map(|user| user.id.uuid()).collect();
    let rows = email::table
        .filter(email::user_id.eq_any(ids))
        .order((email::created_at, email::id))
        .select(EmailRow::as_select())
        .load(conn)
        .await?;
    let mut accounts: Vec<_> = users.into_iter().map(|user| Account { user, emails: Vec::new() }).collect();
    for row in rows {
        let owner = UserId::from(row.user_id);
        if let Some(account) = accounts.iter_mut().find(|account| account.user.id == owner) {
            account.emails.push(row.into_email()?);
        }
    }
    Ok(accounts)
}
