use actix_web::{HttpResponse, web};
use auth_domain::{GroupName, Membership, RoleName, UserChange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    answer::{Acknowledged, ApiResult, accepted, acknowledged},
    extract::{Administering, Body, Id, NamedGroup, NamedRole},
    service::Service,
};

/// The roles of a user.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminUserRoles)]
pub(crate) struct Roles {
    #[serde(rename = "userID")]
    user_id: Uuid,
    #[schema(example = json!(["user"]))]
    roles: Vec<String>,
}

/// List the roles of a user.
#[utoipa::path(get, path = "/admin/user/{id}/roles", tag = "Administration", operation_id = "adminListRoles",
    params(("id" = Uuid, Path, description = "The user's id.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 200, description = "The roles.", body = Roles), (status = 403), (status = 404)))]
pub(crate) async fn roles(service: web::Data<Service>, request: Administering<Id>) -> ApiResult {
    let Id(id) = request.input;
    let roles = service.auth.find_account(&request.administrator, id.into()).await?.user.roles;
    Ok(HttpResponse::Ok().json(Roles { user_id: id, roles }))
}

/// A role to be given.
#[derive(Deserialize, ToSchema)]
#[schema(as = AdminRole)]
pub(crate) struct Role {
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9_.-]+$", example = "auditor")]
    role: String,
}

/// A role that was given.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminGrantedRole)]
pub(crate) struct GrantedRole<'a> {
    #[serde(rename = "userID")]
    user_id: Uuid,
    #[schema(example = "auditor")]
    role: &'a str,
}

/// Give a role to a user, who may have it already.
#[utoipa::path(post, path = "/admin/user/{id}/roles", tag = "Administration", operation_id = "adminGrantRole",
    params(("id" = Uuid, Path, description = "The user's id.")),
    request_body = Role,
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "Given.", body = GrantedRole), (status = 403), (status = 404)))]
pub(crate) async fn grant_role(service: web::Data<Service>, request: Administering<(Id, Body<Role>)>) -> ApiResult {
    let (Id(id), Body(body)) = &request.input;
    let change = UserChange::Grant(Membership::Role(RoleName::parse(&body.role)?));
    service.auth.change_user(&request.administrator, (*id).into(), &change).await?;
    Ok(accepted(&GrantedRole { user_id: *id, role: &body.role }))
}

/// Take a role from a user.
#[utoipa::path(delete, path = "/admin/user/{id}/roles/{role}", tag = "Administration", operation_id = "adminRevokeRole",
    params(("id" = Uuid, Path, description = "The user's id."),
        ("role" = String, Path, pattern = "^[a-z0-9_.-]{1,64}$", description = "The role.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "Taken.", body = Acknowledged), (status = 403), (status = 404), (status = 409)))]
pub(crate) async fn revoke_role(service: web::Data<Service>, request: Administering<(Id, NamedRole)>) -> ApiResult {
    let (Id(id), NamedRole(role)) = request.input;
    let change = UserChange::Revoke(Membership::Role(role));
    service.auth.change_user(&request.administrator, id.into(), &change).await?;
    Ok(acknowledged())
}

/// The groups of a user.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminUserGroups)]
pub(crate) struct Groups {
    #[serde(rename = "userID")]
    user_id: Uuid,
    #[schema(example = json!(["public"]))]
    groups: Vec<String>,
}

/// List the groups of a user.
#[utoipa::path(get, path = "/admin/user/{id}/groups", tag = "Administration", operation_id = "adminListGroups",
    params(("id" = Uuid, Path, description = "The user's id.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 200, description = "The groups.", body = Groups), (status = 403), (status = 404)))]
pub(crate) async fn groups(service: web::Data<Service>, request: Administering<Id>) -> ApiResult {
    let Id(id) = request.input;
    let groups = service.auth.find_account(&request.administrator, id.into()).await?.user.groups;
    Ok(HttpResponse::Ok().json(Groups { user_id: id, groups }))
}

/// A group to be given.
#[derive(Deserialize, ToSchema)]
#[schema(as = AdminGroup)]
pub(crate) struct Group {
    #[schema(min_length = 1, max_length = 64, pattern = "^[a-z0-9_.-]+$", example = "staff")]
    group: String,
}

/// A group that was given.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminGrantedGroup)]
pub(crate) struct GrantedGroup<'a> {
    #[serde(rename = "userID")]
    user_id: Uuid,
    #[schema(example = "staff")]
    group: &'a str,
}

/// Give a group to a user, who may have it already.
#[utoipa::path(post, path = "/admin/user/{id}/groups", tag = "Administration", operation_id = "adminGrantGroup",
    params(("id" = Uuid, Path, description = "The user's id.")),
    request_body = Group,
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "Given.", body = GrantedGroup), (status = 403), (status = 404)))]
pub(crate) async fn grant_group(service: web::Data<Service>, request: Administering<(Id, Body<Group>)>) -> ApiResult {
    let (Id(id), Body(body)) = &request.input;
    let change = UserChange::Grant(Membership::Group(GroupName::parse(&body.group)?));
    service.auth.change_user(&request.administrator, (*id).into(), &change).await?;
    Ok(accepted(&GrantedGroup { user_id: *id, group: &body.group }))
}

/// Take a group from a user.
#[utoipa::path(delete, path = "/admin/user/{id}/groups/{group}", tag = "Administration", operation_id = "adminRevokeGroup",
    params(("id" = Uuid, Path, description = "The user's id."),
        ("group" = String, Path, pattern = "^[a-z0-9_.-]{1,64}$", description = "The group.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 202, description = "Taken.", body = Acknowledged), (status = 403), (status = 404)))]
pub(crate) async fn revoke_group(service: web::Data<Service>, request: Administering<(Id, NamedGroup)>) -> ApiResult {
    let (Id(id), NamedGroup(group)) = request.input;
    let change = UserChange::Revoke(Membership::Group(group));
    service.auth.change_user(&request.administrator, id.into(), &change).await?;
    Ok(acknowledged())
}
