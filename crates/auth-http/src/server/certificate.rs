use std::{
    fmt, fs,
    io::Cursor,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rustls::{
    InconsistentKeys, ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tracing::debug;
use zeroize::Zeroizing;

use crate::settings::TlsFiles;

/// How long a client may take for its part of the handshake.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("setting {setting}: {}", path.display())]
    Unreadable {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should. Nothing of it is quoted.
    #[error("setting {setting}: {} holds no {expected} in PEM", path.display())]
    NotPem {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
    },
    /// The key is the key of something else.
    #[error("setting http.tls.key: {} does not belong to the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// They cannot be used together for another reason.
    #[error("setting http.tls.cert: {}", path.display())]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// The service's side of TLS 1.2 and 1.3, with a certificate that can be replaced under connections that go on.
#[derive(Clone)]
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
    files: TlsFiles,
}

/// The certificate that clients are shown from now on.
struct Shown(RwLock<Arc<CertifiedKey>>);

impl Tls {
    /// Shows the certificate in these files.
    pub(super) fn with(files: TlsFiles) -> Result<Self, CertificateError> {
        let shown = Arc::new(Shown(RwLock::new(Arc::new(read(&files)?))));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap_or_else(|_| unreachable!("the provider knows both versions"));
        let mut config = config.with_no_client_auth().with_cert_resolver(shown.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), shown, files })
    }

    /// The files that the certificate and its key are in.
    pub(super) fn files(&self) -> [PathBuf; 2] {
        [self.files.cert.clone(), self.files.key.clone()]
    }

    /// Shows what the files hold now, and returns whether that is another certificate. If it cannot be used, the one that is
    /// shown stays.
    pub(super) fn renew(&self) -> Result<bool, CertificateError> {
        let new = Arc::new(read(&self.files)?);
        let mut shown = self.shown.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_another = shown.cert != new.cert;
        *shown = new;
        Ok(is_another)
    }

    /// The client's connection once the handshake is over. One that fails is told why, as TLS has it, and closed.
    pub(super) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        match timeout(HANDSHAKE_WITHIN, self.acceptor.accept(stream).into_fallible()).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err((failed, mut stream))) => {
                debug!(reason = %failed, "no TLS connection");
                let _gone_already = stream.shutdown().await;
                Err(failed)
            }
            Err(_elapsed) => Err(std::io::ErrorKind::TimedOut.into()),
        }
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown")
    }
}

fn read(files: &TlsFiles) -> Result<CertifiedKey, CertificateError> {
    let (cert_setting, key_setting) = ("http.tls.cert", "http.tls.key");
    let text = |setting, path: &PathBuf| {
        let unreadable = |source| CertificateError::Unreadable { setting, path: path.clone(), source };
        fs::read(path).map(Zeroizing::new).map_err(unreadable)
    };
    let not_pem =
        |setting, path: &PathBuf, expected| CertificateError::NotPem { setting, path: path.clone(), expected };

    let pem = text(cert_setting, &files.cert)?;
    // What is wrong with a file is not told in the words of who reads it: they may quote it.
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|_quotes_the_file| not_pem(cert_setting, &files.cert, "certificates"))?;
    if chain.is_empty() {
        return Err(not_pem(cert_setting, &files.cert, "certificates"));
    }
    let pem = text(key_setting, &files.key)?;
    let key = PrivateKeyDer::from_pem_reader(Cursor::new(pem.as_slice()));
    let key = key.map_err(|_quotes_the_file| not_pem(key_setting, &files.key, "private key"))?;
    CertifiedKey::from_der(chain, key, &default_provider()).map_err(|why| match why {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            CertificateError::Mismatch { key: files.key.clone(), certificate: files.cert.clone() }
        }
        source => CertificateError::Unusable { path: files.cert.clone(), source },
    })
}
