use std::{sync::Arc, time::Duration};

use tracing::{Instrument, debug_span, error, info, instrument, warn};

use crate::{
    ClaimedMail, Clock, Entropy, Mail, MailClass, MailError, Mailer, Outcome, ServerKeys, Settlement, Store,
    StoreError,
    model::Unopened,
    rules::{LEASE, is_worth_sending, wait_before_retry},
};

/// Delivers what the outbox owes: claim, hand over, settle.
///
/// Any number of couriers may work on one store, in any number of processes: a mail is claimed by one at a time. A
/// courier that dies holds its mails for 30 seconds, then another takes them over; only one that dies between the
/// mail server's answer and the settling leads to a second copy.
pub struct Courier {
    /// Where the mails are owed.
    pub store: Arc<dyn Store>,
    /// What takes them.
    pub mailer: Arc<dyn Mailer>,
    /// What they are sealed with.
    pub keys: Arc<ServerKeys>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Spreads retries.
    pub entropy: Arc<dyn Entropy>,
}

/// What became of one claimed mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// The mail server took it; a decoy counts as taken.
    HandedOver,
    /// It left the outbox without having been taken: refused, no longer worth sending, or not to be unsealed.
    GivenUp,
    /// It is to be tried again.
    Deferred,
    /// Somebody else settled it, or it is gone.
    Overtaken,
}

impl Courier {
    /// Claims up to `limit` mails that are due. Each must be passed to [`deliver`](Self::deliver) soon.
    pub async fn claim(&self, limit: u32) -> Result<Vec<ClaimedMail>, StoreError> {
        let now = self.clock.now();
        self.store.claim_mails(now, now.plus(LEASE), limit).await
    }

    /// The same for mails with a code alone.
    pub async fn claim_codes(&self, limit: u32) -> Result<Vec<ClaimedMail>, StoreError> {
        let now = self.clock.now();
        self.store.claim_codes(now, now.plus(LEASE), limit).await
    }

    /// Makes one attempt at a claimed mail and records how it ended.
    #[instrument(level = "debug", name = "deliver_mail", skip_all, fields(mail.id = %claimed.id, mail.class = claimed.class.as_str(), attempt = claimed.attempt))]
    pub async fn deliver(&self, claimed: &ClaimedMail) -> Result<Delivered, StoreError> {
        let (settlement, reply) = self.attempt(claimed).await;
        let now = self.clock.now();
        match self.store.settle_mail(claimed.id, claimed.attempt, settlement, &reply, now).await? {
            Outcome::Done(()) => Ok(match settlement {
                Settlement::Delivered => Delivered::HandedOver,
                Settlement::Abandoned => Delivered::GivenUp,
                Settlement::Deferred(_) => Delivered::Deferred,
            }),
            _settled_by_another => Ok(Delivered::Overtaken),
        }
    }

    async fn attempt(&self, claimed: &ClaimedMail) -> (Settlement, String) {
        if !is_worth_sending(claimed, self.clock.now()) {
            return (Settlement::Abandoned, "no longer worth sending".to_owned());
        }
        if claimed.class == MailClass::Decoy {
            return (Settlement::Delivered, String::new());
        }
        let mail = match Mail::open(claimed, &self.keys) {
            Ok(mail) => mail,
            Err(Unopened::Unreadable) => {
                error!(mail.id = %claimed.id, key.id = %claimed.sealed.key_id, "mail cannot be unsealed: its server key was removed, or its row is damaged");
                return (Settlement::Abandoned, "cannot be unsealed".to_owned());
            }
            Err(Unopened::Nowhere) => {
                error!(mail.id = %claimed.id, "mail has nowhere to go: the row of the address that its code is for is damaged");
                let wait = self.wait_after(claimed);
                return (Settlement::Deferred(self.clock.now().plus(wait)), "no address on record".to_owned());
            }
        };
        match self.mailer.deliver(&mail).instrument(debug_span!("hand_over")).await {
            Ok(reply) => {
                info!(mail.id = %claimed.id, attempt = claimed.attempt, reply, "mail handed over");
                (Settlement::Delivered, reply)
            }
            Err(refused @ MailError::Permanent(_)) => {
                error!(mail.id = %claimed.id, attempt = claimed.attempt, reason = %refused, "mail given up");
                (Settlement::Abandoned, refused.to_string())
            }
            Err(failed @ MailError::Transient(_)) => {
                let wait = self.wait_after(claimed);
                warn!(mail.id = %claimed.id, attempt = claimed.attempt, reason = %failed, wait_ms = wait.as_millis(), "mail to be tried again");
                (Settlement::Deferred(self.clock.now().plus(wait)), failed.to_string())
            }
        }
    }

    fn wait_after(&self, failed: &ClaimedMail) -> Duration {
        wait_before_retry(failed.attempt, self.spread())
    }

    /// A random octet; without one, retries are merely not spread.
    fn spread(&self) -> u8 {
        let mut octet = [0];
        match self.entropy.fill(&mut octet) {
            Ok(()) => octet[0],
            Err(_unavailable) => 0,
        }
    }
}
