use std::{borrow::Cow, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use utoipa_swagger_ui::Config;

use super::endpoint::Endpoint;
use crate::{
    answer::{ApiError, ApiResult, Slices},
    service::Service,
};

/// The page, with nothing in it from another host. `validatorUrl` would send the description to one.
const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Auth API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/page.js"></script>
</body>
</html>
"#;
const SCRIPT: &str = r##"SwaggerUIBundle({ url: "/openapi.json", dom_id: "#api", validatorUrl: null });
"##;
/// What the page may load: its own files and, as `data:`, the pictures in its style sheet.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::at("/openapi.json").get(description),
        Endpoint::at("/docs").get(page),
        Endpoint::at("/docs/{file}").get(asset),
    ]
}

/// This description of the API.
#[utoipa::path(get, path = "/openapi.json", tag = "Operations", operation_id = "openapi",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object)))]
pub(super) async fn description(service: web::Data<Service>) -> ApiResult {
    Ok(HttpResponse::Ok().content_type("application/json").body(Slices::of(service.description.clone())))
}

/// A page that shows it.
#[utoipa::path(get, path = "/docs", tag = "Operations", operation_id = "docs",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")))]
pub(super) async fn page() -> ApiResult {
    Ok(served("text/html; charset=utf-8", web::Bytes::from_static(PAGE.as_bytes())))
}

async fn asset(request: HttpRequest) -> ApiResult {
    let missing = || ApiError::new(StatusCode::NOT_FOUND, "no such endpoint");
    let file = request.match_info().query("file");
    if file == "page.js" {
        return Ok(served("text/javascript; charset=utf-8", web::Bytes::from_static(SCRIPT.as_bytes())));
    }
    if !["swagger-ui.css", "swagger-ui-bundle.js"].contains(&file) {
        return Err(missing());
    }
    let found = utoipa_swagger_ui::serve(file, Arc::new(Config::default())).ok().flatten();
    let asset = found.ok_or_else(missing)?;
    let octets = match asset.bytes {
        // Part of the program, not to be copied for everybody who asks.
        Cow::Borrowed(octets) => web::Bytes::from_static(octets),
        Cow::Owned(octets) => octets.into(),
    };
    Ok(served(&asset.content_type, octets))
}

fn served(content_type: &str, octets: web::Bytes) -> HttpResponse {
    let policy = (header::CONTENT_SECURITY_POLICY, POLICY);
    HttpResponse::Ok().insert_header(policy).content_type(content_type).body(Slices::of(octets))
}
