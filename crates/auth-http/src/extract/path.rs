use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use auth_domain::{GroupName, RoleName};

use crate::answer::ApiError;

/// The `{role}` of a path.
pub(crate) struct NamedRole(pub RoleName);

/// The `{group}` of a path.
pub(crate) struct NamedGroup(pub GroupName);

impl FromRequest for NamedRole {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let name = request.match_info().get("role").unwrap_or_default();
        ready(RoleName::parse(name).map(Self).map_err(ApiError::from))
    }
}

impl FromRequest for NamedGroup {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let name = request.match_info().get("group").unwrap_or_default();
        ready(GroupName::parse(name).map(Self).map_err(ApiError::from))
    }
}
