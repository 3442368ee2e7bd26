//! The whole API, in memory as far as the database is a file in a folder of its own.

use std::{collections::HashMap, future::Future, net::SocketAddr, pin::Pin};

use actix_web::{
    body::to_bytes,
    dev::Service as _,
    http::{
        Method, StatusCode, Uri,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    test::{TestRequest, init_service},
};
use auth_domain::{AccountWish, Administrator, Alias, Client, EmailAddress, FullName, Language, RoleName, Welcome};
use auth_http::{compose::compose, settings::Settings};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use uuid::Uuid;

const UNKNOWN: &str = "0194f3a0-7d3b-7c00-8000-000000000001";

/// Sends a request.
type Send = Box<dyn Fn(TestRequest) -> Pin<Box<dyn Future<Output = Answer>>>>;

struct Api {
    runtime: Runtime,
    send: Send,
    /// Every endpoint, with each of its methods.
    endpoints: Vec<(String, Method)>,
    /// Credentials of an administrator.
    bearer: String,
    key: String,
    secret: String,
    user: String,
    _folder: TempDir,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

thread_local! {
    static API: Api = Api::start();
}

/// Whatever body is sent to whatever endpoint, the answer is one of the contract and no fault of the service's.
pub(crate) fn bodies(input: &[u8]) {
    let (whither, body) = split(input);
    API.with(|api| {
        let request = api.request(whither, "");
        api.answers(request.insert_header(header::ContentType::json()).set_payload(body.to_vec()));
    });
}

/// The same for whatever query.
pub(crate) fn queries(input: &[u8]) {
    let (whither, query) = split(input);
    let query = String::from_utf8_lossy(query);
    API.with(|api| {
        if Uri::try_from(format!("/?{query}")).is_ok() && !query.contains('#') {
            api.answers(api.request(whither, &query));
        }
    });
}

/// The same for whatever headers are looked at. Each takes a line.
pub(crate) fn heads(input: &[u8]) {
    let (whither, lines) = split(input);
    let names = [
        header::AUTHORIZATION,
        HeaderName::from_static("api-key"),
        HeaderName::from_static("api-secret"),
        header::ACCEPT_LANGUAGE,
        header::USER_AGENT,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::ORIGIN,
        HeaderName::from_static("x-forwarded-for"),
    ];
    API.with(|api| {
        let mut request = api.request(whither, "");
        for (name, line) in names.into_iter().zip(lines.split(|octet| *octet == b'\n')) {
            match HeaderValue::from_bytes(line) {
                Ok(value) if !line.is_empty() => request = request.append_header((name, value)),
                _ => {}
            }
        }
        api.answers(request.set_payload(r#"{"email":"ada@example.org"}"#));
    });
}

/// The first line and the rest.
fn split(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|octet| *octet == b'\n').unwrap_or(input.len());
    (&input[..end], input.get(end + 1..).unwrap_or_default())
}

impl Api {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let file = format!(
            "[database]\nurl = 'sqlite:{path}/auth.db'\n[mail]\nurl = 'file:{path}/outbox'\n[limits]\nenabled = false\n"
        );
        let settings = Settings::parse(&file, HashMap::new()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (send, credentials) = runtime.block_on(async {
            let service = compose(settings).unwrap().service;
            let operator = Administrator::on_the_command_line();
            let wish = AccountWish {
                email: EmailAddress::parse("root@example.org").unwrap(),
                full_name: FullName::parse("Root").unwrap(),
                alias: Alias::parse("root").unwrap(),
                roles: Some(vec![RoleName::users_admin()]),
                welcome: Welcome::KeyPair,
            };
            let created = service.auth.create_account(&operator, wish, &Language::default()).await.unwrap();
            let client = Client::new([127, 0, 0, 1].into(), "");
            let session = service.auth.give_session(&operator, created.user_id, None, &client).await.unwrap();
            let pair = created.key_pair.unwrap();
            let app: &'static _ = Box::leak(Box::new(init_service(auth_http::app(service, &[])).await));
            let send: Send = Box::new(move |request: TestRequest| {
                let answered = app.call(request.to_request());
                Box::pin(async {
                    let response = answered.await.expect("errors are answers");
                    let (status, headers) = (response.status(), response.headers().clone());
                    let body = to_bytes(response.into_body()).await.ok().expect("a whole body").to_vec();
                    Answer { status, headers, body }
                })
            });
            let (key, secret) = (pair.api_key.as_str().to_owned(), pair.api_secret.expose().to_owned());
            (send, (session.bearer.expose().to_owned(), key, secret, created.user_id.to_string()))
        });
        // Nobody delivers mails here, which is what this one tells and no fault of a request.
        let served = auth_http::served().into_iter().filter(|(path, _)| path != "/readyz");
        let endpoints = served
            .flat_map(|(path, methods)| methods.into_iter().map(move |method| (path.clone(), method.parse().unwrap())));
        let (bearer, key, secret, user) = credentials;
        Self { runtime, send, endpoints: endpoints.collect(), bearer, key, secret, user, _folder: folder }
    }

    /// A request to an endpoint with a credential, such as `PUT /session/extend bearer`, or `DELETE /email/{id} pair unknown` for
    /// an id that nothing has. Any other words choose something too.
    fn request(&self, whither: &[u8], query: &str) -> TestRequest {
        let text = String::from_utf8_lossy(whither);
        let [method, path, credential, id] = {
            let mut words = text.split(' ');
            std::array::from_fn(|_| words.next().unwrap_or_default())
        };
        let chance: usize = whither.iter().copied().map(usize::from).sum();
        let named = |(known, with): &&(String, Method)| with == method && known.ends_with(path);
        let by_chance = &self.endpoints[chance % self.endpoints.len()];
        let (path, method) = self.endpoints.iter().find(named).unwrap_or(by_chance);
        let id = if id == "unknown" { UNKNOWN } else { &self.user };
        let path = path.replace("{id}", id).replace("{role}", "a").replace("{group}", "a").replace("{file}", "page.js");
        let peer: SocketAddr = "192.0.2.1:4711".parse().unwrap();
        let request = TestRequest::with_uri(&format!("{path}?{query}")).method(method.clone()).peer_addr(peer);
        match (credential, chance % 3) {
            ("bearer", _) | ("", 0) => {
                request.insert_header((header::AUTHORIZATION, format!("Bearer {}", self.bearer)))
            }
            ("pair", _) | ("", 1) => request
                .insert_header(("api-key", self.key.as_str()))
                .insert_header(("api-secret", self.secret.as_str())),
            _ => request,
        }
    }

    /// Panics unless the answer keeps the contract and says nothing of a fault.
    fn answers(&self, request: TestRequest) {
        let Answer { status, headers, body } = self.runtime.block_on((self.send)(request));
        let field = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(field("cache-control"), Some("no-store"));
        if matches!(status, StatusCode::OK | StatusCode::ACCEPTED) {
            assert_eq!((field("x-error"), field("x-error-id")), (None, None));
            return;
        }
        assert!(status.is_client_error(), "{status}");
        let (error, id) = (field("x-error").unwrap(), field("x-error-id").unwrap());
        assert!(!error.is_empty() && error.bytes().all(|octet| (0x20..0x7f).contains(&octet)), "{error:?}");
        assert!(Uuid::try_parse(id).is_ok(), "{id}");
        assert_eq!(field("content-type"), Some("application/problem+json"));
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (problem["status"].as_u64(), problem["detail"].as_str()),
            (Some(status.as_u16().into()), Some(error))
        );
    }
}
