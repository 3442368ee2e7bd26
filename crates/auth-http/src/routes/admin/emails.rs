use actix_web::web;
use auth_domain::EmailAddress;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    answer::{Acknowledged, ApiResult, accepted, acknowledged},
    extract::{Administering, Body, Id},
    openapi::EmailAddressText,
    service::Service,
};

/// An address to be given.
#[derive(Deserialize, ToSchema)]
#[schema(as = AdminNewEmail)]
pub(crate) struct Address {
    #[schema(value_type = EmailAddressText)]
    address: String,
}

/// An address of a user.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = AdminEmailId)]
pub(crate) struct Named {
    #[serde(rename = "emailID")]
    #[schema(value_type = Uuid)]
    email_id: Id,
}

/// Give a user an address.
///
/// It signs in from now on, although nobody has proved it yet. The user's verified addresses are told.
#[utoipa::path(post, path = "/admin/user/{id}/email", tag = "Administration", operation_id = "adminAddEmail",
    params(("id" = Uuid, Path, description = "The user's id.")),
    request_body = Address,
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "The address.", body = Named), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn give(service: web::Data<Service>, request: Administering<(Id, Body<Address>)>) -> ApiResult {
    let (Id(id), Body(body)) = &request.input;
    let address = EmailAddress::parse(&body.address)?;
    let (administrator, language) = (&request.administrator, &request.language);
    let email_id = service.auth.give_email(administrator, (*id).into(), &address, language).await?.uuid();
    Ok(accepted(&Named { email_id: Id(email_id) }))
}

/// Count an address as verified.
#[utoipa::path(put, path = "/admin/email/{id}/verify", tag = "Administration", operation_id = "adminVerifyEmail",
    params(("id" = Uuid, Path, description = "The address's id.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "Verified.", body = Acknowledged), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn verify(service: web::Data<Service>, request: Administering<Id>) -> ApiResult {
    let Id(id) = request.input;
    service.auth.verify_email(&request.administrator, id.into()).await?;
    Ok(acknowledged())
}

/// Prefer one of a user's verified addresses.
#[utoipa::path(put, path = "/admin/email/preferred", tag = "Administration", operation_id = "adminPreferEmail",
    request_body = Named,
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "The address is preferred.", body = Acknowledged), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn prefer(service: web::Data<Service>, request: Administering<Body<Named>>) -> ApiResult {
    let Body(body) = &request.input;
    service.auth.prefer_email_of_user(&request.administrator, body.email_id.0.into(), &request.language).await?;
    Ok(acknowledged())
}

/// Delete an address of a user.
///
/// Neither the preferred nor the last verified one can be deleted. The verified addresses are told, the deleted one too.
#[utoipa::path(delete, path = "/admin/email/{id}", tag = "Administration", operation_id = "adminDeleteEmail",
    params(("id" = Uuid, Path, description = "The address's id.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "Deleted.", body = Acknowledged), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn remove(service: web::Data<Service>, request: Administering<Id>) -> ApiResult {
    let Id(id) = request.input;
    service.auth.remove_email_of_user(&request.administrator, id.into(), &request.language).await?;
    Ok(acknowledged())
}
