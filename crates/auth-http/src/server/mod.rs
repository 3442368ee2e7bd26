//! The running service, from its first to its last moment.

mod certificate;
mod crowd;
mod helpings;
mod patience;
mod transport;
mod unheard;
mod watching;
mod wire;

use std::{io, net::SocketAddr, pin::pin, sync::Arc};

use auth_domain::ServerKeys;
pub use certificate::CertificateError;

use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::{
    compose::{ComposeError, Parts, compose},
    jobs::Jobs,
    key_file::{KeyFile, KeyFileError},
    settings::Settings,
};
use certificate::Tls;
use watching::{Watched, watch};

/// Why the service could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A part could not be made.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The address cannot be listened on.
    #[error("setting http.bind: cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// There is no certificate to show.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The server broke.
    #[error("the server ended")]
    Ended(#[from] io::Error),
}

/// Serves until SIGTERM or SIGINT: then no more connections are accepted, running requests get ten seconds, mails
/// being handed over are finished and last uses are written. At SIGHUP, and when they have changed, the files of the server
/// keys and of the certificate are read again.
pub async fn serve(settings: Settings) -> Result<(), ServeError> {
    let address = settings.http.bind;
    let connections = settings.http.connections;
    let cors_origins = settings.http.cors_origins.clone();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!(signal = name, "stopping");
    };

    // Before anything else: without somebody who waits for it, it would end the process.
    let hangup = signal(SignalKind::hangup())?;
    let tls = settings.http.tls.named().map(|files| Tls::with(files.clone())).transpose()?;

    let Parts { service, work, preparing, keys, key_file } = compose(settings)?;
    let watched = watched(key_file, keys, tls.as_ref());
    let encrypted = tls.is_some();
    let (server, bound) = transport::listen(address, connections, service.clone(), cors_origins, tls, stop)
        .map_err(|source| ServeError::Listen { address, source })?;
    let watching = tokio::spawn(watch(watched, hangup));
    info!(address = %bound, tls = encrypted, "listening");
    let mut server = pin!(server);
    let mut jobs = None;
    let outcome = tokio::select! {
        ended = &mut server => ended.map_err(ServeError::from),
        prepared = preparing => match prepared {
            Ok(()) => {
                // Not before: until the database is up to date there is no outbox to look into.
                jobs = Some(Jobs::start(&service, work));
                server.await.map_err(ServeError::from)
            }
            // A database that cannot be brought up to date does not get better by waiting.
            Err(hopeless) => Err(hopeless.into()),
        },
    };

    watching.abort();
    if let Some(jobs) = jobs {
        jobs.stop().await;
    }
    info!("stopped");
    outcome
}

/// What is read again while the service runs.
fn watched(key_file: Option<KeyFile>, keys: Arc<ServerKeys>, tls: Option<&Tls>) -> Vec<Watched> {
    let server_keys = key_file.map(|file| {
        let path = file.path().to_owned();
        Watched::new("server keys", [path], move || {
            let read = file.read()?;
            let are_others = !read.ids().eq(keys.ids());
            if are_others {
                keys.replace(&read);
            }
            Ok::<_, KeyFileError>(are_others)
        })
    });
    let certificate = tls.cloned().map(|tls| Watched::new("certificate", tls.files(), move || tls.renew()));
    server_keys.into_iter().chain(certificate).collect()
}
