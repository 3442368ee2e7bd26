//! The wiring: settings become adapters, adapters become ports, ports become use cases. The only place that names an
//! adapter.

use std::{
    io,
    num::NonZero,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use actix_web::web;
use auth_cache::{CachedChecks, Hearing, Memory};
use auth_domain::{
    Auth, Clock, Courier, Entropy, EntropyError, KeyId, Mailer, NoServerKey, Ports, Revocations, ServerKeys, Store,
    StoreError, Upkeep,
    archive::{ArchiveSource, ArchiveTarget},
    system::{SystemClock, SystemEntropy},
};
use auth_postgres::{InvalidAuthorities, MigrateError, PoolOptions, PostgresStore, PostgresUrl};
use auth_smtp::{
    FileMailer, InvalidAuthorities as InvalidMailAuthorities, InvalidSender, InvalidTemplates, MailFolderError, Sender,
    SmtpMailer, Templates,
};
use auth_sqlite::{OpenError, SqliteArchive, SqliteOptions, SqliteStore};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::{
    Checked, ClientAddress, MIN_PACING_INTERVAL, RefusedChecks, RequestIds, ResponsePacer,
    jobs::{Bell, Heartbeat, Kept, Work},
    key_file::{self, KeyFile, KeyFileError},
    metrics::{Metrics, PoolState, Probe, RevocationLag, StoreState},
    openapi,
    service::Service,
    settings::{Database, MailPlace, Settings},
};

/// Everything that a running service is made of.
pub struct Parts {
    /// What the request handlers are given.
    pub service: web::Data<Service>,
    /// What the jobs work with.
    pub work: Work,
    /// The server keys, for whoever learns of others.
    pub keys: Arc<ServerKeys>,
    /// The file that they are in, unless they are configured.
    pub key_file: Option<KeyFile>,
    /// Ends once the database is up to date; until then it may be out of reach, and the service is not ready.
    pub preparing: Preparing,
}

/// What a command does about the installation that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installation {
    /// It has to be there, and to have the layout of this build: nothing is made by accident, and nothing is migrated under
    /// a service that runs.
    Existing,
    /// It is made if there is none, and brought up to date.
    MadeIfMissing,
}

/// A database on its way to being ready.
type Preparing = Pin<Box<dyn Future<Output = Result<(), ComposeError>> + Send>>;

