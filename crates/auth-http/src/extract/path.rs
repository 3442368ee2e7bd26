use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use auth_domain::{GroupName, RoleName};
use uuid::Uuid;

use crate::answer::ApiError;

/// The `{id}` of a path.
pub(crate) struct Id(pub Uuid);

impl FromRequest for Id {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().get("id").and_then(parse);
        ready(id.map(Self).ok_or_else(|| ApiError::bad_request("the id in the path is not a UUID")))
    }
}

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

/// A UUID in its canonical form; the other spellings that the parser knows are refused.
fn parse(text: &str) -> Option<Uuid> {
    if text.len() == uuid::fmt::Hyphenated::LENGTH { Uuid::try_parse(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_a_uuid() {
        let canonical = "0194f3a0-7d3b-7c00-8000-000000000001";
        assert_eq!(parse(canonical).unwrap().to_string(), canonical);
        assert!(parse(&canonical.to_uppercase()).is_some());
        for other in [
            "",
            "1",
            "0194f3a07d3b7c008000000000000001",
            "{0194f3a0-7d3b-7c00-8000-000000000001}",
            "urn:uuid:0194f3a0-7d3b-7c00-8000-000000000001",
            "0194f3a0-7d3b-7c00-8000-00000000000g",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
