use actix_web::{HttpResponse, web};
use auth_domain::{Alias, Caller, EmailAddress, FullName, SignUp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{endpoint::Endpoint, session::NewSession};
use crate::{
    answer::{ApiResult, accepted, acknowledged},
    extract::{Body, Id, Query, Registering, Sender, Signed},
    service::Service,
};

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(Endpoint::at("/user").post(register).delete(delete).into_resource())
        .service(Endpoint::at("/user/by-email").get(by_email).into_resource())
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
        email: EmailAddress::parse(&body.email)?,
        full_name: FullName::parse(&body.full_name)?,
        alias: Alias::parse(&body.alias)?,
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

#[derive(Deserialize)]
struct ByEmail {
    email: String,
}

async fn by_email(service: web::Data<Service>, signed: Signed<Caller, Query<ByEmail>>) -> ApiResult {
    #[derive(Serialize)]
    struct Found {
        #[serde(rename = "userID")]
        user_id: Uuid,
    }
    let Query(query) = signed.input;
    let email = EmailAddress::parse(&query.email)?;
    let user_id = service.auth.user_by_email(&signed.caller, &email).await?.uuid();
    Ok(HttpResponse::Ok().json(Found { user_id }))
}

async fn delete(service: web::Data<Service>, signed: Signed<Caller>) -> ApiResult {
    service.auth.delete_account(&signed.caller).await?;
    Ok(acknowledged())
}
