use actix_web::{HttpResponse, web};
use auth_domain::{Account, AccountFilter, RoleName, UserChange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::new_user::{DescribedNewUser, NewUser};
use crate::{
    answer::{Acknowledged, ApiResult, accepted, acknowledged},
    extract::{Administering, Body, Id, Paging, Query},
    service::Service,
};

/// The account that was made; with a key pair unless its user was invited.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminCreatedUser)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Created<'a> {
    #[serde(rename = "userID")]
    user_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 32, max_length = 32, pattern = "^auk_[0-9A-Za-z]{28}$")]
    api_key: Option<&'a str>,
    /// The secret half, shown this once: 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 64, max_length = 64, pattern = "^aus_[0-9A-Za-z]{60}$")]
    api_secret: Option<&'a str>,
    #[serde(rename = "keyID", skip_serializing_if = "Option::is_none")]
    key_id: Option<Uuid>,
    /// When the key pair ends, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1_796_083_200)]
    expire_at: Option<i64>,
}

/// Make an account.
///
/// Its address signs in from the beginning. With `notify` its user is invited by a mail that links to `portalURL`; otherwise
/// the answer holds a key pair that works at once.
#[utoipa::path(post, path = "/admin/user", tag = "Administration", operation_id = "adminCreateUser",
    request_body = DescribedNewUser,
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "The account.", body = Created), (status = 403), (status = 409)))]
pub(crate) async fn create(service: web::Data<Service>, request: Administering<Body<NewUser>>) -> ApiResult {
    let Body(body) = &request.input;
    let created = service.auth.create_account(&request.administrator, body.wish()?, &request.language).await?;
    let pair = created.key_pair.as_ref();
    Ok(accepted(&Created {
        user_id: created.user_id.uuid(),
        api_key: pair.map(|pair| pair.api_key.as_str()),
        api_secret: pair.map(|pair| pair.api_secret.expose()),
        key_id: pair.map(|pair| pair.id.uuid()),
        expire_at: pair.map(|pair| pair.expires_at.unix_seconds()),
    }))
}

/// An address, as an administrator sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminEmail)]
pub(crate) struct ListedEmail<'a> {
    id: Uuid,
    #[schema(example = "ada@example.org")]
    address: &'a str,
    #[schema(example = true)]
    verified: bool,
    #[schema(example = true)]
    preferred: bool,
}

/// A user, as an administrator sees them.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminUser)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed<'a> {
    id: Uuid,
    #[schema(example = "ada")]
    alias: &'a str,
    #[schema(example = "Ada Lovelace")]
    full_name: &'a str,
    /// Oldest first.
    emails: Vec<ListedEmail<'a>>,
    #[schema(example = json!(["user"]))]
    roles: &'a [String],
    #[schema(example = json!(["public"]))]
    groups: &'a [String],
    #[schema(example = true)]
    verified: bool,
    #[schema(example = true)]
    enabled: bool,
    /// When the account was made, in Unix seconds.
    #[schema(example = 1_795_478_400)]
    created_at: i64,
}

impl<'a> From<&'a Account> for Listed<'a> {
    fn from(Account { user, emails }: &'a Account) -> Self {
        let emails = emails.iter().map(|email| ListedEmail {
            id: email.id.uuid(),
            address: email.address.as_str(),
            verified: email.verified,
            preferred: email.preferred,
        });
        Self {
            id: user.id.uuid(),
            alias: user.alias.as_str(),
            full_name: user.full_name.as_str(),
            emails: emails.collect(),
            roles: &user.roles,
            groups: &user.groups,
            verified: user.verified,
            enabled: user.enabled,
            created_at: user.created_at.unix_seconds(),
        }
    }
}

/// Which users are wanted.
#[derive(Debug, Deserialize)]
pub(crate) struct Filter {
    enabled: Option<bool>,
    role: Option<String>,
}

/// One page of the users.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminUsers)]
pub(crate) struct PageOfUsers<'a> {
    /// How many pages there are.
    #[schema(example = 1)]
    pages: u64,
    /// How many users there are on all pages.
    #[schema(example = 1)]
    items: u64,
    users: Vec<Listed<'a>>,
}

