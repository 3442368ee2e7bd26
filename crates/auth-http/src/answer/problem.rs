use std::{borrow::Cow, fmt, time::Duration};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    web::Bytes,
};
use auth_domain::{AuthError, InvalidInput, Limit, StoreError};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error_chain::chain;

/// What a handler returns.
pub(crate) type ApiResult = Result<HttpResponse, ApiError>;

/// The type of a problem of which its status says all there is to say (RFC 9457 §4.2.1).
pub(super) const NOTHING_BEYOND_THE_STATUS: &str = "about:blank";
/// The type of the problem whose remedy is a new sign-in.
const STEP_UP_REQUIRED: &str = "urn:auth:problem:step-up-required";

/// How long a problem is in octets, most of them a little less.
const PROBLEM_IS_ABOUT: usize = 256;

/// The scheme of credentials (RFC 6750 §3).
const BEARER: HeaderValue = HeaderValue::from_static("Bearer");

/// Seconds after which a client may try again when the store was out of reach.
const RETRY_AFTER: u64 = 1;

/// An answer other than success: a status, one line for the client, and the cause for the log.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    /// What kind of problem it is, for programs that have a remedy for one kind.
    kind: &'static str,
    /// One line of printable ASCII that holds nothing of the request and nothing of our insides.
    detail: Cow<'static, str>,
    way_on: WayOn,
    cause: Option<Box<AuthError>>,
}

/// What a header tells a refused client of how to do better.
#[derive(Debug)]
enum WayOn {
    Nothing,
    /// `WWW-Authenticate`: with a credential (RFC 9110 §11.6.1).
    Credential,
    /// `Retry-After`: later, after so many seconds (RFC 9110 §10.2.3).
    Later(u64),
    /// `Allow`: with one of these methods (RFC 9110 §10.2.1).
    Methods(HeaderValue),
}

