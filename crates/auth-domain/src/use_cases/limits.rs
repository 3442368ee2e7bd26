use tracing::info;

use super::{Auth, audit::tell};
use crate::{
    Actor, AuthError, Client, EmailAddress, Event, EventKind, EventOutcome, Language, MailClass, MailContent, Notice,
    Outcome, Refusal, Restraint, Timestamp, ToldLockout, rules::event_of_refusal,
};

impl Auth {
    /// Tells the owners of up to `limit` addresses by mail that so much was guessed wrong there that no more guesses are accepted.
    /// Returns how many addresses were dealt with; there may be more if it is `limit`. To be called every few seconds.
    pub async fn tell_of_lockouts(&self, limit: u32) -> Result<usize, AuthError> {
        let Some(limits) = self.policy.limits else { return Ok(0) };
        let lockouts = self.ports.store.list_untold_lockouts(limits.failures_in_a_row, limit).await?;
        let found = lockouts.len();
        for lockout in lockouts {
            let (told_at, failures_in_a_row) = (self.now(), limits.failures_in_a_row);
            let mint = |to: &EmailAddress| {
                // Whoever guessed there may speak any language.
                let (language, content) = (Language::default(), MailContent::Notice(Notice::AddressLocked));
                self.mint_mail(Some(to), &language, &content, MailClass::Notice, None, told_at)
            };
            let mail = lockout.mail_to.as_ref().map(mint).transpose()?;
            let told = ToldLockout { lockout, failures_in_a_row, mail, told_at };
            if let (Outcome::Done(()), Some(mail)) = (self.ports.store.tell_lockout(&told).await?, &told.mail) {
                self.ports.bell.ring();
                info!(mail.id = %mail.id, "the owner of a locked address is told");
            }
        }
        Ok(found)
    }

    /// Charges a look-up of a user to the client's network.
    pub(super) async fn charge_look_up(&self, client: &Client) -> Result<(), AuthError> {
        let now = self.now();
        let Some(restraint) = self.restraint(&Actor::stranger(client), now)? else { return Ok(()) };
        match self.ports.store.charge_look_up(client.network(), &restraint).await? {
            Outcome::Done(()) => Ok(()),
            Outcome::RateLimited(refusal) => Err(refused(Some(&restraint), refusal, now)),
            other => Err(other.into()),
        }
    }

    /// What a request of `actor` at `now` is measured by.
    pub(super) fn restraint(&self, actor: &Actor, now: Timestamp) -> Result<Option<Restraint>, AuthError> {
        let Some(limits) = self.policy.limits else { return Ok(None) };
        let event = self.event(EventKind::Throttled, actor, now)?;
        Ok(Some(Restraint { limits, event: Event { outcome: EventOutcome::Failure, ..event } }))
    }
}

/// What somebody is told whose request a limit refused at `now`.
pub(super) fn throttled(refusal: Refusal, now: Timestamp) -> AuthError {
    AuthError::Throttled { limit: refusal.limit, retry_after: refusal.until.since(now) }
}

/// The same for a request with this restraint; tells the log what the audit log has been told.
pub(super) fn refused(restraint: Option<&Restraint>, refusal: Refusal, now: Timestamp) -> AuthError {
    if let Some(restraint) = restraint.filter(|_| refusal.told) {
        tell(&event_of_refusal(restraint, refusal.limit, refusal.owner));
    }
    throttled(refusal, now)
}
