//! The service on a socket, with people in its database.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread,
    time::Duration,
};

use actix_web::{HttpResponse, HttpServer, dev::ServerHandle, web};
use auth_cache::{CachedChecks, Hearing, Memory};
use auth_domain::{
    Alias, Auth, AuthError, Change, Changes, Client, EmailAddress, Fact, FactKey, FullName, Language, Limits, NoBell,
    Policy, Ports, Scope, SignUp, Standing, State, Store, StoreError, system::SystemEntropy,
};
use auth_http::{
    Checked, ClientAddress, MIN_PACING_INTERVAL, RefusedChecks, RequestIds, ResponsePacer,
    jobs::Heartbeat,
    metrics::{Metrics, StoreState},
    service::Service,
};
use auth_postgres::{PoolOptions, PostgresStore};
use auth_sqlite::{SqliteOptions, SqliteStore};
use auth_testkit::{MockStore, World, postgres, waiting::PATIENCE};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::{
    distance::far_away,
    people::{Dialect, Series},
};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
    /// A server that is 5 ms away, there and back each.
    PostgresFarAway,
}

/// Whether what is asked for that leads nowhere does the work of what leads somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decoys {
    Stored,
    /// The service as it must not be: what leads nowhere is not stored.
    Skipped,
}

pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    service: web::Data<Service>,
    database: Database,
    server: ServerHandle,
}

enum Database {
    Sqlite(TempDir),
    Postgres(String),
}

impl Serving {
    /// The clock stands still: what is spent stays spent, and what has to be waited for is the same for everybody.
    pub(crate) async fn on(backend: Backend, limits: Option<Limits>, decoys: Decoys) -> Self {
        let World { clock, keys, .. } = World::new();
        let entropy = Arc::new(SystemEntropy);
        let (store, database): (Arc<dyn Store>, _) = match backend {
            Backend::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let options = SqliteOptions { timeout: PATIENCE };
                let store = SqliteStore::open_with(&folder.path().join("auth.db"), options).unwrap();
                (Arc::new(store), Database::Sqlite(folder))
            }
            Backend::Postgres | Backend::PostgresFarAway => {
                let options = PoolOptions { wait: PATIENCE, timeout: PATIENCE, ..PoolOptions::default() };
                let open = |url: &str| PostgresStore::new(url.parse().unwrap(), options).unwrap();
                let url = postgres::database(async |url| {
                    open(&url).migrate().await.unwrap();
                })
                .await;
                let way = if matches!(backend, Backend::PostgresFarAway) { far_away(&url) } else { url.clone() };
                (Arc::new(open(&way)), Database::Postgres(url))
            }
        };
        let store = match decoys {
            Decoys::Stored => store,
            Decoys::Skipped => Arc::new(without_decoys(store)),
        };
        let ports = Ports { store, clock: clock.clone(), entropy: entropy.clone(), bell: Arc::new(NoBell) };
        let policy = Policy { limits, ..Policy::default() };
        let description = auth_http::openapi::description(&policy.session_kinds).into();
        let auth = Arc::new(Auth::new(ports, policy, keys));
        let memory = Arc::new(Memory::new(0, Hearing::Never));
        let service = web::Data::new(Service {
            description,
            checks: CachedChecks::new(auth.clone(), memory, Checked::of_session, Checked::of_key_pair),
            auth,
            clock,
            request_ids: RequestIds::new(entropy.as_ref()).unwrap(),
            client_address: ClientAddress::default(),
            languages: vec![Language::default()],
            mail_worker: Heartbeat::start(),
            pacer: ResponsePacer::start(MIN_PACING_INTERVAL).unwrap(),
            refused_checks: RefusedChecks::default(),
            metrics: Arc::new(Metrics::new(Box::new(StoreState::default))),
        });
        let handed_on = service.clone();
        let http = HttpServer::new(move || {
            auth_http::app(handed_on.clone(), &[])
                .route(SESSION_AT_ONCE, web::post().to(sign_in_at_once))
                .route(USER_AT_ONCE, web::post().to(sign_up_at_once))
                .route(VERIFICATION_AT_ONCE, web::put().to(verify_at_once))
        })
        .workers(2)
        // A client that a busy machine keeps from asking for five seconds is not given up.
        .keep_alive(PATIENCE)
        .client_request_timeout(PATIENCE)
        .disable_signals();
        let http = http.bind("127.0.0.1:0").unwrap();
        let address = http.addrs()[0];
        let running = http.run();
        let server = running.handle();
        tokio::spawn(running);
        Self { address, service, database, server }
    }

    /// Puts the accounts of a series into the database, behind the service's back.
    pub(crate) async fn settle(&self, series: Series) {
        match &self.database {
            Database::Sqlite(folder) => {
                let file = folder.path().join("auth.db");
                let mut database = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
                database.batch_execute(&series.accounts(Dialect::Sqlite)).unwrap();
            }
            Database::Postgres(url) => postgres::execute(url, &series.accounts(Dialect::Postgres)).await.unwrap(),
        }
    }

    /// At which intervals it answers, by what is asked for.
    pub(crate) fn pacing_intervals(&self) -> Vec<(&'static str, Duration)> {
        self.service.pacer.intervals().collect()
    }

    pub(crate) async fn stop(self) {
        self.server.stop(false).await;
    }
}

