use std::sync::Arc;

use auth_domain::{Auth, Courier, NoBell, Policy, Ports, ServerKeys, Timestamp};

use crate::{CountingEntropy, InMemoryStore, ManualClock, RecordingMailer, SentMail};

/// All the fakes, wired: a store, a clock, a mailer and a random source that a test can reach into.
pub struct World {
    /// The store.
    pub store: Arc<InMemoryStore>,
    /// The clock; it starts on 2026-11-24 at midnight, UTC.
    pub clock: Arc<ManualClock>,
    /// The mailer.
    pub mailer: Arc<RecordingMailer>,
    /// The random source.
    pub entropy: Arc<CountingEntropy>,
    /// The server keys.
    pub keys: Arc<ServerKeys>,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// An empty world.
    pub fn new() -> Self {
        Self {
            store: Arc::default(),
            clock: Arc::new(ManualClock::at(Timestamp::from_unix_millis(1_795_478_400_000))),
            mailer: Arc::default(),
            entropy: Arc::default(),
            keys: Arc::new(ServerKeys::new([[7; 32]]).expect("one key")),
        }
    }

    /// The ports of this world.
    pub fn ports(&self) -> Ports {
        Ports {
            store: self.store.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            bell: Arc::new(NoBell),
        }
    }

    /// The use cases in this world.
    pub fn auth(&self, policy: Policy) -> Auth {
        Auth::new(self.ports(), policy, self.keys.clone())
    }

    /// The courier of this world.
    pub fn courier(&self) -> Courier {
        Courier {
            store: self.store.clone(),
            mailer: self.mailer.clone(),
            keys: self.keys.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        }
    }

    /// Makes one attempt at everything that is due, and returns what went out.
    pub async fn deliver_mail(&self) -> Vec<SentMail> {
        let courier = self.courier();
        for claimed in courier.claim(1000).await.expect("the outbox answers") {
            courier.deliver(&claimed).await.expect("the outbox answers");
        }
        self.mailer.take()
    }
}
