use async_trait::async_trait;

use super::StoreError;
use crate::{ClaimedMail, MailId, Outcome, Settlement, Timestamp};

/// Mails that are owed.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Claims up to `limit` mails that are due at `now` and not held by anyone, codes before notices and decoys, for
    /// one attempt each. Until `lease_until` nobody else gets them. One that is not due for longer than anything is
    /// [put off](crate::rules::PUT_OFF_AT_MOST) is due: the clock was set back. A damaged mail is logged and passed over, so that it
    /// does not hold up the others.
    ///
    /// With each come whether its code is alive and the [address on record](ClaimedMail::on_record) that this is for, as they are
    /// at one moment: a sign-in's mail goes there, and waits without it.
    async fn claim_mails(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<ClaimedMail>, StoreError>;

    /// The same for codes alone: for workers that are kept free for them.
    async fn claim_codes(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<ClaimedMail>, StoreError>;

    /// Records how attempt `attempt` ended, and what the mail server said. Delivery also brings the end of the
    /// mail's code forward to [`LIFE_AFTER_HAND_OVER`](crate::CodeState::LIFE_AFTER_HAND_OVER) from `now`.
    ///
    /// Stale when another attempt has been made since, or the mail is settled or gone.
    async fn settle_mail(
        &self,
        id: MailId,
        attempt: u32,
        settlement: Settlement,
        reply: &str,
        now: Timestamp,
    ) -> Result<Outcome, StoreError>;
}
