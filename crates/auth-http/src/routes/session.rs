use std::net::IpAddr;

use actix_web::{HttpResponse, web};
use auth_domain::{EmailAddress, ListedSession, LiveSession, OpenedSession};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::endpoint::Endpoint;
use crate::{
    answer::{Acknowledged, ApiResult, PacedRequest, accepted, acknowledged},
    extract::{Body, CheckedSession, Id, Sender, Signed},
    openapi::EmailAddressText,
    service::Service,
};

/// `GET /session` and what shares its path.
pub(super) fn check() -> Endpoint {
    Endpoint::at("/api/auth/v2/session").checking("session").get(show).post(open)
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::at("/session/verification").put(verify),
        Endpoint::at("/session/extend").put(extend),
        Endpoint::at("/sessions").get(list).delete(close_others),
        Endpoint::at("/session/{id}").delete(close),
    ]
}

/// A session that waits for its code.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewSession<'a> {
    /// The session's secret, shown this once: 64 characters. Refused until the code is redeemed.
    #[schema(min_length = 64, max_length = 64, pattern = "^aub_[0-9A-Za-z]{60}$")]
    bearer: &'a str,
    #[serde(rename = "sessionID")]
    session_id: Uuid,
    /// When the session ends, in Unix seconds.
    #[schema(example = 1_795_564_800)]
    expire_at: i64,
    /// The client's address.
    #[schema(value_type = String, example = "203.0.113.7")]
    ip: IpAddr,
    /// What the client calls itself; at most 512 characters.
    #[schema(max_length = 512, example = "Mozilla/5.0")]
    user_agent: &'a str,
    /// What to send along with the six digits from the mail.
    #[serde(rename = "verificationCodeID")]
    verification_code_id: Uuid,
    #[schema(example = "standard")]
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
#[derive(Serialize, ToSchema)]
#[schema(as = SessionCheck)]
#[serde(rename_all = "camelCase")]
pub(super) struct Check<'a> {
    #[serde(rename = "sessionID")]
    session_id: Uuid,
    #[serde(rename = "userID")]
    user_id: Uuid,
    #[schema(example = "ada")]
    alias: &'a str,
    #[schema(example = "Ada Lovelace")]
    full_name: &'a str,
    /// When the session ends, in Unix seconds.
    #[schema(example = 1_795_564_800)]
    expire_at: i64,
    /// The address of the client that opened the session.
    #[schema(value_type = String, example = "203.0.113.7")]
    ip: IpAddr,
    #[schema(example = "Mozilla/5.0")]
    user_agent: &'a str,
    /// Always true: a bearer that is not verified is refused.
    #[schema(example = true)]
    verified: bool,
    #[schema(example = "standard")]
    kind: &'a str,
    #[schema(example = json!(["user"]))]
    roles: &'a [String],
    #[schema(example = json!(["public"]))]
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
            verified: session.is_verified(),
            kind: session.kind.as_str(),
            roles: &user.roles,
            groups: &user.groups,
        }
    }
}

/// One of the caller's sessions.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedSession)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed<'a> {
    #[serde(rename = "sessionID")]
    session_id: Uuid,
    #[schema(value_type = String, example = "203.0.113.7")]
    ip: IpAddr,
    #[schema(example = "Mozilla/5.0")]
    user_agent: &'a str,
    /// When the session ends, in Unix seconds.
    #[schema(example = 1_795_564_800)]
    expire_at: i64,
    /// Whether it is the one that the list was asked for with.
    #[schema(example = true)]
    current: bool,
    #[schema(example = "standard")]
    kind: &'a str,
    /// When it was asked for, in Unix seconds.
    #[schema(example = 1_795_478_400)]
    created_at: i64,
    /// When it was last used, in Unix seconds; a few seconds late.
    #[schema(example = 1_795_478_460)]
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

/// Whom to send a code.
#[derive(Deserialize, ToSchema)]
pub(super) struct SignIn {
    #[schema(value_type = EmailAddressText)]
    email: String,
    /// One of the kinds that the service offers; `standard` if absent.
    #[schema(schema_with = crate::openapi::session_kind)]
    kind: Option<String>,
}

/// Ask for a sign-in code.
///
/// Opens a session and mails a code to the address; the bearer is refused until the code is redeemed. An address that
/// leads to no account is answered in the same way, and nothing in that answer ever becomes valid.
#[utoipa::path(post, path = "/session", tag = "Sessions", operation_id = "openSession", request_body = SignIn,
    responses((status = 202, description = "The session, waiting for its code.", body = NewSession), (status = 429)))]
pub(super) async fn open(
    service: web::Data<Service>,
    Sender { client, language }: Sender,
    Body(body): Body<SignIn>,
) -> ApiResult {
    let email = EmailAddress::parse(&body.email)?;
    let signing_in = service.auth.sign_in(&email, body.kind.as_deref(), &client, &language);
    let opened = service.pacer.pace(PacedRequest::SignIn, signing_in).await?;
    Ok(accepted(&NewSession::from(&opened)))
}

