//! The ceiling: what actix itself makes of this machine.

use actix_web::{App, HttpResponse, HttpServer, http::header, web};

use crate::Measured;

/// What stands around the body. Its length has three digits, as those of our answers have.
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 000\r\ncontent-type: application/json\r\n\
                    date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n";

/// Answers every request with the same `octets`, head included, until it is killed. It has no middleware, one route, and as
/// many workers as the service.
pub(crate) fn serve(octets: usize) -> Measured<()> {
    let body = web::Bytes::from(vec![b'x'; octets.saturating_sub(HEAD.len())]);
    let json = (header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            let (body, json) = (body.clone(), json.clone());
            App::new().default_service(web::to(move || {
                let (body, json) = (body.clone(), json.clone());
                async move { HttpResponse::Ok().insert_header(json).body(body) }
            }))
        });
        let server = server.bind(("127.0.0.1", 0))?;
        // As the service says it, so that both are started alike.
        for address in server.addrs() {
            println!(r#"{{"message":"listening","address":"{address}"}}"#);
        }
        Ok(server.run().await?)
    })
}
