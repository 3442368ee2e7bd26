use actix_web::{HttpResponse, Resource, web};
use auth_domain::{CreatedKeyPair, KeyLife, KeyName, KeyPair, KeyPairWish, LiveKeyPair, LiveSession, User};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{BASE, endpoint::Endpoint, session::Verification};
use crate::{
    answer::{ApiResult, accepted, acknowledged},
    extract::{Body, Id, Sender, Signed},
    service::Service,
};

/// `GET /keypair`, and what shares its path: one of those that are registered first.
pub(super) fn check() -> Resource {
    Endpoint::at(&format!("{BASE}/keypair")).get(show).post(create).into_resource()
}

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(Endpoint::at("/keypair/verification").put(verify).into_resource())
        .service(Endpoint::at("/keypairs").get(list).into_resource())
        .service(Endpoint::at("/keypair/{id}").delete(delete).into_resource());
}

/// Who the caller is and what they may do.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Check<'a> {
    api_key: &'a str,
    #[serde(rename = "keyID")]
    key_id: Uuid,
    key_name: &'a str,
    expire_at: i64,
    verified: bool,
    #[serde(rename = "userID")]
    user_id: Uuid,
    user_name: &'a str,
    user_alias: &'a str,
    roles: Vec<String>,
    groups: &'a [String],
}

impl<'a> From<&'a LiveKeyPair> for Check<'a> {
    fn from(live: &'a LiveKeyPair) -> Self {
        let LiveKeyPair { key_pair, user } = live;
        Self {
            api_key: key_pair.api_key.as_str(),
            key_id: key_pair.id.uuid(),
            key_name: key_pair.name.as_str(),
            expire_at: key_pair.expires_at.unix_seconds(),
            verified: key_pair.verified,
            user_id: user.id.uuid(),
            user_name: user.full_name.as_str(),
            user_alias: user.alias.as_str(),
            roles: live.roles(),
            groups: &user.groups,
        }
    }
}

async fn show(signed: Signed<LiveKeyPair>) -> ApiResult {
    Ok(HttpResponse::Ok().json(Check::from(&signed.caller)))
}

#[derive(Deserialize)]
struct Wish {
    name: String,
    days: i64,
    roles: Option<Vec<String>>,
}

/// A key pair that waits for its code.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Created<'a> {
    api_key: &'a str,
    api_secret: &'a str,
    #[serde(rename = "keyID")]
    key_id: Uuid,
    key_name: &'a str,
    expire_at: i64,
    verified: bool,
    #[serde(rename = "verificationCodeID")]
    verification_code_id: Uuid,
}

impl<'a> From<&'a CreatedKeyPair> for Created<'a> {
    fn from(created: &'a CreatedKeyPair) -> Self {
        Self {
            api_key: created.api_key.as_str(),
            api_secret: created.api_secret.expose(),
            key_id: created.id.uuid(),
            key_name: created.name.as_str(),
            expire_at: created.expires_at.unix_seconds(),
            verified: false,
            verification_code_id: created.code_id.uuid(),
        }
    }
}

async fn create(
    service: web::Data<Service>,
    Sender { client, language }: Sender,
    signed: Signed<LiveSession, Body<Wish>>,
) -> ApiResult {
    let Body(body) = signed.input;
    let wish = KeyPairWish { name: KeyName::parse(&body.name)?, life: KeyLife::of_days(body.days)?, roles: body.roles };
    let created = service.auth.create_key_pair(&signed.caller, wish, &client, &language).await?;
    Ok(accepted(&Created::from(&created)))
}

async fn verify(service: web::Data<Service>, signed: Signed<LiveSession, Body<Verification>>) -> ApiResult {
    let Body(body) = signed.input;
    service.auth.redeem_key_pair_code(&signed.caller, body.verification_code_id.into(), &body.code).await?;
    Ok(acknowledged())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    api_key: &'a str,
    #[serde(rename = "keyID")]
    key_id: Uuid,
    key_name: &'a str,
    expire_at: i64,
    verified: bool,
    roles: Vec<String>,
    created_at: i64,
    last_used_at: Option<i64>,
}

impl<'a> Listed<'a> {
    fn of(key_pair: &'a KeyPair, owner: &User) -> Self {
        Self {
            api_key: key_pair.api_key.as_str(),
            key_id: key_pair.id.uuid(),
            key_name: key_pair.name.as_str(),
            expire_at: key_pair.expires_at.unix_seconds(),
            verified: key_pair.verified,
            roles: key_pair.narrow(&owner.roles),
            created_at: key_pair.created_at.unix_seconds(),
            last_used_at: key_pair.last_used_at.map(auth_domain::Timestamp::unix_seconds),
        }
    }
}

#[derive(Serialize)]
struct KeyPairs<'a> {
    keys: Vec<Listed<'a>>,
}

async fn list(service: web::Data<Service>, signed: Signed<LiveSession>) -> ApiResult {
    let key_pairs = service.auth.list_key_pairs(&signed.caller).await?;
    let keys = key_pairs.iter().map(|key_pair| Listed::of(key_pair, &signed.caller.user)).collect();
    Ok(HttpResponse::Ok().json(KeyPairs { keys }))
}

async fn delete(service: web::Data<Service>, signed: Signed<LiveSession, Id>) -> ApiResult {
    let Id(id) = signed.input;
    service.auth.delete_key_pair(&signed.caller, id.into()).await?;
    Ok(acknowledged())
}
