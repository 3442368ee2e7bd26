use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use serde::de::DeserializeOwned;

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
