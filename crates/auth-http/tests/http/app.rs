//! The service under test, with verbs.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{
    body::to_bytes,
    http::{Method, StatusCode, header::HeaderMap},
    test, web,
};
use auth_cache::{CachedChecks, Hearing, Memory};
use auth_domain::{Auth, Courier, NoBell, Policy, Ports, Revocations, Store, Upkeep, UserId};
use auth_http::{
    Checked, ClientAddress, RefusedChecks, RequestIds, ResponsePacer,
    jobs::Heartbeat,
    metrics::{Metrics, StoreState},
    service::Service,
};
use auth_postgres::{PoolOptions, PostgresStore};
use auth_sqlite::{SqliteOptions, SqliteStore};
use auth_testkit::{SentMail, World, postgres, waiting::PATIENCE};
use diesel::{Connection, RunQueryDsl, SqliteConnection};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What a caller is told whose sign-in is not recent enough.
pub(crate) const STEP_UP: &str = "this takes a recent sign-in: sign in again";

/// Where requests come from that come from nowhere in particular.
pub(crate) const HERE: &str = "192.0.2.1";

/// Of answers about addresses: journeys have nothing to hide.
const PACING_INTERVAL: Duration = Duration::from_millis(1);

/// What a journey runs on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Backend {
    Fakes,
    Sqlite,
    Postgres,
}

/// How the service under test is set up.
pub(crate) struct Setup {
    pub(crate) policy: Policy,
    pub(crate) client_address: ClientAddress,
    pub(crate) cors_origins: Vec<String>,
}

/// Without limits: in most journeys one client does in a moment what takes people days. Those about limits set them.
impl Default for Setup {
    fn default() -> Self {
        let policy = Policy { limits: None, ..Policy::default() };
        Self { policy, client_address: ClientAddress::default(), cors_origins: Vec::new() }
    }
}

pub(crate) struct TestApp {
    pub(crate) world: World,
    service: web::Data<Service>,
    cors_origins: Vec<String>,
    memory: Arc<Memory<Checked>>,
    courier: Courier,
    unread: Mutex<Vec<SentMail>>,
    database: Behind,
}

/// The database, for what happens behind the API's back.
enum Behind {
    Fake,
    Sqlite(TempDir),
    Postgres(String),
}

/// A request to be sent.
#[derive(Clone)]
pub(crate) struct Call {
    peer: IpAddr,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl TestApp {
    pub(crate) async fn on(backend: Backend, setup: Setup) -> Self {
        let world = World::new();
        let memory = Arc::new(Memory::new(1000, Hearing::InProcess));
        world.store.tell(memory.clone());
        let (store, database): (Arc<dyn Store>, _) = match backend {
            Backend::Fakes => (world.store.clone(), Behind::Fake),
            Backend::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let options = SqliteOptions { timeout: PATIENCE };
                let store = SqliteStore::open_with(&folder.path().join("auth.db"), options).unwrap();
                (Arc::new(store.telling(memory.clone()).unwrap()), Behind::Sqlite(folder))
            }
            Backend::Postgres => {
                let options = PoolOptions { wait: PATIENCE, timeout: PATIENCE, ..PoolOptions::default() };
                let open = |url: &str| PostgresStore::new(url.parse().unwrap(), options).unwrap();
                let url = postgres::database(async |url| {
                    open(&url).migrate().await.unwrap();
                })
                .await;
                let store = open(&url).telling(memory.clone());
                // With a connection that is there, no journey begins by waiting for one.
                while store.check_ready().await.is_err() {}
                (Arc::new(store), Behind::Postgres(url))
            }
        };
        let ports = Ports {
            store: store.clone(),
            clock: world.clock.clone(),
            entropy: world.entropy.clone(),
            bell: Arc::new(NoBell),
        };
        let description = auth_http::openapi::description(&setup.policy.session_kinds).into();
        let auth = Arc::new(Auth::new(ports, setup.policy, world.keys.clone()));
        let checks = CachedChecks::new(auth.clone(), memory.clone(), Checked::of_session, Checked::of_key_pair);
        let service = web::Data::new(Service {
            description,
            auth,
            checks,
            clock: world.clock.clone(),
            request_ids: RequestIds::new(world.entropy.as_ref()).unwrap(),
            client_address: setup.client_address,
            languages: vec![auth_domain::Language::default()],
            mail_worker: Heartbeat::start(),
            pacer: ResponsePacer::start(PACING_INTERVAL).unwrap(),
            refused_checks: RefusedChecks::default(),
            metrics: Arc::new(Metrics::new(Box::new(StoreState::default))),
        });
        let courier = Courier { store, ..world.courier() };
        let cors_origins = setup.cors_origins;
        Self { world, service, cors_origins, memory, courier, unread: Mutex::default(), database }
    }

