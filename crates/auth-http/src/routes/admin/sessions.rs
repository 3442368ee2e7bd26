use std::net::IpAddr;

use actix_web::{HttpResponse, web};
use auth_domain::Session;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Of;
use crate::{
    answer::{Acknowledged, ApiResult, accepted, acknowledged},
    extract::{Administering, Body, Id, Paging, Query},
    service::Service,
};

/// The session that is wanted.
#[derive(Deserialize, ToSchema)]
#[schema(as = AdminNewSession)]
pub(crate) struct Wish {
    /// One of the kinds that the service offers; `standard` if absent.
    #[schema(schema_with = crate::openapi::session_kind)]
    kind: Option<String>,
}

/// A session that is live.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminGivenSession)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Given<'a> {
    /// The session's secret, shown this once: 64 characters.
    #[schema(min_length = 64, max_length = 64, pattern = "^aub_[0-9A-Za-z]{60}$")]
    bearer: &'a str,
    #[serde(rename = "sessionID")]
    session_id: Uuid,
    /// When the session ends, in Unix seconds.
    #[schema(example = 1_795_564_800)]
    expire_at: i64,
}

/// Open a session for a user.
///
/// It is live at once. It counts as asked for by the administrator's client.
#[utoipa::path(post, path = "/admin/user/{id}/session", tag = "Administration", operation_id = "adminOpenSession",
    params(("id" = Uuid, Path, description = "The user's id.")),
    request_body = Wish,
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "The session.", body = Given), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn give(service: web::Data<Service>, request: Administering<(Id, Body<Wish>)>) -> ApiResult {
    let (Id(id), Body(body)) = &request.input;
    let (administrator, client) = (&request.administrator, &request.client);
    let given = service.auth.give_session(administrator, (*id).into(), body.kind.as_deref(), client).await?;
    Ok(accepted(&Given {
        bearer: given.bearer.expose(),
        session_id: given.session_id.uuid(),
        expire_at: given.expires_at.unix_seconds(),
    }))
}

/// A session, as an administrator sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminSession)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed<'a> {
    #[serde(rename = "sessionID")]
    session_id: Uuid,
    #[serde(rename = "userID")]
    user_id: Uuid,
    #[schema(value_type = String, example = "203.0.113.7")]
    ip: IpAddr,
    #[schema(example = "Mozilla/5.0")]
    user_agent: &'a str,
    /// When the session ends, in Unix seconds.
    #[schema(example = 1_795_564_800)]
    expire_at: i64,
    /// Whether its code was redeemed.
    #[schema(example = true)]
    verified: bool,
    #[schema(example = "standard")]
    kind: &'a str,
    /// When it was asked for, in Unix seconds.
    #[schema(example = 1_795_478_400)]
    created_at: i64,
    /// When it was last used, in Unix seconds; a few seconds late.
    #[schema(example = 1_795_478_460)]
    last_used_at: Option<i64>,
}

impl<'a> From<&'a Session> for Listed<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            session_id: session.id.uuid(),
            user_id: session.user_id.uuid(),
            ip: session.client.ip,
            user_agent: &session.client.user_agent,
            expire_at: session.expires_at.unix_seconds(),
            verified: session.is_verified(),
            kind: session.kind.as_str(),
            created_at: session.created_at.unix_seconds(),
            last_used_at: session.last_used_at.map(auth_domain::Timestamp::unix_seconds),
        }
    }
}

/// One page of the sessions.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminSessions)]
pub(crate) struct PageOfSessions<'a> {
    /// How many pages there are.
    #[schema(example = 1)]
    pages: u64,
    /// How many sessions there are on all pages.
    #[schema(example = 1)]
    items: u64,
    sessions: Vec<Listed<'a>>,
}

/// List sessions, newest first: those that are live, and those that wait for their code.
#[utoipa::path(get, path = "/admin/sessions", tag = "Administration", operation_id = "adminListSessions",
    params(("page" = Option<i64>, Query, minimum = 1, maximum = 4_294_967_295_u32, description = "Which page, from 1."),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 100, description = "How many items a page has; 20 if absent."),
        ("user" = Option<Uuid>, Query, description = "Only those of this user.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 200, description = "A page; an empty one past the end.", body = PageOfSessions), (status = 403)))]
pub(crate) async fn list(service: web::Data<Service>, request: Administering<(Query<Paging>, Query<Of>)>) -> ApiResult {
    let (Query(paging), Query(of)) = &request.input;
    let page = paging.page()?;
    let paged = service.auth.page_sessions(&request.administrator, of.user.map(|id| id.0.into()), page).await?;
    let sessions = paged.on_page.iter().map(Listed::from).collect();
    Ok(HttpResponse::Ok().json(PageOfSessions { pages: page.pages_of(paged.items), items: paged.items, sessions }))
}

/// Let a session that waits for its code go live.
#[utoipa::path(put, path = "/admin/session/{id}/verify", tag = "Administration", operation_id = "adminVerifySession",
    params(("id" = Uuid, Path, description = "The session's id.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "It is live.", body = Acknowledged), (status = 403), (status = 404)))]
pub(crate) async fn verify(service: web::Data<Service>, request: Administering<Id>) -> ApiResult {
    let Id(id) = request.input;
    service.auth.verify_session(&request.administrator, id.into()).await?;
    Ok(acknowledged())
}

/// Close anybody's session.
#[utoipa::path(delete, path = "/admin/session/{id}", tag = "Administration", operation_id = "adminCloseSession",
    params(("id" = Uuid, Path, description = "The session's id.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "Closed.", body = Acknowledged), (status = 403), (status = 404)))]
pub(crate) async fn close(service: web::Data<Service>, request: Administering<Id>) -> ApiResult {
    let Id(id) = request.input;
    service.auth.end_session(&request.administrator, id.into()).await?;
    Ok(acknowledged())
}