/// Where requests are answered as soon as they are done: to see what the work alone tells.
pub(crate) const SESSION_AT_ONCE: &str = "/at-once/session";
pub(crate) const USER_AT_ONCE: &str = "/at-once/user";
pub(crate) const VERIFICATION_AT_ONCE: &str = "/at-once/verification";

async fn sign_in_at_once(service: web::Data<Service>, web::Json(body): web::Json<Value>) -> HttpResponse {
    let email = EmailAddress::parse(text(&body, "email")).unwrap();
    let opened = service.auth.sign_in(&email, None, &client(), &Language::default()).await.unwrap();
    HttpResponse::Accepted().json(json!({"session": opened.session_id.to_string()}))
}

async fn sign_up_at_once(service: web::Data<Service>, web::Json(body): web::Json<Value>) -> HttpResponse {
    let sign_up = SignUp {
        email: EmailAddress::parse(text(&body, "email")).unwrap(),
        full_name: FullName::parse(text(&body, "fullName")).unwrap(),
        alias: Alias::parse(text(&body, "alias")).unwrap(),
    };
    let opened = service.auth.sign_up(sign_up, &client(), &Language::default()).await.unwrap();
    HttpResponse::Accepted().json(json!({"session": opened.session_id.to_string()}))
}

async fn verify_at_once(service: web::Data<Service>, web::Json(body): web::Json<Value>) -> HttpResponse {
    let id: Uuid = text(&body, "verificationCodeID").parse().unwrap();
    let refused = service.auth.redeem_sign_in_code(id.into(), text(&body, "code"), &client()).await;
    assert!(matches!(refused, Err(AuthError::CodeRefused)), "{refused:?}");
    HttpResponse::Unauthorized().json(json!({}))
}

fn text<'a>(body: &'a Value, field: &str) -> &'a str {
    body[field].as_str().unwrap()
}

fn client() -> Client {
    Client { ip: Ipv4Addr::LOCALHOST.into(), user_agent: "watch".to_owned() }
}

/// `store`, but for what leads nowhere: that is said to be stored, and is not.
fn without_decoys(store: Arc<dyn Store>) -> MockStore {
    let (mut hasty, runtime) = (MockStore::new(), Handle::current());
    let (views, facts) = ((Arc::clone(&store), runtime.clone()), (store, runtime));
    hasty.expect_view().returning(move |scope| {
        let (store, runtime) = &views;
        waiting(|| runtime.block_on(store.view(scope)))
    });
    hasty.expect_transact().returning(move |fact| {
        let (store, runtime) = &facts;
        waiting(|| runtime.block_on(store.transact(Arc::new(Hasty(fact)))))
    });
    hasty
}

/// A fact that writes no decoy.
struct Hasty(Arc<dyn Fact>);

impl Fact for Hasty {
    fn scope(&self) -> &Scope {
        self.0.scope()
    }

    fn turn(&self) -> Option<&FactKey> {
        self.0.turn()
    }

    fn decide(&self, state: &State) -> Result<Changes, StoreError> {
        let changes = self.0.decide(state)?;
        let is_decoy = changes.iter().any(|change| match change {
            Change::InsertUser(record) => record.standing == Standing::Decoy,
            Change::InsertSession(record) => record.user_id.is_none(),
            _ => false,
        });
        Ok(if is_decoy { Changes::default() } else { changes })
    }
}

/// What the scripted store cannot wait for itself, nor the thread that it is asked on.
fn waiting<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().unwrap())
}
