//! Every answer other than success: what an operation can be answered follows from what it takes.

use actix_web::http::StatusCode;
use serde_json::json;
use utoipa::{
    PartialSchema,
    openapi::{
        ContentBuilder, HeaderBuilder, Object, Ref, RefOr, Response, ResponseBuilder, Type,
        path::{Operation, ParameterIn},
        schema::{ObjectBuilder, SchemaType},
    },
};

use super::is_signed;
use crate::answer::ProblemDetails;

/// Status, name, meaning, and what `x-error` may say.
const PROBLEMS: [(u16, &str, &str, &str); 11] = [
    (400, "BadRequest", "What was sent cannot be used.", "the field email is missing"),
    (401, "Unauthorized", "No valid credential, or no valid code.", "the credential is not valid"),
    (403, "Forbidden", "Known, but not allowed.", "registration is closed"),
    (404, "NotFound", "There is no such thing, or it is not the caller's.", "no such resource"),
    (408, "RequestTimeout", "The body took too long to arrive.", "the body did not arrive in time"),
    (409, "Conflict", "It conflicts with what exists.", "the alias is taken"),
    (413, "ContentTooLarge", "The body is too large.", "the body is larger than 64 KiB"),
    (
        415,
        "UnsupportedMediaType",
        "The body is not JSON.",
        "the body must be application/json, without a content coding",
    ),
    (
        429,
        "TooManyRequests",
        "Too much was asked for, or guessed wrong, in too little time.",
        "too many requests: try again later",
    ),
    (500, "InternalServerError", "Our fault.", "internal error"),
    (503, "ServiceUnavailable", "Nothing is known: try again.", "temporarily unavailable: try again"),
];

/// All of them, by name.
pub(super) fn all() -> impl Iterator<Item = (String, RefOr<Response>)> {
    PROBLEMS
        .into_iter()
        .map(|(status, name, meaning, detail)| (name.to_owned(), response(status, meaning, detail).into()))
}

/// Adds to an operation what it can be answered besides what its handler says.
pub(super) fn complete(operation: &mut Operation) {
    let mut statuses = vec![500];
    let takes_parameters = operation.parameters.iter().flatten().any(|parameter| match parameter {
        RefOr::T(parameter) => matches!(parameter.parameter_in, ParameterIn::Path | ParameterIn::Query),
        RefOr::Ref(_) => true,
    });
    if takes_parameters {
        statuses.push(400);
    }
    if operation.request_body.is_some() {
        statuses.extend([400, 408, 413, 415]);
    }
    if is_signed(operation) {
        // 400 for two credentials at once.
        statuses.extend([400, 401]);
    }
    if operation.tags.iter().flatten().all(|tag| tag != "Operations") {
        statuses.push(503);
    }
    let responses = &mut operation.responses.responses;
    for status in statuses {
        responses.entry(status.to_string()).or_insert_with(|| Response::default().into());
    }
    for (status, name, ..) in PROBLEMS {
        if let Some(response) = responses.get_mut(&status.to_string()) {
            *response = Ref::from_response_name(name).into();
        }
    }
}

fn response(status: u16, meaning: &str, detail: &str) -> Response {
    let title = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let id = "01a20ada-2c00-7a6f-bd12-86b4d0afeb01";
    let example = json!({
        "type": "about:blank", "title": title, "status": status, "detail": detail, "instance": format!("urn:uuid:{id}"),
    });
    let content = ContentBuilder::new().schema(Some(ProblemDetails::schema())).example(Some(example));
    let mut response = ResponseBuilder::new()
        .description(meaning)
        .content("application/problem+json", content.build())
        .header("x-error", header("What went wrong: one line of printable ASCII.", text()))
        .header("x-error-id", header("Names this answer: the server's log line has the same id.", text()));
    if status == 401 {
        response = response.header("WWW-Authenticate", header("`Bearer`.", text()));
    }
    if status == 429 || status == 503 {
        let seconds = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Integer)).build();
        response = response.header("Retry-After", header("Seconds to wait before trying again.", seconds));
    }
    response.build()
}

fn header(description: &str, schema: Object) -> utoipa::openapi::header::Header {
    HeaderBuilder::new().description(Some(description)).schema(Some(schema)).build()
}

fn text() -> Object {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).build()
}
