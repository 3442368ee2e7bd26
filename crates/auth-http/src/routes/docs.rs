use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use utoipa_swagger_ui::Config;

use super::endpoint::Endpoint;
use crate::{
    answer::{ApiError, ApiResult},
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
    Ok(HttpResponse::Ok().content_type("application/json").body(service.description.clone()))
}

/// A page that shows it.
#[utoipa::path(get, path = "/docs", tag = "Operations", operation_id = "docs",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")))]
pub(super) async fn page() -> ApiResult {
    Ok(served("text/html; charset=utf-8", PAGE.as_bytes().to_vec()))
}

async fn asset(request: HttpRequest) -> ApiResult {
    let missing = || ApiError::new(StatusCode::NOT_FOUND, "no such endpoint");
    let file = request.match_info().query("file");
    if file == "page.js" {
        return Ok(served("text/javascript; charset=utf-8", SCRIPT.as_bytes().to_vec()));
    }
    if !["swagger-ui.css", "swagger-ui-bundle.js"].contains(&file) {
        return Err(missing());
    }
    let found = utoipa_swagger_ui::serve(file, Arc::new(Config::default())).ok().flatten();
    found.map(|asset| served(&asset.content_type, asset.bytes.into_owned())).ok_or_else(missing)
}

fn served(content_type: &str, octets: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_SECURITY_POLICY, POLICY)).content_type(content_type).body(octets)
}
