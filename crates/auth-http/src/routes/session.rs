use std::net::IpAddr;

use actix_web::{HttpResponse, Resource, web};
use auth_domain::{EmailAddress, ListedSession, LiveSession, OpenedSession};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{BASE, endpoint::Endpoint};
use crate::{
    answer::{ApiResult, accepted, acknowledged},
    extract::{Body, Id, Sender, Signed},
    service::Service,
};

/// `GET /session`, and what shares its path: the one that is registered first.
pub(super) fn check() -> Resource {
    Endpoint::at(&format!("{BASE}/session")).get(show).post(open).into_resource()
}

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(Endpoint::at("/session/verification").put(verify).into_resource())
        .service(Endpoint::at("/session/extend").put(extend).into_resource())
        .service(Endpoint::at("/sessions").get(list).delete(close_others).into_resource())
        .service(Endpoint::at("/session/{id}").delete(close).into_resource());
}

/// A session that waits for its code.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewSession<'a> {
    bearer: &'a str,
    #[serde(rename = "sessionID")]
    session_id: Uuid,
    expire_at: i64,
    ip: IpAddr,
    user_agent: &'a str,
    #[serde(rename = "verificationCodeID")]
    verification_code_id: Uuid,
    kind: &'a str,
}

impl<'a> From<&'a OpenedSession> for NewSession<'a> {
    fn from(opened: &'a OpenedSession) -> Self {
        Self {
            bearer: opened.bearer.expose(),
            session_id: opened.session_id.uuid(),
            expire_at: opened.expires_at.unix_seconds(),
            ip: opened.ip,
            user_agent: &opened.user_agent,
            verification_code_id: opened.code_id.uuid(),
            kind: opened.kind.as_str(),
        }
    }
}

/// Who the caller is and what they may do.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Check<'a> {
    #[serde(rename = "sessionID")]
    session_id: Uuid,
    #[serde(rename = "userID")]
    user_id: Uuid,
    alias: &'a str,
    full_name: &'a str,
    expire_at: i64,
    ip: IpAddr,
    user_agent: &'a str,
    verified: bool,
    kind: &'a str,
    roles: &'a [String],
    groups: &'a [String],
}

impl<'a> From<&'a LiveSession> for Check<'a> {
    fn from(LiveSession { session, user }: &'a LiveSession) -> Self {
        Self {
            session_id: session.id.uuid(),
            user_id: user.id.uuid(),
            alias: user.alias.as_str(),
            full_name: user.full_name.as_str(),
            expire_at: session.expires_at.unix_seconds(),
            ip: session.client.ip,
            user_agent: &session.client.user_agent,
            verified: session.verified,
            kind: session.kind.as_str(),
            roles: &user.roles,
            groups: &user.groups,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    #[serde(rename = "sessionID")]
    session_id: Uuid,
    ip: IpAddr,
    user_agent: &'a str,
    expire_at: i64,
    current: bool,
    kind: &'a str,
    created_at: i64,
    last_used_at: Option<i64>,
}

impl<'a> From<&'a ListedSession> for Listed<'a> {
    fn from(ListedSession { session, current }: &'a ListedSession) -> Self {
        Self {
            session_id: session.id.uuid(),
            ip: session.client.ip,
            user_agent: &session.client.user_agent,
            expire_at: session.expires_at.unix_seconds(),
            current: *current,
            kind: session.kind.as_str(),
            created_at: session.created_at.unix_seconds(),
            last_used_at: session.last_used_at.map(auth_domain::Timestamp::unix_seconds),
        }
    }
}

#[derive(Deserialize)]
struct SignIn {
    email: String,
    kind: Option<String>,
}

async fn open(service: web::Data<Service>, Sender { client, language }: Sender, Body(body): Body<SignIn>) -> ApiResult {
    let email = EmailAddress::parse(&body.email)?;
    let opened = service.auth.sign_in(&email, body.kind.as_deref(), &client, &language).await?;
    Ok(accepted(&NewSession::from(&opened)))
}

/// What is sent to redeem a code, whatever it is for.
#[derive(Deserialize)]
pub(super) struct Verification {
    #[serde(rename = "verificationCodeID")]
    pub(super) verification_code_id: Uuid,
    pub(super) code: String,
}

async fn verify(service: web::Data<Service>, Body(body): Body<Verification>) -> ApiResult {
    service.auth.redeem_sign_in_code(body.verification_code_id.into(), &body.code).await?;
    Ok(acknowledged())
}

async fn show(signed: Signed<LiveSession>) -> ApiResult {
    Ok(HttpResponse::Ok().json(Check::from(&signed.caller)))
}

async fn extend(service: web::Data<Service>, signed: Signed<LiveSession>) -> ApiResult {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Extended {
        message: &'static str,
        expire_at: i64,
    }
    let until = service.auth.extend_session(&signed.caller).await?;
    Ok(accepted(&Extended { message: "acknowledged", expire_at: until.unix_seconds() }))
}

async fn list(service: web::Data<Service>, signed: Signed<LiveSession>) -> ApiResult {
    #[derive(Serialize)]
    struct Sessions<'a> {
        sessions: Vec<Listed<'a>>,
    }
    let sessions = service.auth.list_sessions(&signed.caller).await?;
    Ok(HttpResponse::Ok().json(Sessions { sessions: sessions.iter().map(Listed::from).collect() }))
}

async fn close(service: web::Data<Service>, signed: Signed<LiveSession, Id>) -> ApiResult {
    let Id(id) = signed.input;
    service.auth.close_session(&signed.caller, id.into()).await?;
    Ok(acknowledged())
}

async fn close_others(service: web::Data<Service>, signed: Signed<LiveSession>) -> ApiResult {
    #[derive(Serialize)]
    struct Closed {
        closed: u64,
    }
    let closed = service.auth.close_other_sessions(&signed.caller).await?;
    Ok(accepted(&Closed { closed }))
}
