//! What every response looks like.
//!
//! An outcome becomes a status in one table ([`problem`]); one middleware ([`contract`]) sees every response on its way
//! out, whoever made it, and holds it to the common rules of the wire contract.

mod browsers;
mod contract;
mod pacer;
mod pacing_interval;
mod problem;
mod refused_checks;
mod slices;
mod unheard;

pub(crate) use contract::contract;
pub(crate) use pacer::PacedRequest;
pub use pacer::ResponsePacer;
pub use pacing_interval::MIN_PACING_INTERVAL;
pub(crate) use problem::{ApiError, ApiResult, ProblemDetails};
pub use refused_checks::RefusedChecks;
pub(crate) use slices::Slices;
pub(crate) use unheard::unheard;

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

/// `202` with this body: what POST, PUT and DELETE answer.
pub(crate) fn accepted(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Accepted().json(body)
}

/// It was done, and there is nothing more to say.
#[derive(Serialize, ToSchema)]
pub(crate) struct Acknowledged {
    #[schema(example = "acknowledged")]
    message: &'static str,
}

/// `202 {"message":"acknowledged"}`.
pub(crate) fn acknowledged() -> HttpResponse {
    accepted(&Acknowledged { message: "acknowledged" })
}
