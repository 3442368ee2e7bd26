use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{self, HeaderName, HeaderValue},
};
use auth_domain::{Auth, Caller, LiveSession};

use super::{Extracting, service};
use crate::answer::ApiError;

const API_KEY: HeaderName = HeaderName::from_static("api-key");
const API_SECRET: HeaderName = HeaderName::from_static("api-secret");

/// A request signed with a valid credential of kind `C`, and then an input of type `T`.
///
/// The input is not looked at before the credential has been found valid, so a stranger learns nothing about it.
pub(crate) struct Signed<C, T = ()> {
    pub caller: C,
    pub input: T,
}

impl<C: Credential + 'static, T: FromRequest + 'static> FromRequest for Signed<C, T> {
    type Error = actix_web::Error;
    type Future = Extracting<Self, Self::Error>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let caller = C::check(presented(&request)?, &service(&request)?.auth).await?;
            let input = T::from_request(&request, &mut payload).await.map_err(Into::into)?;
            Ok(Self { caller, input })
        })
    }
}

/// What an endpoint takes as proof of who is calling. A kind that it does not take is as good as none.
pub(crate) trait Credential: Sized {
    /// Who presented this, if it is valid.
    async fn check(presented: Presented<'_>, auth: &Auth) -> Result<Self, ApiError>;
}

/// For endpoints that take a bearer.
impl Credential for LiveSession {
    async fn check(presented: Presented<'_>, auth: &Auth) -> Result<Self, ApiError> {
        match presented {
            Presented::Bearer(bearer) => Ok(auth.check_session(bearer).await?),
            other => Err(takes::a_bearer(&other)),
        }
    }
}

/// For endpoints that anybody may call, but nobody with a bearer that is not valid.
impl Credential for Option<LiveSession> {
    async fn check(presented: Presented<'_>, auth: &Auth) -> Result<Self, ApiError> {
        match presented {
            Presented::Nothing => Ok(None),
            presented => LiveSession::check(presented, auth).await.map(Some),
        }
    }
}

/// For endpoints that take either.
impl Credential for Caller {
    async fn check(presented: Presented<'_>, auth: &Auth) -> Result<Self, ApiError> {
        match presented {
            Presented::Bearer(bearer) => Ok(Self::Session(auth.check_session(bearer).await?)),
            Presented::KeyPair { key, secret } => Ok(Self::KeyPair(auth.check_key_pair(key, secret).await?)),
            Presented::Nothing => Err(takes::either()),
        }
    }
}

/// The refusals of what an endpoint does not take.
pub(super) mod takes {
    use super::Presented;
    use crate::answer::ApiError;

    pub(in crate::extract) fn a_bearer(instead: &Presented<'_>) -> ApiError {
        ApiError::unauthorized(match instead {
            Presented::KeyPair { .. } => "this endpoint takes a bearer, not a key pair",
            Presented::Bearer(_) | Presented::Nothing => "a bearer is required",
        })
    }

    pub(in crate::extract) fn a_key_pair(instead: &Presented<'_>) -> ApiError {
        ApiError::unauthorized(match instead {
            Presented::Bearer(_) => "this endpoint takes a key pair, not a bearer",
            Presented::KeyPair { .. } | Presented::Nothing => "a key pair is required",
        })
    }

