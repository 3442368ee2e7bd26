//! The wiring: settings become adapters, adapters become ports, ports become use cases. The only place that names an
//! adapter.

use std::sync::Arc;

use actix_web::web;
use auth_domain::{
    Auth, Clock, Courier, Entropy, Language, Mailer, Ports, ServerKeys, Store,
    system::{SystemClock, SystemEntropy},
};
use auth_smtp::{FileMailer, InvalidSender, MailFolderError, Sender};
use auth_sqlite::{OpenError, SqliteStore};
use tracing::{info, warn};

use crate::{
    ClientAddress,
    jobs::{Bell, Heartbeat},
    key_file::{self, KeyFileError},
    openapi,
    service::Service,
    settings::{Database, MailPlace, Settings},
};

/// Everything that a running service is made of.
pub struct Parts {
    /// What the request handlers are given.
    pub service: web::Data<Service>,
    /// The store, for the jobs.
    pub store: Arc<dyn Store>,
    /// What delivers the mail.
    pub courier: Courier,
    /// What wakes it.
    pub bell: Arc<Bell>,
}

/// Why the parts could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The server keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// The mail folder cannot be used.
    #[error("setting mail.url")]
    MailFolder(#[from] MailFolderError),
    /// The sender of mails is no address.
    #[error("setting mail.from")]
    Sender(#[from] InvalidSender),
}

/// Puts the parts together, migrating the database on the way.
pub fn compose(settings: Settings) -> Result<Parts, ComposeError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let mailer = mailer(&settings)?;
    let keys = Arc::new(server_keys(settings.server_keys, &settings.database, entropy.as_ref())?);
    let store = store(&settings.database)?;
    let bell = Arc::new(Bell::default());

    let ports = Ports {
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
        bell: bell.clone(),
    };
    let description = openapi::description(&settings.policy.session_kinds).into();
    let service = web::Data::new(Service {
        description,
        auth: Auth::new(ports, settings.policy, Arc::clone(&keys)),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
        client_address: ClientAddress {
            trusted_proxies: settings.http.trusted_proxies,
            header: settings.http.forwarded_header,
        },
        languages: vec![Language::default()],
        mail_worker: Heartbeat::start(),
    });
    let courier = Courier { store: Arc::clone(&store), mailer, keys, clock, entropy };
    warn!("there are no guessing budgets and no throttles yet: do not expose this version to the internet");
    Ok(Parts { service, store, courier, bell })
}

/// Brings the database up to date, and returns the names of the migrations that it took.
pub fn migrate(settings: &Settings) -> Result<Vec<String>, ComposeError> {
    match &settings.database {
        Database::Sqlite(path) => {
            if settings.server_keys.is_none() {
                key_file::of_database(path, &SystemEntropy)?;
            }
            Ok(SqliteStore::migrate(path)?)
        }
    }
}

fn store(database: &Database) -> Result<Arc<dyn Store>, ComposeError> {
    match database {
        Database::Sqlite(path) => {
            let store = SqliteStore::open(path)?;
            info!(path = %path.display(), "database open");
            Ok(Arc::new(store))
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
    }
}

fn mailer(settings: &Settings) -> Result<Arc<dyn Mailer>, ComposeError> {
    let from: Sender = settings.mail_from.parse()?;
    match &settings.mail_place {
        MailPlace::Folder(folder) => {
            let mailer = FileMailer::new(folder.clone(), from)?;
            info!(folder = %folder.display(), "mails are written to files, not sent");
            Ok(Arc::new(mailer))
        }
    }
}
