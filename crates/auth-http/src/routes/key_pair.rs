use actix_web::{HttpResponse, web};
use auth_domain::{CodeId, CreatedKeyPair, KeyLife, KeyName, KeyPair, KeyPairWish, LiveKeyPair, LiveSession, User};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{endpoint::Endpoint, session::Verification};
use crate::{
    answer::{Acknowledged, ApiResult, accepted, acknowledged},
    extract::{Body, CheckedKeyPair, Id, Sender, Signed, Whole},
    service::Service,
};

/// `GET /keypair` and what shares its path.
pub(super) fn check() -> Endpoint {
    Endpoint::at("/api/auth/v2/keypair").checking("keypair").get(show).post(create)
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::at("/keypair/verification").put(verify),
        Endpoint::at("/keypairs").get(list),
        Endpoint::at("/keypair/{id}").delete(delete),
    ]
}

/// Whose a key pair is and what it may do.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyPairCheck)]
#[serde(rename_all = "camelCase")]
pub(super) struct Check<'a> {
    #[schema(min_length = 32, max_length = 32, pattern = "^auk_[0-9A-Za-z]{28}$")]
    api_key: &'a str,
    #[serde(rename = "keyID")]
    key_id: Uuid,
    #[schema(example = "nightly backup")]
    key_name: &'a str,
    /// When the key pair ends, in Unix seconds.
    #[schema(example = 1_796_083_200)]
    expire_at: i64,
    /// Always true: a pair that is not verified is refused.
    #[schema(example = true)]
    verified: bool,
    #[serde(rename = "userID")]
    user_id: Uuid,
    #[schema(example = "Ada Lovelace")]
    user_name: &'a str,
    #[schema(example = "ada")]
    user_alias: &'a str,
    /// The owner's roles as they stand now, narrowed to the key's own.
    #[schema(example = json!(["user"]))]
    roles: Vec<String>,
    #[schema(example = json!(["public"]))]
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

/// Check a key pair.
///
/// Whose it is and what it may do. 401 means that the pair is not valid; 503 that nothing is known.
#[utoipa::path(get, path = "/keypair", tag = "Key pairs", operation_id = "checkKeyPair",
    security(("apiKey" = [], "apiSecret" = [])),
    responses((status = 200, description = "The key pair and its user.", body = Check)))]
pub(super) async fn show(CheckedKeyPair(checked): CheckedKeyPair) -> ApiResult {
    Ok(checked.answer())
}

/// A key pair as its owner wants it.
#[derive(Deserialize, ToSchema)]
#[schema(as = KeyPairWish)]
pub(super) struct Wish {
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$",
        example = "nightly backup"
    )]
    name: String,
    /// How long it lives.
    #[schema(value_type = i64, minimum = 1, maximum = 3650, example = 30)]
    days: Whole,
    /// The caller's roles that it carries; all of them, as they stand at each check, if absent.
    #[schema(example = json!(["user"]))]
    roles: Option<Vec<String>>,
}

/// A new key pair.
#[derive(Serialize, ToSchema)]
#[schema(as = NewKeyPair)]
#[serde(rename_all = "camelCase")]
pub(super) struct Created<'a> {
    #[schema(min_length = 32, max_length = 32, pattern = "^auk_[0-9A-Za-z]{28}$")]
    api_key: &'a str,
    /// The secret half, shown this once: 64 characters. Refused until the code, if there is one, is redeemed.
    #[schema(min_length = 64, max_length = 64, pattern = "^aus_[0-9A-Za-z]{60}$")]
    api_secret: &'a str,
    #[serde(rename = "keyID")]
    key_id: Uuid,
    #[schema(example = "nightly backup")]
    key_name: &'a str,
    /// When the key pair ends, in Unix seconds.
    #[schema(example = 1_796_083_200)]
    expire_at: i64,
    #[schema(example = false)]
    verified: bool,
    /// What to send along with the six digits from the mail; absent if an administrator made the pair, which works at once.
    #[serde(rename = "verificationCodeID", skip_serializing_if = "Option::is_none")]
    verification_code_id: Option<Uuid>,
}

