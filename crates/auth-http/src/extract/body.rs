use std::time::Duration;

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{StatusCode, header},
    web::{Bytes, BytesMut},
};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::Extracting;
use crate::answer::ApiError;

/// The largest body, in octets. The largest request of the API is some hundred.
const MAX_BODY: usize = 64 * 1024;
/// How long a client may take to send it.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// A JSON body. An absent one counts as `{}`, so that an endpoint whose fields are all optional takes none.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let slow = |_elapsed| ApiError::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time");
            let octets = timeout(BODY_WITHIN, read(payload)).await.map_err(slow)??;
            if octets.is_empty() {
                return parse(b"{}").map(Self);
            }
            if !is_plain_json(&request) {
                let detail = "the body must be application/json, without a content coding";
                return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
            }
            parse(&octets).map(Self)
        })
    }
}

async fn read(mut payload: Payload) -> Result<Bytes, ApiError> {
    let mut octets = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_broken| ApiError::bad_request("the body ended early or is malformed"))?;
        if octets.len() + chunk.len() > MAX_BODY {
            // What the client still sends is read and thrown away by the server until it has seen the answer.
            return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 64 KiB"));
        }
        octets.extend_from_slice(&chunk);
    }
    Ok(octets.freeze())
}

fn is_plain_json(request: &HttpRequest) -> bool {
    let text = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or_default());
    let media_type = text(header::CONTENT_TYPE).unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is_json = media_type.eq_ignore_ascii_case("application/json");
    let is_uncoded = text(header::CONTENT_ENCODING).is_none_or(|coding| coding.trim().eq_ignore_ascii_case("identity"));
    is_json && is_uncoded
}

fn parse<T: DeserializeOwned>(octets: &[u8]) -> Result<T, ApiError> {
    // Serde would also take an array for a struct, field by field.
    if octets.trim_ascii_start().first() != Some(&b'{') {
        return Err(ApiError::bad_request("the body is not a JSON object"));
    }
    serde_json::from_slice(octets).map_err(|error| ApiError::bad_request(explain(&error)))
}

/// What is wrong with a body, without quoting it.
fn explain(error: &serde_json::Error) -> String {
    let place = format!("at line {}, column {}", error.line(), error.column());
    if !error.is_data() {
        return format!("the body is not valid JSON {place}");
    }
    // The one message of serde's that names nothing but what we wrote ourselves.
    match error.to_string().strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        Some(field) => format!("the field {field} is missing"),
        None => format!("a field is of the wrong type, or there twice, {place}"),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{ResponseError, test::TestRequest};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Greeting {
        name: String,
        #[serde(default)]
        times: Option<u8>,
    }

    async fn sent(content_type: &str, body: &[u8]) -> Result<Greeting, (u16, String)> {
        let (request, mut payload) = TestRequest::post()
            .insert_header((header::CONTENT_TYPE, content_type))
            .set_payload(body.to_vec())
            .to_http_parts();
        let extracted = Body::<Greeting>::from_request(&request, &mut payload).await;
        extracted
            .map(|Body(greeting)| greeting)
            .map_err(|error| (error.status_code().as_u16(), error.detail().to_owned()))
    }

    #[tokio::test]
    async fn a_json_object_is_read_and_unknown_fields_are_ignored() {
        for content_type in ["application/json", "Application/JSON; charset=utf-8"] {
            let greeting = sent(content_type, br#" {"name":"ada","newer":[1,2],"times":null}"#).await.unwrap();
            assert_eq!((greeting.name.as_str(), greeting.times), ("ada", None));
        }
    }

    #[tokio::test]
    async fn everything_else_is_refused_without_being_quoted() {
        let nested = "[".repeat(10_000);
        for (body, expected) in [
            ("{", "the body is not valid JSON at line 1, column 1"),
            ("{}", "the field name is missing"),
            ("", "the field name is missing"),
            (r#"["ada"]"#, "the body is not a JSON object"),
            (r#""ada""#, "the body is not a JSON object"),
            (nested.as_str(), "the body is not a JSON object"),
            (
                r#"{"name":"evil\r\nx: y","times":"evil"}"#,
                "a field is of the wrong type, or there twice, at line 1, column 37",
            ),
            (r#"{"name":"a","name":"b"}"#, "a field is of the wrong type, or there twice, at line 1, column 18"),
            (r#"{"name":"a"} trailing"#, "the body is not valid JSON at line 1, column 14"),
        ] {
            assert_eq!(sent("application/json", body.as_bytes()).await.unwrap_err(), (400, expected.to_owned()));
        }
        assert_eq!(sent("application/json", b"{\"name\":\"\xff\"}").await.unwrap_err().0, 400, "invalid UTF-8");
    }

    #[tokio::test]
    async fn another_content_type_is_415_and_a_large_body_413() {
        for content_type in ["", "text/plain", "application/jsonx", "application/x-www-form-urlencoded"] {
            assert_eq!(sent(content_type, br#"{"name":"ada"}"#).await.unwrap_err().0, 415, "{content_type}");
        }
        assert_eq!(sent("application/json", &vec![b' '; MAX_BODY + 1]).await.unwrap_err().0, 413);
    }
}
