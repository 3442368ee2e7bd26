use actix_web::{HttpResponse, web};
use auth_domain::{Alias, Caller, EmailAddress, FullName, SignUp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{endpoint::Endpoint, session::NewSession};
use crate::{
    answer::{Acknowledged, ApiResult, PacedRequest, accepted, acknowledged},
    extract::{Body, Id, Query, Registering, Sender, Signed},
    openapi::EmailAddressText,
    service::Service,
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::at("/user").post(register).delete(delete),
        Endpoint::at("/user/by-email").get(by_email),
        Endpoint::at("/user/id/{id}").get(alias_by_id),
        Endpoint::at("/user/{id}").get(alias),
    ]
}

/// Who wants an account.
#[derive(Deserialize, ToSchema)]
pub(super) struct Registration {
    #[schema(value_type = EmailAddressText)]
    email: String,
    #[serde(rename = "fullName")]
    #[schema(
        min_length = 1,
        max_length = 128,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$",
        example = "Ada Lovelace"
    )]
    full_name: String,
    /// The handle that others know them by: unique without regard to case.
    #[schema(min_length = 1, max_length = 32, pattern = "^[A-Za-z0-9._-]+$", example = "ada")]
    alias: String,
}

/// Register.
///
/// Mails a code that completes the registration. A registered address is answered in the same way: nothing in that
/// answer ever becomes valid, and the owner of the address gets a mail that says so.
#[utoipa::path(post, path = "/user", tag = "Users", operation_id = "register", request_body = Registration,
    responses((status = 202, description = "The first session, waiting for its code.", body = NewSession),
        (status = 403), (status = 409), (status = 429)))]
pub(super) async fn register(
    service: web::Data<Service>,
    Sender { client, language }: Sender,
    Registering(Body(body)): Registering<Body<Registration>>,
) -> ApiResult {
    let sign_up = SignUp {
        email: EmailAddress::parse(&body.email)?,
        full_name: FullName::parse(&body.full_name)?,
        alias: Alias::parse(&body.alias)?,
    };
    let signing_up = service.auth.sign_up(sign_up, &client, &language);
    let opened = service.pacer.pace(PacedRequest::SignUp, signing_up).await?;
    Ok(accepted(&NewSession::from(&opened)))
}

/// What anyone may know of a user.
#[derive(Serialize, ToSchema)]
#[schema(as = PublicUser)]
pub(super) struct Public<'a> {
    #[schema(example = "ada")]
    alias: &'a str,
}

/// What anyone may know of a user.
#[utoipa::path(get, path = "/user/{id}", tag = "Users", operation_id = "publicUser",
    params(("id" = Uuid, Path, description = "The user's id.")),
    responses((status = 200, description = "The user's alias.", body = Public), (status = 404), (status = 429)))]
pub(super) async fn alias(service: web::Data<Service>, Sender { client, .. }: Sender, Id(id): Id) -> ApiResult {
    let alias = service.auth.public_alias(id.into(), &client).await?;
    Ok(HttpResponse::Ok().json(Public { alias: alias.as_str() }))
}

/// What anyone may know of a user, at another path.
#[utoipa::path(get, path = "/user/id/{id}", tag = "Users", operation_id = "publicUserById",
    params(("id" = Uuid, Path, description = "The user's id.")),
    responses((status = 200, description = "The user's alias.", body = Public), (status = 404), (status = 429)))]
pub(super) async fn alias_by_id(service: web::Data<Service>, sender: Sender, id: Id) -> ApiResult {
    alias(service, sender, id).await
}

#[derive(Deserialize)]
pub(super) struct ByEmail {
    email: String,
}

/// Whose an address is.
#[derive(Serialize, ToSchema)]
#[schema(as = UserByEmail)]
pub(super) struct Found {
    #[serde(rename = "userID")]
    user_id: Uuid,
}

/// Find a user by a verified address.
///
/// One of the caller's own; anybody's, for a caller with the role `users_admin`.
#[utoipa::path(get, path = "/user/by-email", tag = "Users", operation_id = "userByEmail", 
    params(("email" = EmailAddressText, Query, description = "The address.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 200, description = "The user's id.", body = Found), (status = 404)))]
pub(super) async fn by_email(service: web::Data<Service>, signed: Signed<Caller, Query<ByEmail>>) -> ApiResult {
    let Query(query) = signed.input;
    let email = EmailAddress::parse(&query.email)?;
    let user_id = service.auth.user_by_email(&signed.caller, &email).await?.uuid();
    Ok(HttpResponse::Ok().json(Found { user_id }))
}

/// Delete the caller's account.
///
/// Its sessions, addresses, codes and key pairs go with it.
#[utoipa::path(delete, path = "/user", tag = "Users", operation_id = "deleteAccount",
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "Deleted.", body = Acknowledged), (status = 403), (status = 409)))]
pub(super) async fn delete(
    service: web::Data<Service>,
    Sender { client, .. }: Sender,
    signed: Signed<Caller>,
) -> ApiResult {
    service.auth.delete_account(&signed.caller, &client).await?;
    Ok(acknowledged())
}
