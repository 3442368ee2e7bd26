//! The REST API: each handler parses, calls one use case, and renders.

pub(crate) mod admin;
mod authorize;
mod checked;
mod docs;
mod email;
mod endpoint;
mod key_pair;
mod operations;
mod session;
mod user;

use std::sync::Arc;

use actix_cors::Cors;
use actix_web::{
    App, Error,
    body::MessageBody,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, header},
    middleware::{Condition, from_fn},
    web,
};

use utoipa::OpenApi;

use crate::{
    answer::{ApiError, contract},
    metrics::Metrics,
    service::Service,
};
pub use checked::Checked;
use endpoint::Endpoint;

/// The path that the public API lives under.
pub const BASE: &str = "/api/auth/v2";

/// What the handlers say of themselves, below [`BASE`].
#[derive(OpenApi)]
#[openapi(paths(
    user::register,
    user::delete,
    user::by_email,
    user::alias_by_id,
    user::alias,
    session::open,
    session::show,
    session::verify,
    session::extend,
    session::list,
    session::close_others,
    session::close,
    email::add,
    email::renew,
    email::verify,
    email::prefer,
    email::list,
    email::remove,
    key_pair::create,
    key_pair::show,
    key_pair::verify,
    key_pair::list,
    key_pair::delete,
    authorize::show,
    admin::users::create,
    admin::users::list,
    admin::users::show,
    admin::users::delete,
    admin::users::disable,
    admin::users::enable,
    admin::users::verify,
    admin::users::unverify,
    admin::memberships::roles,
    admin::memberships::grant_role,
    admin::memberships::revoke_role,
    admin::memberships::groups,
    admin::memberships::grant_group,
    admin::memberships::revoke_group,
    admin::sessions::give,
    admin::sessions::list,
    admin::sessions::verify,
    admin::sessions::close,
    admin::key_pairs::give,
    admin::key_pairs::list,
    admin::key_pairs::verify,
    admin::key_pairs::delete,
    admin::emails::give,
    admin::emails::prefer,
    admin::emails::verify,
    admin::emails::remove,
    admin::events::list,
))]
pub(crate) struct Public;

/// The same for what lies outside of it.
#[derive(OpenApi)]
#[openapi(paths(operations::alive, operations::ready, operations::metrics, docs::description, docs::page))]
pub(crate) struct Outside;

/// Everything that is served, ready for a server or a test.
///
/// `cors_origins` are the web origins whose scripts may call the API, and nothing outside of it; with none, browsers keep all
/// of them out.
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
    let metrics = Arc::clone(&service.metrics);
    let cors = || Condition::new(!cors_origins.is_empty(), cors(cors_origins));
    App::new()
        .app_data(service)
        // The router tries its entries in turn: what is asked for most stands first, the rest behind one prefix.
        .configure(|config| {
            for check in checks() {
                config.service(check.into_resource("", &metrics).wrap(cors()));
            }
        })
        .service(web::scope(BASE).wrap(cors()).configure(|config| register(config, BASE, public(), &metrics)))
        .configure(|config| register(config, "", outside(), &metrics))
        .default_service(web::to(|| async { Err::<&str, _>(ApiError::new(StatusCode::NOT_FOUND, "no such endpoint")) }))
        .wrap(from_fn(contract))
}

/// What runs on every request of somebody else's service.
fn checks() -> Vec<Endpoint> {
    vec![authorize::check(), session::check(), key_pair::check()]
}

/// The rest of the public API, below [`BASE`].
fn public() -> Vec<Endpoint> {
    let subjects =
        [session::endpoints(), user::endpoints(), email::endpoints(), key_pair::endpoints(), admin::endpoints()];
    subjects.into_iter().flatten().collect()
}

/// What is for those who run the service.
fn outside() -> Vec<Endpoint> {
    [operations::endpoints(), docs::endpoints()].into_iter().flatten().collect()
}

fn register(config: &mut web::ServiceConfig, base: &str, endpoints: Vec<Endpoint>, metrics: &Metrics) {
    for endpoint in endpoints {
        config.service(endpoint.into_resource(base, metrics));
    }
}

/// Every path that is served, with its methods.
pub fn served() -> Vec<(String, Vec<&'static str>)> {
    let listed = |base: &'static str, endpoints: Vec<Endpoint>| {
        endpoints.into_iter().map(move |endpoint| {
            let (path, methods) = endpoint.served();
            (format!("{base}{path}"), methods.to_vec())
        })
    };
    listed("", checks()).chain(listed(BASE, public())).chain(listed("", outside())).collect()
}

/// What scripts of these origins may send and read. No cookies: there are none, and a browser that sent some would have to be
/// kept from using them.
fn cors(origins: &[String]) -> Cors {
    let headers = [header::AUTHORIZATION, header::CONTENT_TYPE]
        .into_iter()
        .chain(["api-key", "api-secret"].map(header::HeaderName::from_static));
    let cors = Cors::default()
        .allowed_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE])
        .allowed_headers(headers)
        .expose_headers(["x-error", "x-error-id", "retry-after", "www-authenticate"])
        .max_age(3600);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}
