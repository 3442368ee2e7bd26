use actix_web::{HttpResponse, web};
use prometheus::TEXT_FORMAT;
use serde::Serialize;
use tracing::warn;
use utoipa::ToSchema;

use super::endpoint::Endpoint;
use crate::{
    answer::{ApiError, ApiResult},
    error_chain::chain,
    service::{NotReady, Service},
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![Endpoint::at("/healthz").get(alive), Endpoint::at("/readyz").get(ready), Endpoint::at("/metrics").get(metrics)]
}

/// How the service is.
#[derive(Serialize, ToSchema)]
pub(super) struct Status {
    #[schema(example = "ready")]
    status: &'static str,
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "Operations", operation_id = "alive",
    responses((status = 200, description = "It does.", body = Status)))]
pub(super) async fn alive() -> ApiResult {
    Ok(HttpResponse::Ok().json(Status { status: "alive" }))
}

/// Whether requests can be served.
///
/// The database can be reached and is migrated, and the mail worker lives. A mail server out of reach does not matter.
#[utoipa::path(get, path = "/readyz", tag = "Operations", operation_id = "ready",
    responses((status = 200, description = "They can.", body = Status), (status = 503)))]
pub(super) async fn ready(service: web::Data<Service>) -> ApiResult {
    match service.check_ready().await {
        Ok(()) => Ok(HttpResponse::Ok().json(Status { status: "ready" })),
        Err(reason) => {
            warn!(reason = chain(&reason), "not ready");
            Err(ApiError::unavailable(match reason {
                NotReady::Store(_) => "the store is not ready",
                NotReady::Slow(_) => "the store does not answer in time",
                NotReady::MailWorker => "the mail worker stands still",
            }))
        }
    }
}

/// What is counted and measured, for Prometheus.
///
/// While the store is away, what only the store knows is missing.
#[utoipa::path(get, path = "/metrics", tag = "Operations", operation_id = "metrics",
    responses((status = 200, description = "The metrics, in Prometheus' text format 0.0.4.", body = String,
        content_type = "text/plain")))]
pub(super) async fn metrics(service: web::Data<Service>) -> ApiResult {
    Ok(HttpResponse::Ok().content_type(TEXT_FORMAT).body(service.measure().await))
}
