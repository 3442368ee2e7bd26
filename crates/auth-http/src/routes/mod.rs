//! The REST API: each handler parses, calls one use case, and renders.

mod email;
mod endpoint;
mod key_pair;
mod operations;
mod session;
mod user;

use actix_cors::Cors;
use actix_web::{
    App, Error,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, header},
    middleware::{Condition, from_fn},
    web,
};

use crate::{
    answer::{ApiError, contract},
    service::Service,
};

/// The path that the public API lives under.
pub const BASE: &str = "/api/auth/v2";

/// Everything that is served, ready for a server or a test.
///
/// `cors_origins` are the web origins whose scripts may call the API; with none, browsers keep all of them out.
pub fn app(
    service: web::Data<Service>,
    cors_origins: &[String],
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    App::new()
        .app_data(service)
        // The router tries its entries in turn: what is asked for most stands first, the rest behind one prefix.
        .service(session::check())
        .service(key_pair::check())
        .service(
            web::scope(BASE)
                .configure(session::configure)
                .configure(user::configure)
                .configure(email::configure)
                .configure(key_pair::configure),
        )
        .configure(operations::configure)
        .default_service(web::to(|| async { Err::<&str, _>(ApiError::new(StatusCode::NOT_FOUND, "no such endpoint")) }))
        .wrap(Condition::new(!cors_origins.is_empty(), cors(cors_origins)))
        .wrap(from_fn(contract))
}

fn cors(origins: &[String]) -> Cors {
    let headers = [header::AUTHORIZATION, header::CONTENT_TYPE]
        .into_iter()
        .chain(["api-key", "api-secret"].map(header::HeaderName::from_static));
    let cors = Cors::default()
        .allowed_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allowed_headers(headers)
        .expose_headers(["x-error", "x-error-id", "retry-after", "www-authenticate"])
        .max_age(3600);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}
