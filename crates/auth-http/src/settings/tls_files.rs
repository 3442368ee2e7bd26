use std::path::PathBuf;

use serde::Deserialize;

/// Where a certificate and its key are, in PEM.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The certificate, then those that lead from it to an authority. Empty: there is none.
    pub cert: PathBuf,
    /// Its private key (PKCS #8, PKCS #1 or SEC 1). Empty: there is none.
    pub key: PathBuf,
}

impl TlsFiles {
    /// The files, if there are any.
    pub fn named(&self) -> Option<&Self> {
        (!self.cert.as_os_str().is_empty()).then_some(self)
    }

    /// Whether one of them is missing.
    pub(super) fn are_half_named(&self) -> bool {
        self.cert.as_os_str().is_empty() != self.key.as_os_str().is_empty()
    }
}
