use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use auth_domain::{Page, RoleName};
use serde::{Deserialize, de::DeserializeOwned};

use crate::answer::ApiError;

/// The parameters behind the `?`.
pub(crate) struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = web::Query::<T>::from_query(request.query_string());
        // Serde's own words may quote the request.
        let malformed = |_quoting| ApiError::bad_request("a query parameter is missing or malformed");
        ready(parsed.map(|query| Self(query.into_inner())).map_err(malformed))
    }
}

/// Which page of a list is wanted.
#[derive(Debug, Deserialize)]
pub(crate) struct Paging {
    page: Option<i64>,
    limit: Option<i64>,
}

impl Paging {
    /// The page; the first, of twenty, if nothing is said.
    pub(crate) fn page(&self) -> Result<Page, ApiError> {
        Ok(Page::new(self.page.unwrap_or(1), self.limit.unwrap_or(i64::from(Page::DEFAULT_SIZE)))?)
    }
}

/// The roles behind the `?` of which the caller must hold one: `role=a&role=b`, and nothing else.
pub(super) fn roles_asked(query: &str) -> Result<Vec<RoleName>, ApiError> {
    // Gateways ask on every request, mostly for nothing.
    if query.is_empty() {
        return Ok(Vec::new());
    }
    let pairs = form_urlencoded::parse(query.as_bytes());
    let roles: Vec<_> = pairs.map(|(name, value)| role_asked(&name, &value)).collect::<Result<_, _>>()?;
    if roles.is_empty() { Err(not_a_role()) } else { Ok(roles) }
}

/// A misspelt parameter must not be ignored: the rule that asks for a role would let everybody pass.
fn role_asked(name: &str, value: &str) -> Result<RoleName, ApiError> {
    if name == "role" { Ok(RoleName::parse(value)?) } else { Err(not_a_role()) }
}

fn not_a_role() -> ApiError {
    ApiError::bad_request("the only query parameter is role")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_asked_for_one_by_one_and_whatever_else_is_there_is_refused() {
        for (query, expected) in [
            ("", Some("")),
            ("role=a", Some("a")),
            ("role=a&role=b.c", Some("a b.c")),
            ("&role=a&", Some("a")),
            ("r%6fle=a", Some("a")),
            ("role=a&x=y&role=b.c", None),
            ("x=y", None),
            ("x", None),
            ("=", None),
            ("&", None),
            ("roles=a", None),
            ("Role=a", None),
            ("role[]=a", None),
            ("role%3Da", None),
            ("role=a%26role=b", None),
            ("role=%ff", None),
            ("role", None),
            ("role=", None),
            ("role=A", None),
            ("role=a,b", None),
            ("role=a%0d%0a", None),
        ] {
            let asked =
                roles_asked(query).ok().map(|roles| roles.iter().map(RoleName::as_str).collect::<Vec<_>>().join(" "));
            assert_eq!(asked.as_deref(), expected, "{query}");
        }
    }
}
