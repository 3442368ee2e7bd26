//! The running service, from its first to its last moment.

use std::{io, net::SocketAddr, time::Duration};

use actix_web::{HttpServer, web};
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::{
    compose::{ComposeError, Parts, compose},
    jobs::Jobs,
    routes::app,
    settings::Settings,
};

/// How long a client may take to send the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// How long a client that is still sending what nobody wants may take to read its answer.
const LINGER: Duration = Duration::from_secs(5);
/// How long an idle connection is kept open: longer than the usual reverse proxy's own limit of 60 s.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How many seconds running requests get to finish after a signal.
const FINISH_WITHIN: u64 = 10;

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
    let listener = std::net::TcpListener::bind(address).map_err(|source| ServeError::Listen { address, source })?;
    let bound = listener.local_addr()?;
    let cors_origins = settings.http.cors_origins.clone();
    let Parts { service, store, courier, bell } = compose(settings)?;
    let jobs = Jobs::start(&service, store, courier, bell);

    let server = server(listener, service, cors_origins)?;
    info!(address = %bound, "listening");
    server.await?;

    jobs.stop().await;
    info!("stopped");
    Ok(())
}

fn server(
    listener: std::net::TcpListener,
    service: web::Data<crate::service::Service>,
    cors_origins: Vec<String>,
) -> io::Result<actix_web::dev::Server> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!(signal = name, "stopping");
    };
    let server = HttpServer::new(move || app(service.clone(), &cors_origins))
        .client_request_timeout(HEAD_WITHIN)
        .client_disconnect_timeout(LINGER)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(FINISH_WITHIN)
        .shutdown_signal(stop)
        .listen(listener)?;
    Ok(server.run())
}
