use std::{io, net::SocketAddr, num::NonZero, sync::Arc, thread, time::Duration};

use actix_http::{HttpService, Protocol, Request};
use actix_server::Server;
use actix_service::{IntoServiceFactory, Service as _, ServiceFactoryExt, apply_fn_factory, fn_service, map_config};
use actix_web::{dev::AppConfig, web};
use tokio::net::TcpStream;

use super::{
    certificate::Tls,
    crowd::{Crowd, room_for},
    helpings::{Handling, Helpings},
    patience::Patience,
    unheard::Unheard,
    wire::Wire,
};
use crate::{routes::app, service::Service};

/// How long a client may take to send the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// How long a client that is still sending what nobody wants may take to read its answer.
pub(super) const LINGER: Duration = Duration::from_secs(5);
/// How long an idle connection is kept open: longer than the usual reverse proxy's own limit of 60 s.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How many seconds running requests get to finish after a signal.
const FINISH_WITHIN: u64 = 10;
/// The most workers that the library starts.
const MOST_WORKERS: usize = 512;

/// A client's connection.
type Connection<N> = Unheard<Helpings<Patience<Wire>>, N>;

/// A server on `address` with at most this many connections at once, give or take one for each worker, that runs until `stop`
/// is ready; and the address it is bound to.
pub(super) fn listen(
    address: SocketAddr,
    connections: NonZero<u32>,
    service: web::Data<Service>,
    cors_origins: Vec<String>,
    tls: Option<Tls>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<(Server, SocketAddr)> {
    let listener = std::net::TcpListener::bind(address)?;
    let bound = listener.local_addr()?;
    let workers = thread::available_parallelism().map_or(2, NonZero::get).min(MOST_WORKERS);
    let connections = room_for(connections);
    let crowd = Crowd::of_at_most(connections);
    let builder = Server::build()
        .workers(workers)
        .max_concurrent_connections(connections.div_ceil(workers))
        .shutdown_timeout(FINISH_WITHIN)
        .shutdown_signal(stop);
    let draining = builder.graceful_shutdown_signal();
    let server = builder.listen("http", listener, move || {
        let (service, draining, crowd) = (service.clone(), draining.clone(), Arc::clone(&crowd));
        let new_id = {
            let service = service.clone();
            move || service.new_request_id()
        };
        let app = map_config(app(service, &cors_origins).into_factory(), |()| AppConfig::default());
        let app = apply_fn_factory(app, |request: Request, app| {
            let handling = request.conn_data::<Handling>().cloned().unwrap_or_default();
            handling.fairly(app.call(request))
        });
        let http = HttpService::build()
            .client_request_timeout(HEAD_WITHIN)
            .client_disconnect_timeout(LINGER)
            .keep_alive(KEEP_ALIVE)
            .on_connect_ext(|connection: &Connection<_>, extensions| {
                extensions.insert(connection.io().handling().clone());
            })
            .graceful_shutdown_signal(move || {
                let draining = draining.clone();
                async move { draining.notified().await }
            })
            .finish(app);
        let tls = tls.clone();
        fn_service(move |stream: TcpStream| {
            let (new_id, tls, place) = (new_id.clone(), tls.clone(), crowd.enter());
            async move {
                // Answers are small and whole: waiting to fill a segment only delays them.
                stream.set_nodelay(true)?;
                let peer = stream.peer_addr().ok();
                let wire = match tls {
                    None => Wire::Plain(stream),
                    Some(tls) => Wire::Tls(Box::new(tls.accept(stream).await?)),
                };
                let connection = Unheard::on(Helpings::of(Patience::with(wire, place), Handling::default()), new_id);
                Ok::<_, actix_http::error::DispatchError>((connection, Protocol::Http1, peer))
            }
        })
        .and_then(http)
    })?;
    Ok((server.run(), bound))
}
