use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header};
use auth_domain::LiveSession;

use super::{Extracting, service};
use crate::answer::ApiError;

/// A request that carries a valid bearer, and then an input of type `T`.
///
/// The input is not looked at before the bearer has been found valid, so a stranger learns nothing about it.
pub(crate) struct Signed<T = ()> {
    pub caller: LiveSession,
    pub input: T,
}

impl<T: FromRequest + 'static> FromRequest for Signed<T> {
    type Error = actix_web::Error;
    type Future = Extracting<Self, Self::Error>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let bearer = bearer(&request)?;
            let caller = service(&request)?.auth.check_session(bearer).await.map_err(ApiError::from)?;
            let input = T::from_request(&request, &mut payload).await.map_err(Into::into)?;
            Ok(Self { caller, input })
        })
    }
}

/// The bearer that a request presents (RFC 6750 §2.1), for an endpoint that takes no other credential.
fn bearer(request: &HttpRequest) -> Result<&str, ApiError> {
    let headers = request.headers();
    let presents_key_pair = headers.contains_key("api-key") || headers.contains_key("api-secret");
    let mut authorizations = headers.get_all(header::AUTHORIZATION);
    let (first, second) = (authorizations.next(), authorizations.next());
    match (first, second, presents_key_pair) {
        (Some(_), _, true) => Err(ApiError::bad_request("send either a bearer or a key pair, not both")),
        (None, _, true) => Err(ApiError::unauthorized("this endpoint takes a bearer, not a key pair")),
        (None, _, false) => Err(ApiError::unauthorized("a bearer is required")),
        (Some(_), Some(_), false) => Err(ApiError::unauthorized("more than one Authorization header")),
        (Some(value), None, false) => {
            value.to_str().ok().and_then(bearer_in).ok_or_else(|| ApiError::unauthorized("the credential is malformed"))
        }
    }
}

fn bearer_in(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
}

#[cfg(test)]
mod tests {
    use actix_web::{ResponseError, test::TestRequest};

    use super::*;

    fn presented(headers: &[(&'static str, &str)]) -> Result<String, u16> {
        let mut request = TestRequest::get();
        for header in headers {
            request = request.append_header(*header);
        }
        bearer(&request.to_http_request()).map(str::to_owned).map_err(|error| error.status_code().as_u16())
    }

    #[test]
    fn a_bearer_is_read_whatever_the_case_of_its_scheme() {
        for value in ["Bearer aub_x", "bearer aub_x", "BEARER   aub_x "] {
            assert_eq!(presented(&[("Authorization", value)]), Ok("aub_x".to_owned()));
        }
    }

    #[test]
    fn anything_else_is_no_credential_for_an_endpoint_that_takes_a_bearer() {
        for headers in [
            &[][..],
            &[("Authorization", "")],
            &[("Authorization", "aub_x")],
            &[("Authorization", "Basic YTpi")],
            &[("Authorization", "Bearer a"), ("Authorization", "Bearer b")],
            &[("api-key", "k"), ("api-secret", "s")],
            &[("Api-Key", "k")],
            &[("api-secret", "s")],
        ] {
            assert_eq!(presented(headers), Err(401), "{headers:?}");
        }
    }

    #[test]
    fn both_kinds_at_once_are_a_bad_request() {
        assert_eq!(presented(&[("Authorization", "Bearer a"), ("api-key", "k"), ("api-secret", "s")]), Err(400));
        assert_eq!(presented(&[("Authorization", "Bearer a"), ("api-secret", "s")]), Err(400));
    }
}
