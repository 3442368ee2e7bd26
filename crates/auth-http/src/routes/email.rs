use actix_web::{HttpResponse, web};
use auth_domain::{AddedEmail, Email, EmailAddress, LiveSession};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{endpoint::Endpoint, session::Verification};
use crate::{
    answer::{Acknowledged, ApiResult, PacedRequest, accepted, acknowledged},
    extract::{Body, Id, Sender, Signed},
    openapi::EmailAddressText,
    service::Service,
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::at("/email").post(add),
        Endpoint::at("/email/verification").post(renew).put(verify),
        Endpoint::at("/email/preferred").put(prefer),
        Endpoint::at("/emails").get(list),
        Endpoint::at("/email/{id}").delete(remove),
    ]
}

/// An address of the caller, or one that is to be.
#[derive(Deserialize, ToSchema)]
#[schema(as = EmailToVerify)]
pub(super) struct Address {
    #[schema(value_type = EmailAddressText)]
    address: String,
}

/// An address that waits for its code.
#[derive(Serialize, ToSchema)]
#[schema(as = AddedEmail)]
pub(super) struct Added {
    /// What to send along with the six digits from the mail.
    #[serde(rename = "verificationCodeID")]
    verification_code_id: Uuid,
    #[serde(rename = "emailID")]
    email_id: Uuid,
}

/// Add an address.
///
/// Mails a code to it, and tells the account's verified addresses. An address that waits already gets a new code. One that
/// belongs to somebody else is answered in the same way and never verifies; its owner gets a mail that says so.
#[utoipa::path(post, path = "/email", tag = "E-mails", operation_id = "addEmail", request_body = Address, security(("bearer" = [])),
    responses((status = 202, description = "The address, waiting for its code.", body = Added),
        (status = 403), (status = 409), (status = 429)))]
pub(super) async fn add(
    service: web::Data<Service>,
    Sender { client, language }: Sender,
    signed: Signed<LiveSession, Body<Address>>,
) -> ApiResult {
    let Body(body) = signed.input;
    let address = EmailAddress::parse(&body.address)?;
    let adding = service.auth.add_email(&signed.caller, &address, &client, &language);
    let AddedEmail { email_id, code_id } = service.pacer.pace(PacedRequest::Address, adding).await?;
    Ok(accepted(&Added { verification_code_id: code_id.uuid(), email_id: email_id.uuid() }))
}

/// A new code for an address.
#[derive(Serialize, ToSchema)]
#[schema(as = RenewedCode)]
pub(super) struct Renewed {
    /// What to send along with the six digits from the mail.
    #[serde(rename = "verificationCodeID")]
    verification_code_id: Uuid,
}

/// Ask for a new code for an address that is not verified yet.
#[utoipa::path(post, path = "/email/verification", tag = "E-mails", operation_id = "renewEmailCode",
    request_body = Address, security(("bearer" = [])),
    responses((status = 202, description = "A new code; the older one has ended.", body = Renewed),
        (status = 404), (status = 409), (status = 429)))]
pub(super) async fn renew(
    service: web::Data<Service>,
    Sender { client, language }: Sender,
    signed: Signed<LiveSession, Body<Address>>,
) -> ApiResult {
    let Body(body) = signed.input;
    let address = EmailAddress::parse(&body.address)?;
    let renewing = service.auth.renew_email_code(&signed.caller, &address, &client, &language);
    let code_id = service.pacer.pace(PacedRequest::Address, renewing).await?;
    Ok(accepted(&Renewed { verification_code_id: code_id.uuid() }))
}

/// Redeem the code for an address.
///
/// It can be used to sign in from here on. No bearer is needed; if one is sent, it must be the owner's.
#[utoipa::path(put, path = "/email/verification", tag = "E-mails", operation_id = "verifyEmail",
    request_body = Verification, security((), ("bearer" = [])),
    responses((status = 202, description = "The address is verified.", body = Acknowledged), (status = 401),
        (status = 429)))]
pub(super) async fn verify(
    service: web::Data<Service>,
    Sender { client, .. }: Sender,
    signed: Signed<Option<LiveSession>, Body<Verification>>,
) -> ApiResult {
    let Body(body) = signed.input;
    let id = body.verification_code_id.0.into();
    let redeeming = service.auth.redeem_email_code(signed.caller.as_ref(), id, &body.code, &client);
    service.pacer.pace(PacedRequest::Redemption, redeeming).await?;
    Ok(acknowledged())
}

/// The address to be preferred.
#[derive(Deserialize, ToSchema)]
#[schema(as = EmailToPrefer)]
pub(super) struct Preferred {
    #[serde(rename = "emailID")]
    #[schema(value_type = Uuid)]
    email_id: Id,
}

/// Prefer one of the caller's verified addresses.
///
/// Codes for key pairs and notices go to it from here on; the other verified addresses are told.
#[utoipa::path(put, path = "/email/preferred", tag = "E-mails", operation_id = "preferEmail",
    request_body = Preferred, security(("bearer" = [])),
    responses((status = 202, description = "The address is preferred.", body = Acknowledged),
        (status = 403), (status = 404), (status = 409)))]
pub(super) async fn prefer(
    service: web::Data<Service>,
    Sender { client, language }: Sender,
    signed: Signed<LiveSession, Body<Preferred>>,
) -> ApiResult {
    let Body(body) = signed.input;
    service.auth.prefer_email(&signed.caller, body.email_id.0.into(), &client, &language).await?;
    Ok(acknowledged())
}

/// One of the caller's addresses.
#[derive(Serialize, ToSchema)]
#[schema(as = Email)]
pub(super) struct Listed<'a> {
    #[serde(rename = "emailID")]
    email_id: Uuid,
    #[schema(example = "ada@example.org")]
    address: &'a str,
    #[schema(example = true)]
    preferred: bool,
    #[schema(example = true)]
    verified: bool,
}

impl<'a> From<&'a Email> for Listed<'a> {
    fn from(email: &'a Email) -> Self {
        Self {
            email_id: email.id.uuid(),
            address: email.address.as_str(),
            preferred: email.preferred,
            verified: email.verified,
        }
    }
}

/// The caller's addresses, oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Emails<'a> {
    emails: Vec<Listed<'a>>,
}

/// List the caller's addresses.
#[utoipa::path(get, path = "/emails", tag = "E-mails", operation_id = "listEmails", security(("bearer" = [])),
    responses((status = 200, description = "The addresses, oldest first.", body = Emails)))]
pub(super) async fn list(service: web::Data<Service>, signed: Signed<LiveSession>) -> ApiResult {
    let emails = service.auth.list_emails(&signed.caller).await?;
    Ok(HttpResponse::Ok().json(Emails { emails: emails.iter().map(Listed::from).collect() }))
}

/// Delete one of the caller's addresses.
///
/// Neither the preferred nor the last verified one can be deleted. The verified addresses are told, the deleted one too.
#[utoipa::path(delete, path = "/email/{id}", tag = "E-mails", operation_id = "deleteEmail",
    params(("id" = Uuid, Path, description = "The address's id.")), security(("bearer" = [])),
    responses((status = 202, description = "Deleted.", body = Acknowledged),
        (status = 403), (status = 404), (status = 409)))]
pub(super) async fn remove(
    service: web::Data<Service>,
    Sender { client, language }: Sender,
    signed: Signed<LiveSession, Id>,
) -> ApiResult {
    let Id(id) = signed.input;
    service.auth.remove_email(&signed.caller, id.into(), &client, &language).await?;
    Ok(acknowledged())
}
