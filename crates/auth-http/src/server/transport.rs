use std::{io, net::SocketAddr, time::Duration};

use actix_http::{HttpService, Protocol};
use actix_server::Server;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::{dev::AppConfig, web};
use tokio::net::TcpStream;

use super::{certificate::Tls, unheard::Unheard, wire::Wire};
use crate::{routes::app, service::Service};

/// How long a client may take to send the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// How long a client that is still sending what nobody wants may take to read its answer.
pub(super) const LINGER: Duration = Duration::from_secs(5);
/// How long an idle connection is kept open: longer than the usual reverse proxy's own limit of 60 s.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How many seconds running requests get to finish after a signal.
const FINISH_WITHIN: u64 = 10;

/// A server on `address` that runs until `stop` is ready, and the addresses it is bound to.
pub(super) fn listen(
    address: SocketAddr,
    service: web::Data<Service>,
    cors_origins: Vec<String>,
    tls: Option<Tls>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<(Server, SocketAddr)> {
    let listener = std::net::TcpListener::bind(address)?;
    let bound = listener.local_addr()?;
    let builder = Server::build().shutdown_timeout(FINISH_WITHIN).shutdown_signal(stop);
    let draining = builder.graceful_shutdown_signal();
    let server = builder.listen("http", listener, move || {
        let (service, draining) = (service.clone(), draining.clone());
        let new_id = {
            let service = service.clone();
            move || service.new_request_id()
        };
        let app = map_config(app(service, &cors_origins).into_factory(), |()| AppConfig::default());
        let http = HttpService::build()
            .client_request_timeout(HEAD_WITHIN)
            .client_disconnect_timeout(LINGER)
            .keep_alive(KEEP_ALIVE)
            .graceful_shutdown_signal(move || {
                let draining = draining.clone();
                async move { draining.notified().await }
            })
            .finish(app);
        let tls = tls.clone();
        fn_service(move |stream: TcpStream| {
            let (new_id, tls) = (new_id.clone(), tls.clone());
            async move {
                // Answers are small and whole: waiting to fill a segment only delays them.
                stream.set_nodelay(true)?;
                let peer = stream.peer_addr().ok();
                let wire = match tls {
                    None => Wire::Plain(stream),
                    Some(tls) => Wire::Tls(Box::new(tls.accept(stream).await?)),
                };
                Ok::<_, actix_http::error::DispatchError>((Unheard::on(wire, new_id), Protocol::Http1, peer))
            }
        })
        .and_then(http)
    })?;
    Ok((server.run(), bound))
}
