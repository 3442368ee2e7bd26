use std::{
    future::{Ready, ready},
    net::IpAddr,
};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{self, AcceptLanguage, Header, Preference},
};
use auth_domain::{Client, Language};

use super::service;
use crate::answer::ApiError;

/// Who sent the request, and the language they read.
pub(crate) struct Sender {
    pub client: Client,
    pub language: Language,
}

impl FromRequest for Sender {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(sender(request))
    }
}

pub(super) fn sender(request: &HttpRequest) -> Result<Sender, ApiError> {
    let service = service(request)?;
    // Requests have a peer wherever they come over a socket.
    let peer = request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip());
    let ip = service.client_address.of(peer, request.headers());
    let user_agent = request.headers().get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    Ok(Sender {
        client: Client::new(ip, user_agent.as_deref().unwrap_or_default()),
        language: language(request, &service.languages),
    })
}

/// The first of the languages that the sender accepts (RFC 9110 §12.5.4) which is among the `offered` ones, a region
/// giving way to its language (RFC 4647 §3.4); English if there is none.
pub fn language(request: &HttpRequest, offered: &[Language]) -> Language {
    // What does not parse is a wish that we do not understand, and no reason to refuse the request.
    let accepted = AcceptLanguage::parse(request).map(|accepted| accepted.ranked()).unwrap_or_default();
    for preference in accepted {
        let Preference::Specific(tag) = preference else { break };
        let Some(wanted) = Language::parse(tag.as_str()) else { continue };
        let primary = wanted.primary();
        if let Some(found) = [wanted, primary].into_iter().find(|language| offered.contains(language)) {
            return found;
        }
    }
    Language::default()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_language_is_the_first_accepted_one_on_offer() {
        let offered = ["en", "es", "pt-br"].map(|tag| Language::parse(tag).unwrap());
        for (accepted, expected) in [
            ("es", "es"),
            ("es-MX", "es"),
            ("ES-mx, en;q=0.9", "es"),
            ("de, es;q=0.5, en;q=0.4", "es"),
            ("en;q=0.4, es;q=0.5", "es"),
            ("pt-BR", "pt-br"),
            ("pt", "en"),
            ("*", "en"),
            ("", "en"),
            ("de;q=high, {}", "en"),
        ] {
            let request = TestRequest::get().insert_header((header::ACCEPT_LANGUAGE, accepted)).to_http_request();
            assert_eq!(language(&request, &offered).as_str(), expected, "{accepted:?}");
        }
        assert_eq!(language(&TestRequest::get().to_http_request(), &offered), Language::default());
    }
}