/// List users, oldest first.
#[utoipa::path(get, path = "/admin/users", tag = "Administration", operation_id = "adminListUsers",
    params(("page" = Option<i64>, Query, minimum = 1, maximum = 4_294_967_295_u32, description = "Which page, from 1."),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 100, description = "How many items a page has; 20 if absent."),
        ("enabled" = Option<bool>, Query, description = "Only those that are enabled, or only those that are not."),
        ("role" = Option<String>, Query, pattern = "^[a-z0-9_.-]{1,64}$", description = "Only those that hold this role.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 200, description = "A page; an empty one past the end.", body = PageOfUsers), (status = 403)))]
pub(crate) async fn list(
    service: web::Data<Service>,
    request: Administering<(Query<Paging>, Query<Filter>)>,
) -> ApiResult {
    let (Query(paging), Query(filter)) = &request.input;
    let role = filter.role.as_deref().map(RoleName::parse).transpose()?;
    let (filter, page) = (AccountFilter { enabled: filter.enabled, role }, paging.page()?);
    let paged = service.auth.list_accounts(&request.administrator, &filter, page).await?;
    let users = paged.on_page.iter().map(Listed::from).collect();
    Ok(HttpResponse::Ok().json(PageOfUsers { pages: page.pages_of(paged.items), items: paged.items, users }))
}

/// Show a user.
#[utoipa::path(get, path = "/admin/user/{id}", tag = "Administration", operation_id = "adminGetUser",
    params(("id" = Uuid, Path, description = "The user's id.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 200, description = "The user.", body = Listed), (status = 403), (status = 404)))]
pub(crate) async fn show(service: web::Data<Service>, request: Administering<Id>) -> ApiResult {
    let Id(id) = request.input;
    let account = service.auth.find_account(&request.administrator, id.into()).await?;
    Ok(HttpResponse::Ok().json(Listed::from(&account)))
}

/// Delete a user.
///
/// Their sessions, addresses, codes and key pairs go with them.
#[utoipa::path(delete, path = "/admin/user/{id}", tag = "Administration", operation_id = "adminDeleteUser",
    params(("id" = Uuid, Path, description = "The user's id.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "Deleted.", body = Acknowledged), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn delete(service: web::Data<Service>, request: Administering<Id>) -> ApiResult {
    let Id(id) = request.input;
    service.auth.delete_user(&request.administrator, id.into()).await?;
    Ok(acknowledged())
}

/// Disable a user.
///
/// All of their sessions and key pairs end at once.
#[utoipa::path(put, path = "/admin/user/{id}/disable", tag = "Administration", operation_id = "adminDisableUser",
    params(("id" = Uuid, Path, description = "The user's id.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "Disabled.", body = Acknowledged), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn disable(service: web::Data<Service>, request: Administering<Id>) -> ApiResult {
    change(&service, request, &UserChange::Disable).await
}

/// Enable a user.
///
/// Nothing that disabling ended is restored.
#[utoipa::path(put, path = "/admin/user/{id}/enable", tag = "Administration", operation_id = "adminEnableUser",
    params(("id" = Uuid, Path, description = "The user's id.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "Enabled.", body = Acknowledged), (status = 403), (status = 404)))]
pub(crate) async fn enable(service: web::Data<Service>, request: Administering<Id>) -> ApiResult {
    change(&service, request, &UserChange::Enable).await
}

/// Count a user as verified.
///
/// As if they had redeemed a code.
#[utoipa::path(put, path = "/admin/user/{id}/verify", tag = "Administration", operation_id = "adminVerifyUser",
    params(("id" = Uuid, Path, description = "The user's id.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "Verified.", body = Acknowledged), (status = 403), (status = 404)))]
pub(crate) async fn verify(service: web::Data<Service>, request: Administering<Id>) -> ApiResult {
    change(&service, request, &UserChange::Verify).await
}

/// Count a user as unverified.
///
/// All of their sessions and key pairs end at once; the next code that they redeem verifies them again.
#[utoipa::path(put, path = "/admin/user/{id}/unverify", tag = "Administration", operation_id = "adminUnverifyUser",
    params(("id" = Uuid, Path, description = "The user's id.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "Unverified.", body = Acknowledged), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn unverify(service: web::Data<Service>, request: Administering<Id>) -> ApiResult {
    change(&service, request, &UserChange::Unverify).await
}

async fn change(service: &Service, request: Administering<Id>, change: &UserChange) -> ApiResult {
    let Id(id) = request.input;
    service.auth.change_user(&request.administrator, id.into(), change).await?;
    Ok(acknowledged())
}