    pub(crate) fn auth(&self) -> &Auth {
        &self.service.auth
    }

    /// Sends a request and holds the answer to the common rules.
    pub(crate) async fn send(&self, call: Call) -> Answer {
        let app = test::init_service(auth_http::app(self.service.clone(), &self.cors_origins)).await;
        let peer = SocketAddr::new(call.peer, 4711);
        let mut request = test::TestRequest::with_uri(&call.path).method(call.method).peer_addr(peer);
        for (name, value) in call.headers {
            request = request.append_header((name, value));
        }
        if let Some(body) = call.body {
            request = request.set_payload(body);
        }
        let response = test::call_service(&app, request.to_request()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body()).await.ok().unwrap().to_vec();
        let answer = Answer { status: status.as_u16(), headers, body };
        answer.keeps_the_common_rules();
        answer
    }

    pub(crate) async fn sign_up(&self, alias: &str, email: &str) -> Answer {
        let body = json!({"email": email, "fullName": "Ada Lovelace", "alias": alias});
        self.send(post("/user").json(&body)).await
    }

    pub(crate) async fn ask_for_code(&self, email: &str) -> Answer {
        self.send(post("/session").json(&json!({"email": email}))).await
    }

    pub(crate) async fn verify(&self, session: &Value, code: &str) -> Answer {
        let body = json!({"verificationCodeID": session["verificationCodeID"], "code": code});
        self.send(put("/session/verification").json(&body)).await
    }

    pub(crate) async fn check(&self, session: &Value) -> Answer {
        self.send(get("/session").bearer(session)).await
    }

    /// Delivers what is due, and returns the newest mail to `email` that was not read before.
    pub(crate) async fn read_mail(&self, email: &str) -> Option<SentMail> {
        self.read_newest(email, |_any| true).await
    }

    /// The code in the newest mail to `email` that has one and was not read before.
    pub(crate) async fn read_code(&self, email: &str) -> String {
        self.read_newest(email, |mail| !mail.code.is_empty()).await.unwrap().code
    }

    async fn read_newest(&self, email: &str, wanted: impl Fn(&SentMail) -> bool) -> Option<SentMail> {
        for claimed in self.courier.claim(100).await.unwrap() {
            self.courier.deliver(&claimed).await.unwrap();
        }
        let mut unread = self.unread.lock().unwrap();
        unread.extend(self.world.mailer.take());
        let newest = unread.iter().rposition(|mail| mail.to.eq_ignore_ascii_case(email) && wanted(mail))?;
        Some(unread.remove(newest))
    }

    /// Registers and verifies; returns the session.
    pub(crate) async fn registered(&self, alias: &str, email: &str) -> Value {
        let session = self.sign_up(alias, email).await.accepted();
        let code = self.read_code(email).await;
        self.verify(&session, &code).await.accepted();
        session
    }

    /// Signs in all the way; returns the session.
    pub(crate) async fn sign_in(&self, email: &str) -> Value {
        let session = self.ask_for_code(email).await.accepted();
        let code = self.read_code(email).await;
        self.verify(&session, &code).await.accepted();
        session
    }

    /// Adds an address; returns its ids.
    pub(crate) async fn add_email(&self, session: &Value, address: &str) -> Value {
        self.send(post("/email").bearer(session).json(&json!({"address": address}))).await.accepted()
    }

    /// Adds an address and verifies it; returns its ids.
    pub(crate) async fn has_email(&self, session: &Value, address: &str) -> Value {
        let added = self.add_email(session, address).await;
        let body = json!({"verificationCodeID": added["verificationCodeID"], "code": self.read_code(address).await});
        self.send(put("/email/verification").bearer(session).json(&body)).await.acknowledged();
        added
    }

    /// Makes a key pair with these fields besides name and days, and verifies it with the code mailed to `email`.
    pub(crate) async fn has_key_pair(&self, session: &Value, email: &str, fields: Value) -> Value {
        let mut wish = json!({"name": "nightly", "days": 7});
        wish.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let pair = self.send(post("/keypair").bearer(session).json(&wish)).await.accepted();
        let body = json!({"verificationCodeID": pair["verificationCodeID"], "code": self.read_code(email).await});
        self.send(put("/keypair/verification").bearer(session).json(&body)).await.acknowledged();
        pair
    }

