use actix_web::{HttpResponse, web};
use auth_domain::{Alias, EmailAddress, FullName, SignUp};
use serde::{Deserialize, Serialize};

use super::{endpoint::Endpoint, session::NewSession};
use crate::{
    answer::{ApiError, ApiResult, accepted, acknowledged},
    extract::{Body, Id, Registering, Sender, Signed},
    service::Service,
};

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(Endpoint::at("/user").post(register).delete(delete).into_resource())
        .service(Endpoint::at("/user/id/{id}").get(alias).into_resource())
        .service(Endpoint::at("/user/{id}").get(alias).into_resource());
}

#[derive(Deserialize)]
struct Registration {
    email: String,
    #[serde(rename = "fullName")]
    full_name: String,
    alias: String,
}

async fn register(
    service: web::Data<Service>,
    Sender { client, language }: Sender,
    Registering(Body(body)): Registering<Body<Registration>>,
) -> ApiResult {
    let sign_up = SignUp {
        email: EmailAddress::parse(&body.email).map_err(invalid)?,
        full_name: FullName::parse(&body.full_name).map_err(invalid)?,
        alias: Alias::parse(&body.alias).map_err(invalid)?,
    };
    let opened = service.auth.sign_up(sign_up, &client, &language).await?;
    Ok(accepted(&NewSession::from(&opened)))
}

async fn alias(service: web::Data<Service>, Id(id): Id) -> ApiResult {
    #[derive(Serialize)]
    struct Public<'a> {
        alias: &'a str,
    }
    let alias = service.auth.public_alias(id.into()).await?;
    Ok(HttpResponse::Ok().json(Public { alias: alias.as_str() }))
}

async fn delete(service: web::Data<Service>, signed: Signed) -> ApiResult {
    service.auth.delete_account(&signed.caller).await?;
    Ok(acknowledged())
}

/// What does not parse is a bad request.
pub(super) fn invalid(input: auth_domain::InvalidInput) -> ApiError {
    auth_domain::AuthError::from(input).into()
}
