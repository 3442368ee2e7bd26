use crate::KeyId;

/// How much hangs on a server key: what would end with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hanging {
    /// Sessions that are live.
    pub sessions: u64,
    /// Key pairs that work.
    pub key_pairs: u64,
    /// Codes that could still be redeemed. Decoys are among them: nothing tells them apart any more.
    pub codes: u64,
    /// Mails that are owed to somebody.
    pub mails: u64,
}

/// What a server key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRole {
    /// New credentials are made with it, and old ones verified.
    Signs,
    /// Credentials that were made with it are verified.
    Verifies,
    /// None: there is no such key any more, and what hangs on it is refused.
    Gone,
}

/// A server key, by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyInUse {
    /// The key.
    pub id: KeyId,
    /// What it is for.
    pub role: KeyRole,
    /// What hangs on it.
    pub hanging: Hanging,
}
