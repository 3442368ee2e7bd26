use actix_web::{
    FromRequest, Handler, Resource, Responder,
    http::{Method, header::HeaderValue},
    web,
};

use crate::{answer::ApiError, metrics::Metrics};

/// One path and its methods; any other method is answered `405` with an `Allow` that lists them (RFC 9110 §15.5.6).
pub(super) struct Endpoint {
    path: &'static str,
    resource: Resource,
    allowed: Vec<&'static str>,
    check: Option<&'static str>,
}

impl Endpoint {
    pub(super) fn at(path: &'static str) -> Self {
        Self { path, resource: web::resource(path), allowed: Vec::new(), check: None }
    }

    /// The same, for what GET asks: a check, whose answers are counted under this name.
    pub(super) fn checking(self, kind: &'static str) -> Self {
        Self { check: Some(kind), ..self }
    }

    /// The path it is at, and the methods that it answers.
    pub(super) fn served(&self) -> (&'static str, &[&'static str]) {
        (self.path, &self.allowed)
    }

    /// Answers GET, and HEAD with the same headers and no body.
    pub(super) fn get<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args> + Clone,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::GET, "GET", handler.clone()).method(Method::HEAD, "HEAD", handler)
    }

    pub(super) fn post<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::POST, "POST", handler)
    }

    pub(super) fn put<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::PUT, "PUT", handler)
    }

    pub(super) fn delete<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::DELETE, "DELETE", handler)
    }

    fn method<F, Args>(mut self, method: Method, name: &'static str, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.allowed.push(name);
        Self { resource: self.resource.route(web::method(method).to(handler)), ..self }
    }

    /// What the router takes, below `base`. Its requests are counted in `metrics`.
    pub(super) fn into_resource(self, base: &str, metrics: &Metrics) -> Resource {
        let meter = metrics.route(&format!("{base}{}", self.path), &self.allowed, self.check);
        let allow = HeaderValue::from_str(&self.allowed.join(", ")).unwrap_or(HeaderValue::from_static(""));
        // Where the middleware finds it again: with the request, once that has its route.
        self.resource.app_data(meter).default_service(web::to(move || {
            let refused = ApiError::method_not_allowed(allow.clone());
            async { Err::<&str, _>(refused) }
        }))
    }
}
