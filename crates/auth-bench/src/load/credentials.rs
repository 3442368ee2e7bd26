use auth_domain::{ApiKey, ApiSecret, Bearer, Entropy, ServerKeys, system::SystemEntropy};

use super::{BASE, Scale};
use crate::{Measured, client::request};

/// The credentials that are asked for, of the first rows of each table, and the server key that they hang on.
pub(crate) struct Credentials {
    /// The setting `secrets.key`.
    pub(crate) server_key: String,
    pub(super) key_id: String,
    pub(crate) sessions: Vec<Session>,
    pub(crate) key_pairs: Vec<KeyPair>,
}

/// A session whose bearer is known.
pub(crate) struct Session {
    /// The line that presents it.
    pub(crate) header: String,
    /// Hexadecimal.
    pub(super) digest: String,
}

/// A key pair of which both halves are known.
pub(crate) struct KeyPair {
    /// The lines that present it.
    pub(crate) header: String,
    pub(super) key: String,
    /// Hexadecimal.
    pub(super) digest: String,
}

impl Credentials {
    /// New ones, under a key that nobody else will have.
    pub(crate) fn mint(scale: &Scale) -> Measured<Self> {
        let secret: [u8; 32] = random()?;
        let keys = ServerKeys::new([secret])?;
        let sessions = (0..scale.bearers).map(|_| {
            let bearer = Bearer::mint(&keys, &SystemEntropy)?;
            let header = format!("Authorization: Bearer {}\r\n", bearer.expose());
            Ok(Session { header, digest: hex::encode(bearer.digest().as_bytes()) })
        });
        let key_pairs = (0..scale.asked_for).map(|_| {
            let (key, secret) = (ApiKey::mint(&keys, &SystemEntropy)?, ApiSecret::mint(&keys, &SystemEntropy)?);
            Ok(KeyPair {
                header: format!("api-key: {}\r\napi-secret: {}\r\n", key.as_str(), secret.expose()),
                key: key.as_str().to_owned(),
                digest: hex::encode(secret.digest().as_bytes()),
            })
        });
        Ok(Self {
            server_key: hex::encode(secret),
            key_id: keys.signing_id().to_string(),
            sessions: sessions.collect::<Measured<_>>()?,
            key_pairs: key_pairs.collect::<Measured<_>>()?,
        })
    }

    /// Requests for `path` by the first sessions.
    pub(crate) fn by_sessions(&self, scale: &Scale, path: &str) -> Vec<String> {
        let first = self.sessions.iter().take(scale.asked_for as usize);
        first.map(|session| request("GET", &format!("{BASE}{path}"), &session.header, "")).collect()
    }

    /// Requests for `path` by all key pairs.
    pub(crate) fn by_key_pairs(&self, path: &str) -> Vec<String> {
        self.key_pairs.iter().map(|pair| request("GET", &format!("{BASE}{path}"), &pair.header, "")).collect()
    }
}

/// Requests with bearers that look like real ones, and that no server key has made.
pub(crate) fn invented(scale: &Scale) -> Measured<Vec<String>> {
    let keys = ServerKeys::new([random()?])?;
    let requests = (0..scale.asked_for).map(|_| {
        let bearer = Bearer::mint(&keys, &SystemEntropy)?;
        let header = format!("Authorization: Bearer {}\r\n", bearer.expose());
        Ok(request("GET", &format!("{BASE}/session"), &header, ""))
    });
    requests.collect()
}

fn random() -> Measured<[u8; 32]> {
    let mut octets = [0; 32];
    SystemEntropy.fill(&mut octets)?;
    Ok(octets)
}
