//! The running service, from its first to its last moment.

mod crowd;
mod helpings;
mod patience;
mod transport;
mod unheard;

use std::{io, net::SocketAddr, pin::pin};

use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::{
    compose::{ComposeError, Parts, compose},
    jobs::Jobs,
    settings::Settings,
};

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
    /// The server broke.
    #[error("the server ended")]
    Ended(#[from] io::Error),
}

/// Serves until SIGTERM or SIGINT: then no more connections are accepted, running requests get ten seconds, mails
/// being handed over are finished and last uses are written.
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

    let Parts { service, work, preparing } = compose(settings)?;
    let (server, bound) = transport::listen(address, connections, service.clone(), cors_origins, stop)
        .map_err(|source| ServeError::Listen { address, source })?;
    info!(address = %bound, "listening");
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

    if let Some(jobs) = jobs {
        jobs.stop().await;
    }
    info!("stopped");
    outcome
}