    pub(in crate::extract) fn either() -> ApiError {
        ApiError::unauthorized("a bearer or a key pair is required")
    }
}

/// The credential that a request carries, not checked yet.
pub(crate) enum Presented<'a> {
    Nothing,
    /// As in RFC 6750 §2.1.
    Bearer(&'a str),
    KeyPair {
        key: &'a str,
        secret: &'a str,
    },
}

pub(super) fn presented(request: &HttpRequest) -> Result<Presented<'_>, ApiError> {
    let (mut authorization, mut key, mut secret) = (Sent::Never, Sent::Never, Sent::Never);
    // Going through the few that there are costs less than looking for each.
    for (name, value) in request.headers() {
        if *name == header::AUTHORIZATION {
            authorization.and(value);
        } else if *name == API_KEY {
            key.and(value);
        } else if *name == API_SECRET {
            secret.and(value);
        }
    }
    match (authorization, key, secret) {
        (Sent::Never, Sent::Never, Sent::Never) => Ok(Presented::Nothing),
        (authorization, Sent::Never, Sent::Never) => {
            bearer_in(authorization.text()?).map(Presented::Bearer).ok_or_else(malformed)
        }
        (Sent::Never, Sent::Never, _) | (Sent::Never, _, Sent::Never) => {
            Err(ApiError::unauthorized("a key pair takes both api-key and api-secret"))
        }
        (Sent::Never, key, secret) => Ok(Presented::KeyPair { key: key.text()?, secret: secret.text()? }),
        _ => Err(ApiError::bad_request("send either a bearer or a key pair, not both")),
    }
}

/// A header that holds a credential or a half of one.
enum Sent<'a> {
    Never,
    Once(&'a HeaderValue),
    /// Which of them counts would be a matter of taste, and gateways have another than we.
    Again,
}

impl<'a> Sent<'a> {
    fn and(&mut self, value: &'a HeaderValue) {
        *self = if matches!(self, Self::Never) { Self::Once(value) } else { Self::Again };
    }

    /// What was sent. Several, or one that is no text, are no credential.
    fn text(self) -> Result<&'a str, ApiError> {
        match self {
            // Not `to_str`, which looks at each octet by itself.
            Self::Once(value) => str::from_utf8(value.as_bytes()).map_err(|_not_text| malformed()),
            Self::Never | Self::Again => Err(malformed()),
        }
    }
}

fn malformed() -> ApiError {
    ApiError::unauthorized("the credential is malformed")
}

fn bearer_in(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
}

#[cfg(test)]
mod tests {
    use actix_web::{ResponseError, test::TestRequest};

    use super::*;

    fn read(headers: &[(&'static str, &str)]) -> Result<String, u16> {
        let mut request = TestRequest::get();
        for header in headers {
            request = request.append_header(*header);
        }
        match presented(&request.to_http_request()) {
            Ok(Presented::Nothing) => Ok("nothing".to_owned()),
            Ok(Presented::Bearer(bearer)) => Ok(format!("bearer {bearer}")),
            Ok(Presented::KeyPair { key, secret }) => Ok(format!("key pair {key} {secret}")),
            Err(error) => Err(error.status_code().as_u16()),
        }
    }

    #[test]
    fn a_bearer_is_read_whatever_the_case_of_its_scheme() {
        for value in ["Bearer aub_x", "bearer aub_x", "BEARER   aub_x "] {
            assert_eq!(read(&[("Authorization", value)]), Ok("bearer aub_x".to_owned()));
        }
    }

    #[test]
    fn a_key_pair_is_read_whatever_the_case_of_its_headers() {
        assert_eq!(read(&[("api-key", "k"), ("api-secret", "s")]), Ok("key pair k s".to_owned()));
        assert_eq!(read(&[("Api-Key", "k"), ("Api-Secret", "s")]), Ok("key pair k s".to_owned()));
        assert_eq!(read(&[]), Ok("nothing".to_owned()));
    }

    #[test]
    fn half_a_credential_or_one_too_many_is_none() {
        for headers in [
            &[("Authorization", "")][..],
            &[("Authorization", "aub_x")],
            &[("Authorization", "Basic YTpi")],
            &[("Authorization", "Bearer a"), ("Authorization", "Bearer b")],
            &[("api-key", "k")],
            &[("api-secret", "s")],
            &[("api-key", "k"), ("api-key", "k"), ("api-secret", "s")],
        ] {
            assert_eq!(read(headers), Err(401), "{headers:?}");
        }
    }

    #[test]
    fn both_kinds_at_once_are_a_bad_request() {
        assert_eq!(read(&[("Authorization", "Bearer a"), ("api-key", "k"), ("api-secret", "s")]), Err(400));
        assert_eq!(read(&[("Authorization", "Bearer a"), ("api-secret", "s")]), Err(400));
    }
}
