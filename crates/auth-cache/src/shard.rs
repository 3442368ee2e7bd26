use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    mem,
    sync::Arc,
};

use auth_domain::TokenDigest;

use crate::memory::Remembered;

/// One part of a memory.
///
/// It has two generations. What is new goes to the young one, and what is found in the old one moves there. When the young
/// one is full, the old one goes, and the young one becomes it: so what nobody has asked for since then is gone.
pub(crate) struct Shard<V> {
    young: Generation<V>,
    old: Generation<V>,
    /// How much a generation holds.
    room: usize,
}

/// By the first octets of a digest; the entry has all of them.
type Generation<V> = HashMap<u64, Arc<Remembered<V>>, BuildHasherDefault<DigestHasher>>;

/// The first octets of a digest, which spread evenly.
pub(crate) fn place(digest: &TokenDigest) -> u64 {
    digest.as_bytes().first_chunk().map_or(0, |octets| u64::from_le_bytes(*octets))
}

impl<V> Shard<V> {
    pub(crate) fn new(room: usize) -> Self {
        Self { young: Generation::default(), old: Generation::default(), room: room.max(1) }
    }

    pub(crate) fn get(&mut self, digest: &TokenDigest) -> Option<Arc<Remembered<V>>> {
        let place = place(digest);
        if let Some(found) = self.young.get(&place) {
            return (found.digest == *digest).then(|| Arc::clone(found));
        }
        let found = self.old.remove(&place).filter(|found| found.digest == *digest)?;
        self.put(Arc::clone(&found));
        Some(found)
    }

    pub(crate) fn put(&mut self, remembered: Arc<Remembered<V>>) {
        if self.young.len() >= self.room {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(place(&remembered.digest), remembered);
    }

    pub(crate) fn remove(&mut self, digest: &TokenDigest) {
        let place = place(digest);
        self.young.remove(&place);
        self.old.remove(&place);
    }

    pub(crate) fn room(&self) -> usize {
        self.room
    }

    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

/// Digests are as good as random already.
#[derive(Default)]
pub(crate) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, octets: &[u8]) {
        // Only ever asked for numbers; this keeps the promise for anything else.
        for octet in octets {
            self.0 = self.0.rotate_left(8) ^ u64::from(*octet);
        }
    }

    fn write_u64(&mut self, number: u64) {
        // The memory chooses a shard by the low bits, so within one they are all the same: the high ones come first.
        self.0 = number.rotate_right(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use auth_domain::{CredentialId, Timestamp};
    use uuid::Uuid;

    use super::*;
    use crate::{forgotten::Forgotten, last_use::LastUse};

    fn digest(number: u64) -> TokenDigest {
        let mut octets = [7; 32];
        octets[..8].copy_from_slice(&number.to_le_bytes());
        TokenDigest::from_stored(octets)
    }

    fn remembered(number: u64) -> Arc<Remembered<u64>> {
        Arc::new(Remembered {
            digest: digest(number),
            user: Uuid::from_u128(1).into(),
            credential: CredentialId::Session(Uuid::from_u128(2).into()),
            ends_at: Timestamp::from_unix_millis(0),
            epoch: Forgotten::default().epoch(),
            last_use: LastUse::of(None),
            value: number,
        })
    }

    #[test]
    fn what_is_asked_for_stays_and_what_is_not_goes() {
        let mut shard = Shard::new(10);
        for number in 0..100 {
            shard.put(remembered(number));
            assert!(shard.get(&digest(0)).is_some(), "asked for all the time, gone after {number}");
            assert!(shard.len() <= 21);
        }
        assert!(shard.get(&digest(50)).is_none());
        assert!(shard.get(&digest(99)).is_some());
    }

    #[test]
    fn digests_that_begin_alike_are_told_apart() {
        let mut shard = Shard::new(10);
        shard.put(remembered(1));
        let mut alike = *digest(1).as_bytes();
        alike[31] ^= 1;
        assert!(shard.get(&TokenDigest::from_stored(alike)).is_none());
        shard.remove(&digest(1));
        assert!(shard.get(&digest(1)).is_none());
    }
}