impl<'a> From<&'a CreatedKeyPair> for Created<'a> {
    fn from(created: &'a CreatedKeyPair) -> Self {
        Self {
            api_key: created.api_key.as_str(),
            api_secret: created.api_secret.expose(),
            key_id: created.id.uuid(),
            key_name: created.name.as_str(),
            expire_at: created.expires_at.unix_seconds(),
            verified: created.code_id.is_none(),
            verification_code_id: created.code_id.map(CodeId::uuid),
        }
    }
}

/// Make a key pair.
///
/// Mails a code to the caller's preferred address; the pair is refused until that is redeemed, and disappears if it is
/// not redeemed in time.
#[utoipa::path(post, path = "/keypair", tag = "Key pairs", operation_id = "createKeyPair", request_body = Wish, security(("bearer" = [])),
    responses((status = 202, description = "The key pair, waiting for its code.", body = Created),
        (status = 403), (status = 409), (status = 429)))]
pub(super) async fn create(
    service: web::Data<Service>,
    Sender { client, language }: Sender,
    signed: Signed<LiveSession, Body<Wish>>,
) -> ApiResult {
    let Body(body) = signed.input;
    let wish =
        KeyPairWish { name: KeyName::parse(&body.name)?, life: KeyLife::of_days(body.days.0)?, roles: body.roles };
    let created = service.auth.create_key_pair(&signed.caller, wish, &client, &language).await?;
    Ok(accepted(&Created::from(&created)))
}

/// Redeem the code for one of the caller's key pairs.
#[utoipa::path(put, path = "/keypair/verification", tag = "Key pairs", operation_id = "verifyKeyPair",
    request_body = Verification, security(("bearer" = [])),
    responses((status = 202, description = "The key pair works.", body = Acknowledged)))]
pub(super) async fn verify(
    service: web::Data<Service>,
    Sender { client, .. }: Sender,
    signed: Signed<LiveSession, Body<Verification>>,
) -> ApiResult {
    let Body(body) = signed.input;
    let id = body.verification_code_id.0.into();
    service.auth.redeem_key_pair_code(&signed.caller, id, &body.code, &client).await?;
    Ok(acknowledged())
}

/// One of the caller's key pairs.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyPair)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed<'a> {
    #[schema(min_length = 32, max_length = 32, pattern = "^auk_[0-9A-Za-z]{28}$")]
    api_key: &'a str,
    #[serde(rename = "keyID")]
    key_id: Uuid,
    #[schema(example = "nightly backup")]
    key_name: &'a str,
    /// When the key pair ends, in Unix seconds.
    #[schema(example = 1_796_083_200)]
    expire_at: i64,
    #[schema(example = true)]
    verified: bool,
    /// What it may do now.
    #[schema(example = json!(["user"]))]
    roles: Vec<String>,
    /// When it was made, in Unix seconds.
    #[schema(example = 1_795_478_400)]
    created_at: i64,
    /// When it was last used, in Unix seconds; a few seconds late.
    #[schema(example = 1_795_478_460)]
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

/// The caller's key pairs, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyPairs<'a> {
    keys: Vec<Listed<'a>>,
}

/// List the caller's key pairs.
///
/// Those that are verified, and those that wait for their code.
#[utoipa::path(get, path = "/keypairs", tag = "Key pairs", operation_id = "listKeyPairs", security(("bearer" = [])),
    responses((status = 200, description = "The key pairs, newest first.", body = KeyPairs)))]
pub(super) async fn list(service: web::Data<Service>, signed: Signed<LiveSession>) -> ApiResult {
    let key_pairs = service.auth.list_key_pairs(&signed.caller).await?;
    let keys = key_pairs.iter().map(|key_pair| Listed::of(key_pair, &signed.caller.user)).collect();
    Ok(HttpResponse::Ok().json(KeyPairs { keys }))
}

/// Delete one of the caller's key pairs.
///
/// It stops working at once.
#[utoipa::path(delete, path = "/keypair/{id}", tag = "Key pairs", operation_id = "deleteKeyPair",
    params(("id" = Uuid, Path, description = "The key pair's id.")), security(("bearer" = [])),
    responses((status = 202, description = "Deleted.", body = Acknowledged), (status = 404)))]
pub(super) async fn delete(
    service: web::Data<Service>,
    Sender { client, .. }: Sender,
    signed: Signed<LiveSession, Id>,
) -> ApiResult {
    let Id(id) = signed.input;
    service.auth.delete_key_pair(&signed.caller, id.into(), &client).await?;
    Ok(acknowledged())
}
