use actix_web::{HttpResponse, web};
use serde::Serialize;
use tracing::warn;

use super::endpoint::Endpoint;
use crate::{
    answer::{ApiError, ApiResult},
    error_chain::chain,
    service::{NotReady, Service},
};

pub(super) fn configure(config: &mut web::ServiceConfig) {
    config
        .service(Endpoint::at("/healthz").get(alive).into_resource())
        .service(Endpoint::at("/readyz").get(ready).into_resource());
}

#[derive(Serialize)]
struct Status {
    status: &'static str,
}

/// The process lives.
async fn alive() -> ApiResult {
    Ok(HttpResponse::Ok().json(Status { status: "alive" }))
}

/// Requests can be served.
async fn ready(service: web::Data<Service>) -> ApiResult {
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
