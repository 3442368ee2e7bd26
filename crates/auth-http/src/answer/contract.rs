use std::net::IpAddr;

use actix_web::{
    body::{BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use tokio::time::Instant;
use tracing::{
    Instrument, Span, error,
    field::{Empty, display},
    info, info_span,
};
use uuid::Uuid;

use super::{
    ApiError,
    browsers::{TO_PAGES, TO_SCRIPTS},
    problem::problem_body,
    refused_checks::Line,
};
use crate::{metrics::RouteMeter, service::Service};

const X_ERROR: HeaderName = HeaderName::from_static("x-error");
const X_ERROR_ID: HeaderName = HeaderName::from_static("x-error-id");
// Read through once, when the program is built, and not for each answer.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The endpoints that run on every request of somebody else's service: successes are not logged one by one.
const CHECKS: [(Method, &str); 4] = [
    (Method::GET, "/api/auth/v2/session"),
    (Method::GET, "/api/auth/v2/keypair"),
    (Method::GET, "/api/auth/v2/authorize"),
    (Method::HEAD, "/api/auth/v2/authorize"),
];

/// The outermost middleware: nothing that a handler or the framework answers reaches a client without passing here.
///
/// Every response gets `Cache-Control: no-store` and what [browsers](super::browsers) are told. Every response but 200 and
/// 202 gets `x-error`, `x-error-id` and a problem body; its whole chain of causes is logged once under the same id, a refusal
/// with the client's address unless it is a check's.
pub(crate) async fn contract<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, actix_web::Error> {
    let begun = Instant::now();
    let is_check = CHECKS.iter().any(|(method, path)| request.method() == method && request.path() == *path);
    let (id, span) = if is_check {
        (None, Span::none())
    } else {
        let id = request_id(request.app_data());
        let span = info_span!("request", %id, method = %request.method(), route = Empty, status = Empty);
        (Some(id), span)
    };
    // Handlers' errors are responses by now, and no middleware further in fails. The request is not held on to here:
    // the router wants it for itself.
    let response = next.call(request).instrument(span.clone()).await?.map_into_left_body();
    let response = span.in_scope(|| finish(response, id));
    count(&response, begun);
    if !span.is_disabled() {
        // Not before its line was written, which says both already.
        span.record("route", route(&response)).record("status", response.status().as_u16());
    }
    Ok(response)
}

fn count<B>(response: &ServiceResponse<B>, begun: Instant) {
    let request = response.request();
    let meter = request.app_data().or_else(|| {
        let service: Option<&web::Data<Service>> = request.app_data();
        service.map(|service| service.metrics.unmatched())
    });
    if let Some(meter) = meter {
        RouteMeter::count(meter, request.method(), response.status(), begun.elapsed());
    }
}

/// Counts what a limit refused. Nothing else comes here with one.
fn count_limit<B>(response: &ServiceResponse<B>, error: Option<&ApiError>) {
    let service: Option<&web::Data<Service>> = response.request().app_data();
    if let (Some(limit), Some(service)) = (error.and_then(ApiError::limit), service) {
        service.metrics.throttled(limit);
    }
}

fn finish<B>(
    response: ServiceResponse<EitherBody<B, BoxBody>>,
    id: Option<Uuid>,
) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let status = response.status();
    let is_success = status == StatusCode::OK || status == StatusCode::ACCEPTED;
    // A browser does not open it as a page: that takes a credential in a header, which no address bar sends.
    let is_passed_check = is_success && id.is_none();
    let mut response = if is_success {
        if id.is_some() {
            info!(status = status.as_u16(), route = route(&response), "answered");
        }
        response
    } else {
        let service = response.request().app_data::<web::Data<Service>>();
        let (id, client, line) = if let Some(id) = id {
            (id, client_address(&response, service), Line::Own { before: 0 })
        } else {
            let (id, line) = refused_check(service);
            // The client is a gateway, whose address says nothing.
            (id, None, line)
        };
        as_problem(response, id, client, &line)
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    for (name, value) in TO_SCRIPTS.iter().chain(TO_PAGES.iter().filter(|_| !is_passed_check)) {
        // What a page needs besides, it has said itself.
        if !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    response
}

/// The request's id: on its log lines, and in its answer when that is an error.
fn request_id(service: Option<&web::Data<Service>>) -> Uuid {
    service.map_or(Uuid::nil(), |service| service.new_request_id())
}

/// The id of a check that is refused, and its line.
fn refused_check(service: Option<&web::Data<Service>>) -> (Uuid, Line) {
    let Some(service) = service else { return (Uuid::nil(), Line::Own { before: 0 }) };
    let now = service.clock.now();
    (service.request_ids.next_at(now), service.refused_checks.refused_at(now))
}

/// Where the request came from.
fn client_address<B>(response: &ServiceResponse<B>, service: Option<&web::Data<Service>>) -> Option<IpAddr> {
    let request = response.request();
    Some(service?.client_address.of(request.peer_addr()?.ip(), request.headers()))
}

fn route<B>(response: &ServiceResponse<B>) -> String {
    response.request().match_pattern().unwrap_or_default()
}

fn as_problem<B>(
    response: ServiceResponse<EitherBody<B, BoxBody>>,
    id: Uuid,
    client: Option<IpAddr>,
    line: &Line,
) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let status = response.status();
    let ours = response.response().error().and_then(|error| error.as_error::<ApiError>());
    count_limit(&response, ours);
    let theirs;
    let error = if let Some(ours) = ours {
        ours
    } else {
        theirs = ApiError::new(status, framework_detail(status));
        &theirs
    };
    if status.is_server_error() {
        error!(request.id = %id, status = status.as_u16(), route = route(&response), error = error.chain(), "failed");
    } else if let Line::Own { before } = line {
        if *before > 0 {
            info!(count = before, "checks were refused without a line each");
        }
        let ip = client.map(display);
        info!(request.id = %id, status = status.as_u16(), route = route(&response), ip, error = error.chain(), "refused");
    }

    let mut name = Uuid::encode_buffer();
    let name: &str = id.hyphenated().encode_lower(&mut name);
    let (body, detail) = (problem_body(status, error.kind(), error.detail(), id), error.detail_value());
    let mut response = response.map_body(|_head, _body| EitherBody::right(BoxBody::new(body)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, PROBLEM);
    headers.insert(X_ERROR, detail);
    if let Ok(name) = HeaderValue::from_str(name) {
        headers.insert(X_ERROR_ID, name);
    }
    response
}

/// What to say of a refusal by the framework, whose own words may quote the request.
fn framework_detail(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "no such endpoint",
        StatusCode::METHOD_NOT_ALLOWED => "the endpoint does not take this method",
        StatusCode::PAYLOAD_TOO_LARGE => "the body is too large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "the body must be application/json",
        status if status.is_client_error() => "the request cannot be used",
        _ => "internal error",
    }
}
