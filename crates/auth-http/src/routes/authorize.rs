use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    web,
};
use auth_domain::Caller;

use super::endpoint::Endpoint;
use crate::{
    answer::{ApiError, ApiResult},
    extract::{RolesAsked, Signed},
    openapi::RoleNameText,
    service::Service,
};

/// What a reverse proxy asks on every request.
pub(super) fn check() -> Endpoint {
    Endpoint::at("/api/auth/v2/authorize").get(show)
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
pub(super) async fn show(service: web::Data<Service>, signed: Signed<Caller, RolesAsked>) -> ApiResult {
    let (caller, RolesAsked(asked)) = (signed.caller, signed.input);
    service.auth.authorize(&caller, &asked)?;
    let user = caller.user();
    let method = match &caller {
        Caller::Session(_) => "session",
        Caller::KeyPair(_) => "keypair",
    };
    let mut response = HttpResponse::Ok().finish();
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-auth-user-id", user.id.to_string()),
        ("x-auth-alias", user.alias.as_str().to_owned()),
        ("x-auth-roles", caller.roles().join(",")),
        ("x-auth-groups", user.groups.join(",")),
        ("x-auth-method", method.to_owned()),
        ("x-auth-credential-id", caller.credential().uuid().to_string()),
    ] {
        headers.insert(HeaderName::from_static(name), header_value(value)?);
    }
    Ok(response)
}

/// Ids, aliases and names are printable ASCII. Should one not be, the request must not pass without it.
fn header_value(text: String) -> Result<HeaderValue, ApiError> {
    let unprintable = |_never| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error");
    HeaderValue::try_from(text).map_err(unprintable)
}
