//! Accounts, as administrators see and make them.

use async_trait::async_trait;
use auth_domain::{
    Account, AccountFilter, Accounts, Changed, Created, Event, FactKey, NewAccount, Page, Paged, Standing, StoreError,
    User, UserChange, UserId,
    rules::{AliasVerdict, judge_alias},
};
use diesel::{ExpressionMethods, PgArrayExpressionMethods, QueryDsl, SelectableHelper};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    PostgresStore, audit, changes,
    emails::{self, NewEmail},
    error::Failure,
    key_pairs, locks, outbox, paging, registrations,
    rows::{EmailRow, UserRow},
    schema::{emails as email, users},
    users::{self as people, NewUser},
};

#[async_trait]
impl Accounts for PostgresStore {
    async fn page_accounts(&self, filter: &AccountFilter, page: Page) -> Result<Paged<Account>, StoreError> {
        let input = (filter.clone(), page);
        self.view(input, |conn, (filter, page)| Box::pin(page_accounts(conn, filter, *page))).await
    }

    async fn find_account(&self, id: UserId) -> Result<Option<Account>, StoreError> {
        self.view(id, |conn, id| Box::pin(find_account(conn, *id))).await
    }

    async fn create_account(&self, account: &NewAccount) -> Result<Created, StoreError> {
        self.write(None, account.clone(), |conn, account| Box::pin(create_account(conn, account))).await
    }

    async fn change_user(&self, id: UserId, change: &UserChange, event: &Event) -> Result<Changed, StoreError> {
        let input = (id, change.clone(), event.clone());
        self.revoke(None, input, Some(id), |conn, (id, change, event)| {
            Box::pin(changes::change_user(conn, *id, change, event))
        })
        .await
    }

    async fn delete_user(&self, id: UserId, event: &Event) -> Result<Changed, StoreError> {
        let input = (id, event.clone());
        self.revoke(Some(FactKey::User(id)), input, Some(id), |conn, (id, event)| {
            Box::pin(changes::delete_user(conn, *id, event))
        })
        .await
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

async fn find_account(conn: &mut AsyncPgConnection, id: UserId) -> Result<Option<Account>, Failure> {
    let Some(user) = people::find_user(conn, id).await? else { return Ok(None) };
    Ok(with_emails(conn, vec![user]).await?.pop())
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

async fn create_account(conn: &mut AsyncPgConnection, account: &NewAccount) -> Result<Created, Failure> {
    let (address, now) = (account.address.key(), account.created_at);
    locks::address(conn, &address).await?;
    locks::alias(conn, &account.alias).await?;

    let holder = registrations::alias_holder(conn, &account.alias, now).await?;
    if judge_alias(holder.as_ref().map(|(_, holder)| holder), &address) == AliasVerdict::Taken {
        return Ok(Created::AliasTaken);
    }
    if emails::owner(conn, &address).await?.is_some() {
        return Ok(Created::AddressTaken);
    }
    let mut replaced = registrations::for_address(conn, &address).await?;
    replaced.extend(holder.map(|(id, _)| id));
    registrations::replace(conn, replaced).await?;

    let user = NewUser {
        id: account.user_id,
        alias: &account.alias,
        full_name: &account.full_name,
        roles: &account.roles,
        groups: &account.groups,
        verified: account.verified,
        standing: Standing::Account,
        created_at: now,
    };
    people::insert(conn, user).await?;
    let email = NewEmail {
        id: account.email_id,
        user: account.user_id,
        address: &account.address,
        vouched: true,
        preferred: true,
        created_at: now,
    };
    emails::insert(conn, email).await?;
    if let Some(key_pair) = &account.key_pair {
        key_pairs::insert(conn, key_pair, Some(now)).await?;
    }
    if let Some(mail) = &account.mail {
        outbox::insert(conn, mail).await?;
    }
    for event in &account.events {
        audit::record(conn, event).await?;
    }
    Ok(Created::Yes)
}