impl ApiError {
    /// This status, explained by this line: printable ASCII, nothing of the request in it.
    pub(crate) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, kind: NOTHING_BEYOND_THE_STATUS, detail: detail.into(), way_on: WayOn::Nothing, cause: None }
    }

    /// 400: what was sent cannot be used.
    pub(crate) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 401: no valid credential of a kind that the endpoint takes.
    pub(crate) fn unauthorized(detail: &'static str) -> Self {
        Self { way_on: WayOn::Credential, ..Self::new(StatusCode::UNAUTHORIZED, detail) }
    }

    /// 405: the endpoint takes only these methods.
    pub(crate) fn method_not_allowed(allowed: HeaderValue) -> Self {
        let refused = Self::new(StatusCode::METHOD_NOT_ALLOWED, "the endpoint does not take this method");
        Self { way_on: WayOn::Methods(allowed), ..refused }
    }

    /// 503: nothing is known; the client may try again.
    pub(crate) fn unavailable(detail: &'static str) -> Self {
        Self { way_on: WayOn::Later(RETRY_AFTER), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// 429: too much was asked for; after this span it may be asked again.
    fn throttled(retry_after: Duration) -> Self {
        let refused = Self::new(StatusCode::TOO_MANY_REQUESTS, "too many requests: try again later");
        Self { way_on: WayOn::Later(whole_seconds(retry_after)), ..refused }
    }

    /// What kind of problem it is (RFC 9457 §3.1.1).
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// The line for the client.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// The same as a header, without copying what is known when the program is built.
    pub(super) fn detail_value(&self) -> HeaderValue {
        let value = match &self.detail {
            Cow::Borrowed(detail) => HeaderValue::from_maybe_shared(Bytes::from_static(detail.as_bytes())),
            Cow::Owned(detail) => HeaderValue::from_str(detail),
        };
        value.unwrap_or(HeaderValue::from_static("error"))
    }

    /// The limit that refused, if one did.
    pub(super) fn limit(&self) -> Option<Limit> {
        let AuthError::Throttled { limit, .. } = self.cause.as_deref()? else { return None };
        Some(*limit)
    }

    /// The whole chain of causes, for the log.
    pub(crate) fn chain(&self) -> String {
        match &self.cause {
            Some(cause) => format!("{}: {}", self.detail, chain(cause.as_ref())),
            None => self.detail.to_string(),
        }
    }

    /// The status table: every outcome of a use case, and what it is on the wire.
    fn of(error: &AuthError) -> Self {
        match error {
            AuthError::InvalidInput(invalid) => Self::bad_request(invalid.to_string()),
            AuthError::InvalidCredential => Self::unauthorized("the credential is not valid"),
            AuthError::CodeRefused => Self::unauthorized("the verification code is not valid"),
            AuthError::RegistrationClosed => Self::new(StatusCode::FORBIDDEN, "registration is closed"),
            AuthError::SessionAtMaximumAge => {
                Self::new(StatusCode::FORBIDDEN, "the session is at its maximum age: sign in again")
            }
            AuthError::AccountDisabled => Self::new(StatusCode::FORBIDDEN, "the account is disabled"),
            AuthError::NotFound => Self::new(StatusCode::NOT_FOUND, "no such resource"),
            AuthError::RoleLacking => Self::new(StatusCode::FORBIDDEN, "you lack a role that this takes"),
            AuthError::KeyPairNarrowed => {
                Self::new(StatusCode::FORBIDDEN, "a key pair whose roles were narrowed cannot change its owner")
            }
            AuthError::StepUpRequired => {
                let refused = Self::new(StatusCode::FORBIDDEN, "this takes a recent sign-in: sign in again");
                Self { kind: STEP_UP_REQUIRED, ..refused }
            }
            AuthError::AliasTaken => Self::new(StatusCode::CONFLICT, "the alias is taken"),
            AuthError::AddressTaken => Self::new(StatusCode::CONFLICT, "the address belongs to another account"),
            AuthError::UserNotActive => Self::new(StatusCode::CONFLICT, "the user is not verified, or disabled"),
            AuthError::LastAdministrator => Self::new(StatusCode::CONFLICT, "the last administrator cannot be removed"),
            AuthError::AddressVerified => {
                Self::new(StatusCode::CONFLICT, "the account has verified the address already")
            }
            AuthError::AddressUnverified => Self::new(StatusCode::CONFLICT, "the address is not verified yet"),
            AuthError::AddressNeeded => {
                Self::new(StatusCode::CONFLICT, "the preferred and the last verified address cannot be deleted")
            }
            AuthError::TooManyAddresses => {
                Self::new(StatusCode::CONFLICT, "ten addresses wait for their verification: verify or delete one first")
            }
            AuthError::Throttled { retry_after, limit: _ } => Self::throttled(*retry_after),
            AuthError::Store(StoreError::Unavailable(_)) => Self::unavailable("temporarily unavailable: try again"),
            AuthError::Store(StoreError::Duplicate(_) | StoreError::Corrupt { .. }) | AuthError::Entropy(_) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
            }
        }
    }
}

/// A span as `Retry-After` tells it: whoever waits for so long does not come too early, and nobody is told not to wait at all.
fn whole_seconds(span: Duration) -> u64 {
    let begun = u64::from(span.subsec_nanos() > 0);
    span.as_secs().saturating_add(begun).max(1)
}

/// What went wrong (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDetails<'a> {
    /// `about:blank` when the status says it all; `urn:auth:problem:step-up-required` when a new sign-in would help.
    #[schema(example = "about:blank")]
    r#type: &'static str,
    /// The status in words.
    #[schema(example = "Not Found")]
    title: &'a str,
    #[schema(example = 404)]
    status: u16,
    /// One line; the same as the header `x-error`.
    #[schema(example = "no such resource")]
    detail: &'a str,
    /// Names this answer: the server's log line has the same id, and so has the header `x-error-id`.
    #[schema(format = "uri", example = "urn:uuid:01a20ada-2c00-7a6f-bd12-86b4d0afeb01")]
    instance: &'a str,
}

