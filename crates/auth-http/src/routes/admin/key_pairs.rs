use actix_web::{HttpResponse, web};
use auth_domain::{KeyLife, KeyName, KeyPair};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Of;
use crate::{
    answer::{Acknowledged, ApiResult, accepted, acknowledged},
    extract::{Administering, Body, Id, Paging, Query, Whole},
    routes::key_pair::Created,
    service::Service,
};

/// The key pair that is wanted.
#[derive(Deserialize, ToSchema)]
#[schema(as = AdminNewKeyPair)]
pub(crate) struct Wish {
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$",
        example = "nightly backup"
    )]
    name: String,
    /// How long it lives.
    #[schema(value_type = i64, minimum = 1, maximum = 3650, example = 30)]
    days: Whole,
}

/// Make a key pair for a user.
///
/// It works at once, and carries all of the user's roles.
#[utoipa::path(post, path = "/admin/user/{id}/keypair", tag = "Administration", operation_id = "adminCreateKeyPair",
    params(("id" = Uuid, Path, description = "The user's id.")),
    request_body = Wish,
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "The key pair.", body = Created), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn give(service: web::Data<Service>, request: Administering<(Id, Body<Wish>)>) -> ApiResult {
    let (Id(id), Body(body)) = &request.input;
    let (name, life) = (KeyName::parse(&body.name)?, KeyLife::of_days(body.days.0)?);
    let created = service.auth.give_key_pair(&request.administrator, (*id).into(), name, life).await?;
    Ok(accepted(&Created::from(&created)))
}

/// A key pair, as an administrator sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminKeyPair)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed<'a> {
    #[schema(min_length = 32, max_length = 32, pattern = "^auk_[0-9A-Za-z]{28}$")]
    api_key: &'a str,
    #[serde(rename = "keyID")]
    key_id: Uuid,
    #[schema(example = "nightly backup")]
    key_name: &'a str,
    #[serde(rename = "userID")]
    user_id: Uuid,
    /// When the key pair ends, in Unix seconds.
    #[schema(example = 1_796_083_200)]
    expire_at: i64,
    #[schema(example = true)]
    verified: bool,
    /// The roles that it is narrowed to; null for all that its owner has.
    #[schema(example = json!(["user"]))]
    roles: Option<&'a [String]>,
    /// When it was made, in Unix seconds.
    #[schema(example = 1_795_478_400)]
    created_at: i64,
    /// When it was last used, in Unix seconds; a few seconds late.
    #[schema(example = 1_795_478_460)]
    last_used_at: Option<i64>,
}

impl<'a> From<&'a KeyPair> for Listed<'a> {
    fn from(key_pair: &'a KeyPair) -> Self {
        Self {
            api_key: key_pair.api_key.as_str(),
            key_id: key_pair.id.uuid(),
            key_name: key_pair.name.as_str(),
            user_id: key_pair.user_id.uuid(),
            expire_at: key_pair.expires_at.unix_seconds(),
            verified: key_pair.verified,
            roles: key_pair.roles.as_deref(),
            created_at: key_pair.created_at.unix_seconds(),
            last_used_at: key_pair.last_used_at.map(auth_domain::Timestamp::unix_seconds),
        }
    }
}

/// One page of the key pairs.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminKeyPairs)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PageOfKeyPairs<'a> {
    /// How many pages there are.
    #[schema(example = 1)]
    pages: u64,
    /// How many key pairs there are on all pages.
    #[schema(example = 1)]
    items: u64,
    key_pairs: Vec<Listed<'a>>,
}

/// List key pairs, newest first: those that work, and those that wait for their code.
#[utoipa::path(get, path = "/admin/keypairs", tag = "Administration", operation_id = "adminListKeyPairs",
    params(("page" = Option<i64>, Query, minimum = 1, maximum = 4_294_967_295_u32, description = "Which page, from 1."),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 100, description = "How many items a page has; 20 if absent."),
        ("user" = Option<Uuid>, Query, description = "Only those of this user.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 200, description = "A page; an empty one past the end.", body = PageOfKeyPairs), (status = 403)))]
pub(crate) async fn list(service: web::Data<Service>, request: Administering<(Query<Paging>, Query<Of>)>) -> ApiResult {
    let (Query(paging), Query(of)) = &request.input;
    let page = paging.page()?;
    let paged = service.auth.page_key_pairs(&request.administrator, of.user.map(|id| id.0.into()), page).await?;
    let key_pairs = paged.on_page.iter().map(Listed::from).collect();
    Ok(HttpResponse::Ok().json(PageOfKeyPairs { pages: page.pages_of(paged.items), items: paged.items, key_pairs }))
}

/// Let a key pair that waits for its code work.
#[utoipa::path(put, path = "/admin/keypair/{id}/verify", tag = "Administration", operation_id = "adminVerifyKeyPair",
    params(("id" = Uuid, Path, description = "The key pair's id.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "It works.", body = Acknowledged), (status = 403), (status = 404)))]
pub(crate) async fn verify(service: web::Data<Service>, request: Administering<Id>) -> ApiResult {
    let Id(id) = request.input;
    service.auth.verify_key_pair(&request.administrator, id.into()).await?;
    Ok(acknowledged())
}

/// Delete anybody's key pair.
#[utoipa::path(delete, path = "/admin/keypair/{id}", tag = "Administration", operation_id = "adminDeleteKeyPair",
    params(("id" = Uuid, Path, description = "The key pair's id.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "Deleted.", body = Acknowledged), (status = 403), (status = 404)))]
pub(crate) async fn delete(service: web::Data<Service>, request: Administering<Id>) -> ApiResult {
    let Id(id) = request.input;
    service.auth.end_key_pair(&request.administrator, id.into()).await?;
    Ok(acknowledged())
}
