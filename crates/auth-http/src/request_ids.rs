use std::sync::atomic::{AtomicU64, Ordering};

use auth_domain::{Entropy, EntropyError, Timestamp};
use uuid::{Builder, Uuid};

/// Names requests, in the log and in answers that are errors. A name is no secret.
///
/// UUIDs of version 7 whose random part begins anywhere and is counted up from there (RFC 9562 §6.2): as unique as if each
/// was random, also among replicas. Asking the system for random octets each time would cost as much as everything else that
/// it takes to refuse an invented credential.
// All workers count it up, so what lies beside it would be taken from each other's caches: it has two lines for itself.
#[derive(Debug)]
#[repr(align(128))]
pub struct RequestIds {
    /// Where it begins.
    random: [u8; 10],
    /// What its last octets are counted up to.
    next: AtomicU64,
}

impl RequestIds {
    /// Names that begin somewhere random.
    pub fn new(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut random = [0; 10];
        entropy.fill(&mut random)?;
        let [_, _, counted @ ..] = random;
        Ok(Self { random, next: AtomicU64::new(u64::from_be_bytes(counted)) })
    }

    /// The name of a request that is seen at `now`.
    pub fn next_at(&self, now: Timestamp) -> Uuid {
        let mut random = self.random;
        let [_, _, counted @ ..] = &mut random;
        *counted = self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        // Before 1970 there were no requests.
        let millis = u64::try_from(now.unix_millis()).unwrap_or_default();
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use auth_domain::system::SystemEntropy;

    use super::*;

    #[test]
    fn requests_of_the_same_moment_have_different_names_and_so_have_those_of_other_replicas() {
        let now = Timestamp::from_unix_millis(1_795_564_800_000);
        let replicas = [(); 2].map(|()| RequestIds::new(&SystemEntropy).unwrap());
        let names: HashSet<Uuid> = replicas.iter().flat_map(|ids| (0..1000).map(|_| ids.next_at(now))).collect();
        assert_eq!(names.len(), 2000);
        for name in names {
            assert_eq!((name.get_version_num(), name.get_variant()), (7, uuid::Variant::RFC4122));
        }
    }
}