/// The body of every answer but success.
pub(super) fn problem_body(status: StatusCode, kind: &'static str, detail: &str, id: Uuid) -> Vec<u8> {
    let title = status.canonical_reason().unwrap_or("Error");
    let mut instance = Uuid::encode_buffer();
    let instance = id.urn().encode_lower(&mut instance);
    let problem = ProblemDetails { r#type: kind, title, status: status.as_u16(), detail, instance };
    let mut body = Vec::with_capacity(PROBLEM_IS_ABOUT);
    // Five fields of text and numbers always serialise.
    match serde_json::to_writer(&mut body, &problem) {
        Ok(()) => body,
        Err(_never) => Vec::new(),
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        let answer = Self::of(&error);
        Self { cause: Some(Box::new(error)), ..answer }
    }
}

/// What does not parse is a bad request.
impl From<InvalidInput> for ApiError {
    fn from(input: InvalidInput) -> Self {
        AuthError::from(input).into()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        AuthError::from(error).into()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    /// Status and way on; the rest is the middleware's, which finds the error with the response.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status);
        let header = match &self.way_on {
            WayOn::Nothing => None,
            WayOn::Credential => Some((header::WWW_AUTHENTICATE, BEARER)),
            WayOn::Later(seconds) => Some((header::RETRY_AFTER, HeaderValue::from(*seconds))),
            WayOn::Methods(allowed) => Some((header::ALLOW, allowed.clone())),
        };
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use auth_domain::{Duplicate, EntropyError};

    use super::*;

    #[test]
    fn every_outcome_has_the_status_of_the_contract() {
        let unavailable = StoreError::unavailable("disk on fire");
        let corrupt = StoreError::Corrupt { table: "users", id: "7".to_owned(), reason: "no alias".to_owned() };
        for (error, status) in [
            (AuthError::InvalidInput(InvalidInput::Alias), 400),
            (AuthError::InvalidCredential, 401),
            (AuthError::CodeRefused, 401),
            (AuthError::RegistrationClosed, 403),
            (AuthError::SessionAtMaximumAge, 403),
            (AuthError::AccountDisabled, 403),
            (AuthError::NotFound, 404),
            (AuthError::RoleLacking, 403),
            (AuthError::KeyPairNarrowed, 403),
            (AuthError::StepUpRequired, 403),
            (AuthError::AddressTaken, 409),
            (AuthError::UserNotActive, 409),
            (AuthError::LastAdministrator, 409),
            (AuthError::AliasTaken, 409),
            (AuthError::AddressVerified, 409),
            (AuthError::AddressUnverified, 409),
            (AuthError::AddressNeeded, 409),
            (AuthError::TooManyAddresses, 409),
            (AuthError::Throttled { limit: Limit::Guesses, retry_after: Duration::ZERO }, 429),
            (AuthError::Store(unavailable), 503),
            (AuthError::Store(corrupt), 500),
            (AuthError::Store(StoreError::Duplicate(Duplicate::Id)), 500),
            (AuthError::Entropy(EntropyError), 500),
        ] {
            assert_eq!(ApiError::from(error).status_code().as_u16(), status);
        }
    }

    #[test]
    fn whoever_waits_as_long_as_they_are_told_does_not_come_too_early() {
        for (millis, seconds) in [(0, "1"), (1, "1"), (999, "1"), (1000, "1"), (1001, "2"), (86_400_000, "86400")] {
            let retry_after = Duration::from_millis(millis);
            let error = ApiError::from(AuthError::Throttled { limit: Limit::Guesses, retry_after });
            assert_eq!(error.error_response().headers().get(header::RETRY_AFTER).unwrap(), seconds, "{millis}");
        }
    }

    #[test]
    fn what_happened_inside_goes_to_the_log_and_not_to_the_client() {
        let error = ApiError::from(StoreError::unavailable("disk on fire"));
        assert!(!error.detail().contains("disk"));
        assert!(error.chain().ends_with("the store could not answer: the store is unavailable: disk on fire"));
    }
}