/// A code from a mail, and what it belongs to.
#[derive(Deserialize, ToSchema)]
pub(super) struct Verification {
    /// As it was answered when the code was asked for.
    #[serde(rename = "verificationCodeID")]
    #[schema(value_type = Uuid)]
    pub(super) verification_code_id: Id,
    /// The six digits from the mail.
    #[schema(example = "042137")]
    pub(super) code: String,
}

/// Redeem a sign-in code.
///
/// The session is live from here on, and the address and its user count as verified. A code has five tries and works
/// once; wrong, unknown, used, expired and exhausted ones are all refused alike, and so is every code of an address at which
/// too much was guessed wrong.
#[utoipa::path(put, path = "/session/verification", tag = "Sessions", operation_id = "verifySession",
    request_body = Verification,
    responses((status = 202, description = "The session is live.", body = Acknowledged), (status = 401), (status = 403),
        (status = 429)))]
pub(super) async fn verify(
    service: web::Data<Service>,
    Sender { client, .. }: Sender,
    Body(body): Body<Verification>,
) -> ApiResult {
    let redeeming = service.auth.redeem_sign_in_code(body.verification_code_id.0.into(), &body.code, &client);
    service.pacer.pace(PacedRequest::Redemption, redeeming).await?;
    Ok(acknowledged())
}

/// Check a session.
///
/// Who the bearer belongs to and what they may do. 401 means that the bearer is not valid; 503 that nothing is known.
#[utoipa::path(get, path = "/session", tag = "Sessions", operation_id = "checkSession", security(("bearer" = [])),
    responses((status = 200, description = "The session and its user.", body = Check)))]
pub(super) async fn show(CheckedSession(checked): CheckedSession) -> ApiResult {
    Ok(checked.answer())
}

/// The new end of a session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Extended {
    #[schema(example = "acknowledged")]
    message: &'static str,
    /// When the session ends now, in Unix seconds.
    #[schema(example = 1_795_564_800)]
    expire_at: i64,
}

/// Extend the session.
///
/// Its end moves to a lifetime from now, never past its maximum age.
#[utoipa::path(put, path = "/session/extend", tag = "Sessions", operation_id = "extendSession",
    security(("bearer" = [])),
    responses((status = 202, description = "Extended.", body = Extended), (status = 403)))]
pub(super) async fn extend(service: web::Data<Service>, signed: Signed<LiveSession>) -> ApiResult {
    let until = service.auth.extend_session(&signed.caller).await?;
    Ok(accepted(&Extended { message: "acknowledged", expire_at: until.unix_seconds() }))
}

/// The caller's live sessions, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Sessions<'a> {
    sessions: Vec<Listed<'a>>,
}

/// List the caller's live sessions.
#[utoipa::path(get, path = "/sessions", tag = "Sessions", operation_id = "listSessions", security(("bearer" = [])),
    responses((status = 200, description = "The sessions, newest first.", body = Sessions)))]
pub(super) async fn list(service: web::Data<Service>, signed: Signed<LiveSession>) -> ApiResult {
    let sessions = service.auth.list_sessions(&signed.caller).await?;
    Ok(HttpResponse::Ok().json(Sessions { sessions: sessions.iter().map(Listed::from).collect() }))
}

/// Close one of the caller's sessions.
#[utoipa::path(delete, path = "/session/{id}", tag = "Sessions", operation_id = "closeSession",
    params(("id" = Uuid, Path, description = "The session's id.")), security(("bearer" = [])),
    responses((status = 202, description = "Closed.", body = Acknowledged), (status = 404)))]
pub(super) async fn close(
    service: web::Data<Service>,
    Sender { client, .. }: Sender,
    signed: Signed<LiveSession, Id>,
) -> ApiResult {
    let Id(id) = signed.input;
    service.auth.close_session(&signed.caller, id.into(), &client).await?;
    Ok(acknowledged())
}

/// How many sessions were closed.
#[derive(Serialize, ToSchema)]
pub(super) struct Closed {
    #[schema(example = 2)]
    closed: u64,
}

/// Close all of the caller's other sessions.
///
/// Sign-ins that wait for their code end too, uncounted.
#[utoipa::path(delete, path = "/sessions", tag = "Sessions", operation_id = "closeOtherSessions",
    security(("bearer" = [])),
    responses((status = 202, description = "Closed.", body = Closed)))]
pub(super) async fn close_others(
    service: web::Data<Service>,
    Sender { client, .. }: Sender,
    signed: Signed<LiveSession>,
) -> ApiResult {
    let closed = service.auth.close_other_sessions(&signed.caller, &client).await?;
    Ok(accepted(&Closed { closed }))
}
