use std::path::PathBuf;

use lettre::transport::smtp::{
    authentication::Credentials,
    client::{Certificate, CertificateStore, Tls, TlsParameters, TlsParametersBuilder},
    extension::ClientId,
};

use super::{
    trouble::innermost,
    url::{Authorities, Encryption, SmtpUrl},
};
use crate::Sender;

/// How a certificate begins in a PEM file (RFC 7468 §5.1).
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// A mail server, with everything at hand that a connection to it takes.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    pub(super) credentials: Option<Credentials>,
    /// Who we say we are.
    pub(super) hello: ClientId,
}

/// Why the authorities to trust cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("ca {}: {reason}", path.display())]
pub struct InvalidAuthorities {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

impl Server {
    pub(super) fn new(url: SmtpUrl, from: &Sender) -> Result<Self, InvalidAuthorities> {
        let SmtpUrl { host, port, encryption, credentials } = url;
        let tls = match encryption {
            Encryption::Never => Tls::None,
            Encryption::IfOffered => Tls::Opportunistic(whoever_it_is(&host)),
            Encryption::StartTls(authorities) => Tls::Required(checked(&host, &authorities)?),
            Encryption::Implicit(authorities) => Tls::Wrapper(checked(&host, &authorities)?),
        };
        Ok(Self { host, port, tls, credentials, hello: hello(ClientId::default(), from.domain()) })
    }
}

/// This machine's name if it is a full one, else the sender's domain if that is, else an address literal: what
/// servers that look at it take best (RFC 5321 §4.1.4).
fn hello(machine: ClientId, sender_domain: &str) -> ClientId {
    let is_full = |name: &str| {
        name.contains('.') && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.'))
    };
    match machine {
        ClientId::Domain(name) if is_full(&name) => ClientId::Domain(name),
        _ if is_full(sender_domain) => ClientId::Domain(sender_domain.to_owned()),
        _ => ClientId::Ipv4([127, 0, 0, 1].into()),
    }
}

fn checked(host: &str, authorities: &Authorities) -> Result<TlsParameters, InvalidAuthorities> {
    let builder = TlsParameters::builder(host.to_owned());
    match authorities {
        Authorities::Public => Ok(built(builder.certificate_store(CertificateStore::WebpkiRoots))),
        Authorities::File(path) => {
            let invalid = |reason: String| InvalidAuthorities { path: path.clone(), reason };
            let pem = std::fs::read(path).map_err(|error| invalid(error.to_string()))?;
            if !pem.windows(BEGIN.len()).any(|octets| octets == BEGIN) {
                return Err(invalid("there is no certificate in it".to_owned()));
            }
            let own = Certificate::from_pem(&pem).map_err(|error| invalid(innermost(&error)))?;
            let builder = builder.certificate_store(CertificateStore::None).add_root_certificate(own);
            builder.build().map_err(|error| invalid(innermost(&error)))
        }
    }
}

/// Encryption against those who listen, and no protection against those who stand in between: they could take the
/// offer of STARTTLS out of the server's greeting just as well.
fn whoever_it_is(host: &str) -> TlsParameters {
    let nobody = TlsParameters::builder(host.to_owned()).certificate_store(CertificateStore::None);
    built(nobody.dangerous_accept_invalid_certs(true).dangerous_accept_invalid_hostnames(true))
}

fn built(builder: TlsParametersBuilder) -> TlsParameters {
    // Fails only for a certificate that cannot be read, or cryptography that knows no version of TLS.
    builder.build().unwrap_or_else(|error| unreachable!("TLS without certificates of our own: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_greet_with_the_fullest_name_there_is() {
        let named = |name: &str| ClientId::Domain(name.to_owned());
        let literal = ClientId::Ipv4([127, 0, 0, 1].into());
        for (machine, sender_domain, expected) in [
            (named("auth1.example.org"), "example.com", named("auth1.example.org")),
            (named("8a1f3c"), "example.com", named("example.com")),
            (named("not a.name"), "example.com", named("example.com")),
            (ClientId::Ipv4([10, 0, 0, 1].into()), "example.com", named("example.com")),
            (named("8a1f3c"), "localhost", literal.clone()),
            (named("8a1f3c"), "bücher.example", literal),
        ] {
            assert_eq!(hello(machine, sender_domain), expected);
        }
    }

    #[test]
    fn a_file_without_authorities_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let told = || {
            let authorities = Authorities::File(file.clone());
            checked("mail", &authorities).err().unwrap().to_string()
        };
        assert!(told().starts_with(&format!("ca {}: ", file.display())));
        std::fs::write(&file, "").unwrap();
        assert_eq!(told(), format!("ca {}: there is no certificate in it", file.display()));
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(told().starts_with(&format!("ca {}: ", file.display())));
    }
}
