use actix_web::http::StatusCode;
use tracing::info;
use uuid::Uuid;

use super::{
    browsers::{TO_PAGES, TO_SCRIPTS},
    problem::{NOTHING_BEYOND_THE_STATUS, problem_body},
};

/// The whole answer, as it goes over the wire, to a head that never became a request: what the middleware would have
/// made of it. `None` for a status that is no refusal.
pub(crate) fn unheard(status: u16, id: Uuid) -> Option<Vec<u8>> {
    let status = StatusCode::from_u16(status).ok().filter(StatusCode::is_client_error)?;
    let detail = match status {
        StatusCode::REQUEST_TIMEOUT => "the request did not arrive in time",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "the head of the request is too large",
        _ => "the request is not valid HTTP",
    };
    info!(request.id = %id, status = status.as_u16(), error = detail, "refused");
    let body = problem_body(status, NOTHING_BEYOND_THE_STATUS, detail, id);
    let to_browsers = TO_SCRIPTS
        .iter()
        .chain(&TO_PAGES)
        .map(|(name, value)| format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes())));
    let to_browsers: String = to_browsers.collect();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\ncontent-type: application/problem+json\r\n\
         cache-control: no-store\r\n{to_browsers}x-error: {detail}\r\nx-error-id: {id}\r\n\r\n",
        length = body.len(),
    );
    Some([head.as_bytes(), &body].concat())
}
