use actix_web::{HttpResponse, web};
use auth_domain::{AddedEmail, Email, EmailAddress, LiveSession};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{endpoint::Endpoint, session::Verification};
use crate::{
    answer::{ApiResult, accepted, acknowledged},
    extract::{Body, Id, Sender, Signed},
    service::Service,
};

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(Endpoint::at("/email").post(add).into_resource())
        .service(Endpoint::at("/email/verification").post(renew).put(verify).into_resource())
        .service(Endpoint::at("/email/preferred").put(prefer).into_resource())
        .service(Endpoint::at("/emails").get(list).into_resource())
        .service(Endpoint::at("/email/{id}").delete(remove).into_resource());
}

#[derive(Deserialize)]
struct Address {
    address: String,
}

#[derive(Serialize)]
struct Added {
    #[serde(rename = "verificationCodeID")]
    verification_code_id: Uuid,
    #[serde(rename = "emailID")]
    email_id: Uuid,
}

async fn add(
    service: web::Data<Service>,
    Sender { client, language }: Sender,
    signed: Signed<LiveSession, Body<Address>>,
) -> ApiResult {
    let Body(body) = signed.input;
    let address = EmailAddress::parse(&body.address)?;
    let AddedEmail { email_id, code_id } = service.auth.add_email(&signed.caller, &address, &client, &language).await?;
    Ok(accepted(&Added { verification_code_id: code_id.uuid(), email_id: email_id.uuid() }))
}

#[derive(Serialize)]
struct Renewed {
    #[serde(rename = "verificationCodeID")]
    verification_code_id: Uuid,
}

async fn renew(
    service: web::Data<Service>,
    Sender { client, language }: Sender,
    signed: Signed<LiveSession, Body<Address>>,
) -> ApiResult {
    let Body(body) = signed.input;
    let address = EmailAddress::parse(&body.address)?;
    let code_id = service.auth.renew_email_code(&signed.caller, &address, &client, &language).await?;
    Ok(accepted(&Renewed { verification_code_id: code_id.uuid() }))
}

async fn verify(service: web::Data<Service>, signed: Signed<Option<LiveSession>, Body<Verification>>) -> ApiResult {
    let Body(body) = signed.input;
    let id = body.verification_code_id.into();
    service.auth.redeem_email_code(signed.caller.as_ref(), id, &body.code).await?;
    Ok(acknowledged())
}

#[derive(Deserialize)]
struct Preferred {
    #[serde(rename = "emailID")]
    email_id: Uuid,
}

async fn prefer(
    service: web::Data<Service>,
    Sender { language, .. }: Sender,
    signed: Signed<LiveSession, Body<Preferred>>,
) -> ApiResult {
    let Body(body) = signed.input;
    service.auth.prefer_email(&signed.caller, body.email_id.into(), &language).await?;
    Ok(acknowledged())
}

#[derive(Serialize)]
struct Listed<'a> {
    #[serde(rename = "emailID")]
    email_id: Uuid,
    address: &'a str,
    preferred: bool,
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

#[derive(Serialize)]
struct Emails<'a> {
    emails: Vec<Listed<'a>>,
}

async fn list(service: web::Data<Service>, signed: Signed<LiveSession>) -> ApiResult {
    let emails = service.auth.list_emails(&signed.caller).await?;
    Ok(HttpResponse::Ok().json(Emails { emails: emails.iter().map(Listed::from).collect() }))
}

async fn remove(
    service: web::Data<Service>,
    Sender { language, .. }: Sender,
    signed: Signed<LiveSession, Id>,
) -> ApiResult {
    let Id(id) = signed.input;
    service.auth.remove_email(&signed.caller, id.into(), &language).await?;
    Ok(acknowledged())
}
