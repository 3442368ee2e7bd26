//! Encryption of connections, by rustls.

use std::{io, path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::options::TlsMode;

/// Why the authorities to trust cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("sslrootcert {}: {reason}", path.display())]
pub struct InvalidAuthorities {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// What encrypts connections; `None` when nothing does.
pub(crate) fn connector(mode: &TlsMode) -> Result<Option<MakeRustlsConnect>, InvalidAuthorities> {
    let provider = Arc::new(ring::default_provider());
    let builder = || {
        let versions = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        // Fails only for a provider that knows none of the cipher suites of TLS 1.2 and 1.3.
        versions.unwrap_or_else(|_| unreachable!("ring knows the cipher suites of TLS 1.2 and 1.3"))
    };
    let config = match mode {
        TlsMode::Disable => return Ok(None),
        TlsMode::Prefer | TlsMode::Require => builder()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(Arc::clone(&provider))))
            .with_no_client_auth(),
        TlsMode::VerifyFull { authorities: None } => {
            let public = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            builder().with_root_certificates(public).with_no_client_auth()
        }
        TlsMode::VerifyFull { authorities: Some(path) } => {
            let own =
                read(path).map_err(|error| InvalidAuthorities { path: path.clone(), reason: error.to_string() })?;
            builder().with_root_certificates(own).with_no_client_auth()
        }
    };
    Ok(Some(MakeRustlsConnect::new(config)))
}

fn read(path: &PathBuf) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let octets = std::fs::read(path)?;
    for certificate in CertificateDer::pem_slice_iter(&octets) {
        let certificate = certificate.map_err(|error| io::Error::other(error.to_string()))?;
        roots.add(certificate).map_err(|error| io::Error::other(error.to_string()))?;
    }
    if roots.is_empty() { Err(io::Error::other("there is no certificate in it")) } else { Ok(roots) }
}

/// Takes any certificate, as `sslmode=require` and `prefer` do: encryption against those who listen, and no protection
/// against those who stand in between.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