    /// From now on the store is out of reach, and so is what was remembered of it.
    pub(crate) fn lose_the_store(&self) {
        self.world.store.go_away();
        self.memory.forget_everything();
    }

    /// Disables an account, behind the API's back.
    pub(crate) async fn disable(&self, user: UserId) {
        self.memory.forget_everything();
        match &self.database {
            Behind::Fake => self.world.store.disable(user),
            Behind::Sqlite(folder) => {
                let mut database =
                    SqliteConnection::establish(folder.path().join("auth.db").to_str().unwrap()).unwrap();
                let disabling = diesel::sql_query("UPDATE users SET enabled = 0 WHERE id = ?");
                let id = user.uuid().into_bytes().to_vec();
                assert_eq!(disabling.bind::<diesel::sql_types::Binary, _>(id).execute(&mut database).unwrap(), 1);
            }
            Behind::Postgres(url) => {
                let disabling = format!("UPDATE users SET enabled = false WHERE id = '{user}'");
                postgres::execute(url, &disabling).await.unwrap();
            }
        }
    }

    pub(crate) fn wait(&self, span: Duration) {
        self.world.clock.advance(span);
    }
}

fn call(method: Method, path: &str) -> Call {
    let path = format!("{}{path}", auth_http::BASE);
    Call { peer: HERE.parse().unwrap(), method, path, headers: Vec::new(), body: None }
}

pub(crate) fn get(path: &str) -> Call {
    call(Method::GET, path)
}

pub(crate) fn post(path: &str) -> Call {
    call(Method::POST, path)
}

pub(crate) fn put(path: &str) -> Call {
    call(Method::PUT, path)
}

pub(crate) fn delete(path: &str) -> Call {
    call(Method::DELETE, path)
}

/// A request outside of the API's base path.
pub(crate) fn outside(method: Method, path: &str) -> Call {
    Call { path: path.to_owned(), ..call(method, "") }
}

impl Call {
    /// The same from another address.
    pub(crate) fn from(self, peer: &str) -> Self {
        Self { peer: peer.parse().unwrap(), ..self }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, session: &Value) -> Self {
        let bearer = session["bearer"].as_str().unwrap();
        self.header("Authorization", &format!("Bearer {bearer}"))
    }

    pub(crate) fn key_pair(self, pair: &Value) -> Self {
        let half = |name: &str| pair[name].as_str().unwrap().to_owned();
        self.header("Api-Key", &half("apiKey")).header("Api-Secret", &half("apiSecret"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json").body(body.to_string().as_bytes())
    }

    pub(crate) fn body(mut self, body: &[u8]) -> Self {
        self.body = Some(body.to_vec());
        self
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The body of a 202.
    pub(crate) fn accepted(&self) -> Value {
        assert_eq!(self.status, 202, "{}", self.text());
        self.json()
    }

    /// The body of a 200.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    pub(crate) fn acknowledged(&self) {
        assert_eq!(self.accepted(), json!({"message": "acknowledged"}));
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Fails unless the answer is this error.
    pub(crate) fn refused(&self, status: u16, detail: &str) {
        assert_eq!((self.status, self.header("x-error")), (status, detail), "{}", self.text());
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn keeps_the_common_rules(&self) {
        assert_eq!((self.header("cache-control"), self.header("x-content-type-options")), ("no-store", "nosniff"));
        assert!(!self.headers.contains_key("server"));
        let status = StatusCode::from_u16(self.status).unwrap();
        if matches!(self.status, 200 | 202) {
            assert!(!self.headers.contains_key("x-error") && !self.headers.contains_key("x-error-id"));
            return;
        }
        let (error, id) = (self.header("x-error"), self.header("x-error-id"));
        assert!(!error.is_empty() && error.bytes().all(|b| (0x20..0x7f).contains(&b)), "{error:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        // One kind of problem has a remedy that a program can know; of all others, the status says it all.
        let is_step_up = self.status == 403 && error == STEP_UP;
        let expected = json!({
            "type": if is_step_up { "urn:auth:problem:step-up-required" } else { "about:blank" },
            "title": status.canonical_reason().unwrap(),
            "status": self.status,
            "detail": error,
            "instance": format!("urn:uuid:{id}"),
        });
        assert_eq!(self.json(), expected);
        assert_eq!(uuid::Uuid::try_parse(id).unwrap().get_version_num(), 7);
        assert_eq!(self.headers.contains_key("www-authenticate"), self.status == 401);
        assert_eq!(self.headers.contains_key("allow"), self.status == 405);
        assert_eq!(self.headers.contains_key("retry-after"), matches!(self.status, 429 | 503));
    }
}