/// How long to wait before a database server that is away is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How often it is said that it is still away.
const SAY_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Why the parts could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The authorities that the database server is checked against cannot be used.
    #[error("setting database.url")]
    Authorities(#[from] InvalidAuthorities),
    /// The database server's layout cannot be brought up to date.
    #[error("database {database}")]
    Migrate {
        /// The database.
        database: String,
        /// Why.
        source: MigrateError,
    },
    /// The database server does not let everything be written in one go.
    #[error("database {database}")]
    Archive {
        /// The database.
        database: String,
        /// Why.
        source: StoreError,
    },
    /// The database server is away, or its layout is not the one of this build.
    #[error("database {database} is away, or not brought up to date by auth-http migrate")]
    NotReady {
        /// The database.
        database: String,
        /// Why.
        source: StoreError,
    },
    /// A database that several replicas share keeps no keys for them.
    #[error(
        "setting secrets.key: PostgreSQL needs a server key of 64 hex digits, such as `openssl rand -hex 32` prints"
    )]
    NoKeys,
    /// A thread cannot be started.
    #[error("a thread cannot be started")]
    Thread(#[source] io::Error),
    /// The system has no random octets.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The server keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// The mail folder cannot be used.
    #[error("setting mail.url")]
    MailFolder(#[from] MailFolderError),
    /// The authorities that the mail server is checked against cannot be used.
    #[error("setting mail.url")]
    MailAuthorities(#[from] InvalidMailAuthorities),
    /// The mails' templates cannot be used.
    #[error("setting mail.templates")]
    Templates(#[from] InvalidTemplates),
    /// The sender of mails is no address.
    #[error("setting mail.from")]
    Sender(#[from] InvalidSender),
}

/// Puts the parts together. An embedded database is migrated on the way; a server's is, once it can be reached.
///
/// To be called on the runtime that lives as long as the service: connections to a database server belong to it.
pub fn compose(settings: Settings) -> Result<Parts, ComposeError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let templates = Arc::new(templates(&settings)?);
    let languages = templates.languages().cloned().collect();
    let mailer = mailer(&settings, templates)?;
    let key_file = key_file_of(&settings)?;
    let keys = Arc::new(server_keys(settings.server_keys, &settings.database, entropy.as_ref())?);
    let memory = Arc::new(memory(settings.remembered));
    let remembering = settings.remembered.map(|_| memory.clone() as Arc<dyn Revocations>);
    let (store, preparing, probe) = store(&settings.database, settings.pool, remembering)?;
    let bell = Arc::new(Bell::default());

    let ports = Ports {
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
        bell: bell.clone(),
    };
    if settings.policy.limits.is_none() {
        warn!("limits.enabled is false: nothing but its five tries protects a code, and anybody can have mails sent");
    }
    let description = openapi::description(&settings.policy.session_kinds).into();
    let auth = Arc::new(Auth::new(ports, settings.policy, Arc::clone(&keys)));
    let service = web::Data::new(Service {
        description,
        checks: CachedChecks::new(Arc::clone(&auth), memory, Checked::of_session, Checked::of_key_pair),
        auth,
        clock: Arc::clone(&clock),
        request_ids: RequestIds::new(entropy.as_ref())?,
        client_address: ClientAddress {
            trusted_proxies: settings.http.trusted_proxies,
            header: settings.http.forwarded_header,
        },
        languages,
        mail_worker: Heartbeat::start(),
        pacer: ResponsePacer::start(MIN_PACING_INTERVAL).map_err(ComposeError::Thread)?,
        refused_checks: RefusedChecks::default(),
        metrics: Arc::new(Metrics::new(probe)),
    });
    let courier = Courier { store: Arc::clone(&store), mailer, keys: Arc::clone(&keys), clock, entropy };
    let kept = Kept { events: settings.events_kept, networks: settings.networks_known_for };
    let work = Work { store, courier, bell, senders: settings.mail_senders, kept };
    Ok(Parts { service, work, keys, key_file, preparing })
}

/// The use cases for a command that mints no credential, checks none and sends no mail. A server that is away is not waited
/// for.
pub async fn auth_for_a_command(settings: Settings, installation: Installation) -> Result<Auth, ComposeError> {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let (store, keys): (Arc<dyn Store>, _) = match (&settings.database, installation) {
        (Database::Sqlite(path), Installation::Existing) => {
            let store = SqliteStore::open_existing(path, sqlite_options(settings.pool))?;
            (Arc::new(store), server_keys(settings.server_keys, &settings.database, entropy.as_ref())?)
        }
        (Database::Sqlite(path), Installation::MadeIfMissing) => {
            // In the order of a first start: a database without its keys would be taken for one that has lost them.
            let keys = server_keys(settings.server_keys, &settings.database, entropy.as_ref())?;
            (Arc::new(SqliteStore::open_with(path, sqlite_options(settings.pool))?), keys)
        }
        (Database::Postgres(url), installation) => {
            let store = PostgresStore::new((**url).clone(), PoolOptions { size: 1, ..settings.pool })?;
            let database = url.to_string();
            match installation {
                Installation::Existing => {
                    store.check_ready().await.map_err(|source| ComposeError::NotReady { database, source })?;
                }
                Installation::MadeIfMissing => {
                    store.migrate().await.map_err(|source| ComposeError::Migrate { database, source })?;
                }
            }
            // Nothing will hang on the keys, so whoever administers a server need not be trusted with them.
            (Arc::new(store), settings.server_keys.map_or_else(|| throwaway_keys(entropy.as_ref()), Ok)?)
        }
    };
    let ports = Ports { store, clock, entropy, bell: Arc::new(Bell::default()) };
    Ok(Auth::new(ports, settings.policy, Arc::new(keys)))
}

/// The same for a command that asks about the server keys: those of the service, so that they have to be known.
pub async fn auth_about_its_keys(settings: Settings) -> Result<Auth, ComposeError> {
    key_file_of(&settings)?;
    auth_for_a_command(settings, Installation::Existing).await
}

/// The file that the server keys are in; `None` when they are configured.
pub fn key_file_of(settings: &Settings) -> Result<Option<KeyFile>, ComposeError> {
    match (&settings.server_keys, &settings.database) {
        (Some(_), _) => Ok(None),
        (None, Database::Sqlite(path)) => Ok(Some(KeyFile::beside(path))),
        (None, Database::Postgres(_)) => Err(ComposeError::NoKeys),
    }
}

/// Brings the database up to date, and returns the names of the migrations that it took.
pub async fn migrate(settings: &Settings) -> Result<Vec<String>, ComposeError> {
    match &settings.database {
        Database::Sqlite(path) => {
            if settings.server_keys.is_none() {
                key_file::of_database(path, &SystemEntropy)?;
            }
            Ok(SqliteStore::migrate(path)?)
        }
        Database::Postgres(url) => {
            let store = PostgresStore::new((**url).clone(), PoolOptions { size: 1, ..settings.pool })?;
            store.migrate().await.map_err(|source| ComposeError::Migrate { database: url.to_string(), source })
        }
    }
}

/// What a copy reads: everything in the embedded database `file`, which exists and stands still from now on.
pub fn archive_of_file(file: &Path) -> Result<Box<dyn ArchiveSource>, ComposeError> {
    Ok(Box::new(SqliteArchive::open(file)?))
}

/// What a copy writes: everything in the database at `url`, which is brought up to date for it.
pub async fn archive_on_server(url: &PostgresUrl, pool: PoolOptions) -> Result<Box<dyn ArchiveTarget>, ComposeError> {
    let store = PostgresStore::new(url.clone(), PoolOptions { size: 1, ..pool })?;
    store.migrate().await.map_err(|source| ComposeError::Migrate { database: url.to_string(), source })?;
    let archive = store.begin_archive().await;
    Ok(Box::new(archive.map_err(|source| ComposeError::Archive { database: url.to_string(), source })?))
}

/// The server keys that an installation will use whose database came from `file`; and the file that they are in now, if
/// they are not configured yet.
pub fn keys_to_be(settings: &Settings, file: &Path) -> Result<(Vec<KeyId>, Option<PathBuf>), ComposeError> {
    if let Some(keys) = &settings.server_keys {
        return Ok((keys.ids().collect(), None));
    }
    let keys = key_file::of_database(file, &SystemEntropy)?;
    Ok((keys.ids().collect(), Some(key_file::beside(file))))
}

/// What checks are remembered in. Every store shares its database with others: the command line, if nobody else.
fn memory(credentials: Option<NonZero<u32>>) -> Memory<Checked> {
    match credentials {
        Some(credentials) => Memory::new(usize::try_from(credentials.get()).unwrap_or(usize::MAX), Hearing::Proven),
        None => Memory::new(0, Hearing::Never),
    }
}

/// What of the options of a server a file has, too.
fn sqlite_options(pool: PoolOptions) -> SqliteOptions {
    SqliteOptions { timeout: pool.timeout }
}

fn store(
    database: &Database,
    pool: PoolOptions,
    remembering: Option<Arc<dyn Revocations>>,
) -> Result<(Arc<dyn Store>, Preparing, Probe), ComposeError> {
    match database {
        Database::Sqlite(path) => {
            let store = SqliteStore::open_with(path, sqlite_options(pool))?;
            let store = match remembering {
                Some(memory) => store.telling(memory).map_err(ComposeError::Thread)?,
                None => store,
            };
            info!(path = %path.display(), "database open");
            Ok((Arc::new(store), Box::pin(async { Ok(()) }), Box::new(StoreState::default)))
        }
        Database::Postgres(url) => {
            let store = PostgresStore::new((**url).clone(), pool)?;
            if url.trusts_the_network() {
                warn!(database = %url, "the database server need not prove who it is: database.url does not say sslmode=verify-full");
            }
            let store = Arc::new(match remembering {
                Some(memory) => store.telling(memory),
                None => store,
            });
            let probed = Arc::clone(&store);
            let probe = Box::new(move || state_of(&probed));
            Ok((store.clone(), Box::pin(prepare(store, url.to_string())), probe))
        }
    }
}

fn state_of(store: &PostgresStore) -> StoreState {
    let pool = store.pool_use();
    let lag = store.revocation_lag();
    StoreState {
        pool: Some(PoolState {
            in_use: pool.size.saturating_sub(pool.available),
            idle: pool.available,
            waiting: pool.waiting,
        }),
        revocation_lag: lag.map(|lag| RevocationLag { last: lag.last, maximum: lag.maximum }),
    }
}

/// Migrates a database on a server, however long it takes until that can be reached.
async fn prepare(store: Arc<PostgresStore>, database: String) -> Result<(), ComposeError> {
    let mut said: Option<(String, Instant)> = None;
    loop {
        match store.migrate().await {
            Ok(_applied) => {
                info!(database, "database open");
                return Ok(());
            }
            Err(away @ MigrateError::Unreachable(_)) => {
                let reason = away.to_string();
                let is_news =
                    said.as_ref().is_none_or(|(before, at)| *before != reason || at.elapsed() > SAY_AGAIN_AFTER);
                if is_news {
                    warn!(database, reason, "the database is out of reach: not ready until it is there");
                    said = Some((reason, Instant::now()));
                }
                sleep(ASK_AGAIN_AFTER).await;
            }
            Err(source) => return Err(ComposeError::Migrate { database, source }),
        }
    }
}

fn server_keys(
    configured: Option<ServerKeys>,
    database: &Database,
    entropy: &dyn Entropy,
) -> Result<ServerKeys, ComposeError> {
    match (configured, database) {
        (Some(keys), _) => Ok(keys),
        (None, Database::Sqlite(path)) => Ok(key_file::of_database(path, entropy)?),
        (None, Database::Postgres(_)) => Err(ComposeError::NoKeys),
    }
}

/// Server keys that nobody will ever have again.
fn throwaway_keys(entropy: &dyn Entropy) -> Result<ServerKeys, ComposeError> {
    let mut secret = [0; 32];
    entropy.fill(&mut secret).map_err(KeyFileError::from)?;
    Ok(ServerKeys::new([secret]).unwrap_or_else(|NoServerKey| unreachable!("there is one")))
}

fn templates(settings: &Settings) -> Result<Templates, InvalidTemplates> {
    match &settings.mail_templates {
        None => Ok(Templates::built_in()),
        Some(folder) => Templates::built_in().overridden_by(folder),
    }
}

fn mailer(settings: &Settings, templates: Arc<Templates>) -> Result<Arc<dyn Mailer>, ComposeError> {
    let from: Sender = settings.mail_from.parse()?;
    match &settings.mail_place {
        MailPlace::Folder(folder) => {
            let mailer = FileMailer::new(folder.clone(), from)?;
            info!(folder = %folder.display(), "mails are written to files, not sent");
            Ok(Arc::new(mailer.with_templates(templates)))
        }
        MailPlace::Server(url) => {
            let mailer = SmtpMailer::new((**url).clone(), from, settings.mail_senders)?;
            info!(server = %url, "mails are handed to a mail server");
            if url.shows_password() {
                warn!(server = %url, "the mail server's password may travel unencrypted: mail.url does not require TLS");
            }
            Ok(Arc::new(mailer.with_templates(templates)))
        }
    }
}
