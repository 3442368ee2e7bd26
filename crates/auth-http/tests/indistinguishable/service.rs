//! The service on a socket, with people in its database.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread,
};

use actix_web::{HttpResponse, HttpServer, dev::ServerHandle, web};
use auth_cache::{CachedChecks, Hearing, Memory};
use auth_domain::{
    Auth, Client, EmailAddress, Language, Limits, NoBell, Policy, Ports, SignInStored, Store, system::SystemEntropy,
};
use auth_http::{
    Checked, ClientAddress, Metronome, RefusedChecks, RequestIds,
    jobs::Heartbeat,
    metrics::{Metrics, StoreState},
    service::Service,
};
use auth_postgres::{PoolOptions, PostgresStore};
use auth_sqlite::SqliteStore;
use auth_testkit::{MockStore, World, postgres};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Handle;

use crate::people::{Dialect, Series};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// Whether a sign-in for an address that nobody has does the work of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decoys {
    Stored,
    /// The service as it must not be: what leads nowhere is not stored.
    Skipped,
}

pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
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
                (Arc::new(SqliteStore::open(&folder.path().join("auth.db")).unwrap()), Database::Sqlite(folder))
            }
            Backend::Postgres => {
                let open = |url: &str| PostgresStore::new(url.parse().unwrap(), PoolOptions::default()).unwrap();
                let url = postgres::database(async |url| {
                    open(&url).migrate().await.unwrap();
                })
                .await;
                (Arc::new(open(&url)), Database::Postgres(url))
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
            metronome: Metronome::start().unwrap(),
            refused_checks: RefusedChecks::default(),
            metrics: Arc::new(Metrics::new(Box::new(StoreState::default))),
        });
        let http = HttpServer::new(move || {
            let at_once = web::resource(AT_ONCE).route(web::post().to(sign_in_at_once));
            auth_http::app(service.clone(), &[]).service(at_once)
        })
        .workers(2)
        .disable_signals();
        let http = http.bind("127.0.0.1:0").unwrap();
        let address = http.addrs()[0];
        let running = http.run();
        let server = running.handle();
        tokio::spawn(running);
        Self { address, database, server }
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

    pub(crate) async fn stop(self) {
        self.server.stop(false).await;
    }
}

/// Where a sign-in is answered as soon as it is stored: to see what the work alone tells.
pub(crate) const AT_ONCE: &str = "/sign-in-at-once";

async fn sign_in_at_once(service: web::Data<Service>, web::Json(body): web::Json<Value>) -> HttpResponse {
    let email = EmailAddress::parse(body["email"].as_str().unwrap()).unwrap();
    let client = Client { ip: Ipv4Addr::LOCALHOST.into(), user_agent: "watch".to_owned() };
    match service.auth.sign_in(&email, None, &client, &Language::default()).await {
        Ok(opened) => HttpResponse::Accepted().json(json!({"session": opened.session_id.to_string()})),
        Err(error) => panic!("{error}"),
    }
}

/// `store`, but for a sign-in that leads nowhere: that is said to be stored, and is not.
fn without_decoys(store: Arc<dyn Store>) -> MockStore {
    let (mut hasty, runtime) = (MockStore::new(), Handle::current());
    let (finds, registers) = ((Arc::clone(&store), runtime.clone()), (Arc::clone(&store), runtime.clone()));
    let opens = (store, runtime);
    hasty.expect_find_address().returning(move |address, now| {
        let (store, runtime) = &finds;
        waiting(|| runtime.block_on(store.find_address(address, now)))
    });
    hasty.expect_register_user().returning(move |registration| {
        let (store, runtime) = &registers;
        waiting(|| runtime.block_on(store.register_user(registration)))
    });
    hasty.expect_open_session().returning(move |sign_in, decoy| {
        let (store, runtime) = &opens;
        let (address, now) = (&sign_in.code.address, sign_in.code.created_at);
        if waiting(|| runtime.block_on(store.find_address(address, now)))?.is_none() {
            return Ok(SignInStored::Yes);
        }
        waiting(|| runtime.block_on(store.open_session(sign_in, decoy)))
    });
    hasty
}

/// What the scripted store cannot wait for itself, nor the thread that it is asked on.
fn waiting<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().unwrap())
}
