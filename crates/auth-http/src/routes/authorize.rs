use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
};
use auth_domain::{CredentialId, rules::judge_access};
use uuid::Uuid;

use super::{checked::listed, endpoint::Endpoint};
use crate::{
    answer::{ApiError, ApiResult},
    extract::CheckedCaller,
    openapi::RoleNameText,
};

const USER_ID: HeaderName = HeaderName::from_static("x-auth-user-id");
const ALIAS: HeaderName = HeaderName::from_static("x-auth-alias");
const ROLES: HeaderName = HeaderName::from_static("x-auth-roles");
const GROUPS: HeaderName = HeaderName::from_static("x-auth-groups");
const METHOD: HeaderName = HeaderName::from_static("x-auth-method");
const CREDENTIAL_ID: HeaderName = HeaderName::from_static("x-auth-credential-id");

const SESSION: HeaderValue = HeaderValue::from_static("session");
const KEY_PAIR: HeaderValue = HeaderValue::from_static("keypair");

/// What a reverse proxy asks on every request.
pub(super) fn check() -> Endpoint {
    Endpoint::at("/api/auth/v2/authorize").checking("authorize").get(show)
}

/// Ask whether a request may pass.
///
/// For the sub-request of a reverse proxy, which passes the identity headers on. With roles asked for, the caller must hold
/// one of them; any other query parameter is 400. 503 means that nothing is known: let nothing pass.
#[utoipa::path(get, path = "/authorize", tag = "Gateway", operation_id = "authorize",
    params(("role" = Option<Vec<RoleNameText>>, Query, explode = true,
        description = "A role; may be there several times, and any of them is enough.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses(
        (status = 200, description = "It may pass. The body is empty.", headers(
            ("x-auth-user-id" = Uuid, description = "The user's id."),
            ("x-auth-alias" = String, description = "The user's alias."),
            ("x-auth-roles" = String, description = "What the credential may do, comma-separated."),
            ("x-auth-groups" = String, description = "What the user belongs to, comma-separated."),
            ("x-auth-method" = String, description = "`session` or `keypair`."),
            ("x-auth-credential-id" = Uuid, description = "The id of the session or key pair."))),
        (status = 403)))]
pub(super) async fn show(CheckedCaller { checked, asked }: CheckedCaller) -> ApiResult {
    let (alias, roles, groups) = checked.identity();
    judge_access(listed(roles), &asked)?;
    let (method, credential) = match checked.credential() {
        CredentialId::Session(id) => (SESSION, id.uuid()),
        CredentialId::KeyPair(id) => (KEY_PAIR, id.uuid()),
    };
    let mut response = HttpResponse::Ok().finish();
    let headers = response.headers_mut();
    let mut buffer = Uuid::encode_buffer();
    headers.insert(USER_ID, header_value(checked.user().uuid().hyphenated().encode_lower(&mut buffer))?);
    headers.insert(ALIAS, header_value(alias)?);
    headers.insert(ROLES, header_value(roles)?);
    headers.insert(GROUPS, header_value(groups)?);
    headers.insert(METHOD, method);
    headers.insert(CREDENTIAL_ID, header_value(credential.hyphenated().encode_lower(&mut buffer))?);
    Ok(response)
}

/// Ids, aliases and names are printable ASCII. Should one not be, the request must not pass without it.
fn header_value(text: &str) -> Result<HeaderValue, ApiError> {
    let unprintable = |_never| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error");
    HeaderValue::from_str(text).map_err(unprintable)
}
