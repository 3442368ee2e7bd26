use tracing::{info, instrument};

use super::{
    ATTEMPTS, Auth,
    audit::tell,
    contended,
    limits::refused,
    minting::{CodeRequest, language_of},
};
use crate::{
    Actor, AuthError, Caller, Client, CodeHash, CodeId, CodeMail, CodePurpose, CodeState, Email, EmailAddition,
    EmailAddress, EmailChange, EmailId, EmailRenewal, EventKind, KnownAddress, Language, LiveSession, MailClass,
    MailContent, NewCode, Notice, Outcome, QueuedMail, Timestamp, UserId,
    rules::{Addition, judge_addition, judge_freshness, judge_preference, judge_removal},
};

/// An address that waits for its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddedEmail {
    /// The address's id.
    pub email_id: EmailId,
    /// The code's id.
    pub code_id: CodeId,
}

impl Auth {
    /// The caller's addresses, oldest first.
    pub async fn list_emails(&self, caller: &LiveSession) -> Result<Vec<Email>, AuthError> {
        Ok(self.ports.store.list_emails(caller.user.id).await?)
    }

    /// Adds an address to the caller's account, mails a code to it in `language`, and tells the account's verified
    /// addresses. An address that waits already gets a new code.
    ///
    /// An address with an owner elsewhere is not told apart: its code is a decoy, and the owner gets a mail that
    /// says so.
    ///
    /// # Errors
    /// [`AuthError::StepUpRequired`]; [`AuthError::AddressVerified`] for the caller's own verified address;
    /// [`AuthError::TooManyAddresses`]; [`AuthError::Throttled`]; or what the store or the random source report.
    #[instrument(level = "debug", skip_all)]
    pub async fn add_email(
        &self,
        caller: &LiveSession,
        address: &EmailAddress,
        client: &Client,
        language: &Language,
    ) -> Result<AddedEmail, AuthError> {
        self.is_fresh(caller)?;
        for _ in 0..ATTEMPTS {
            let now = self.now();
            let seen = self.ports.store.list_emails(caller.user.id).await?;
            let added = match judge_addition(&seen, &address.key())? {
                Addition::Again(id) => {
                    let pending = seen.iter().find(|email| email.id == id).ok_or(AuthError::NotFound)?;
                    self.renew(caller, pending, client, language, now).await?
                }
                Addition::New => self.add(caller, seen, address, client, language, now).await?,
            };
            if let Some(added) = added {
                return Ok(added);
            }
        }
        Err(contended().into())
    }

    /// Mails a new code to one of the caller's addresses that is not verified yet, and ends the older ones.
    ///
    /// # Errors
    /// [`AuthError::NotFound`] when it is none of the caller's, [`AuthError::AddressVerified`], [`AuthError::Throttled`].
    #[instrument(level = "debug", skip_all)]
    pub async fn renew_email_code(
        &self,
        caller: &LiveSession,
        address: &EmailAddress,
        client: &Client,
        language: &Language,
    ) -> Result<CodeId, AuthError> {
        let key = address.key();
        for _ in 0..ATTEMPTS {
            let seen = self.ports.store.list_emails(caller.user.id).await?;
            let pending = seen.iter().find(|email| email.address.key() == key).ok_or(AuthError::NotFound)?;
            if pending.verified {
                return Err(AuthError::AddressVerified);
            }
            if let Some(added) = self.renew(caller, pending, client, language, self.now()).await? {
                return Ok(added.code_id);
            }
        }
        Err(contended().into())
    }

    /// Redeems the code for an address: from here on it can sign in. If a `caller` is known, the address must be theirs.
    ///
    /// # Errors
    /// [`AuthError::CodeRefused`] for a code that is wrong, unknown, used, expired, exhausted or somebody else's.
    pub async fn redeem_email_code(
        &self,
        caller: Option<&LiveSession>,
        id: CodeId,
        code: &str,
        client: &Client,
    ) -> Result<(), AuthError> {
        self.redeem(id, CodePurpose::Email, code, caller, client).await
    }

    /// Makes one of the caller's verified addresses the preferred one, and tells the others in `language`.
    ///
    /// # Errors
    /// [`AuthError::StepUpRequired`]; [`AuthError::NotFound`] when it is none of the caller's;
    /// [`AuthError::AddressUnverified`].
    pub async fn prefer_email(
        &self,
        caller: &LiveSession,
        id: EmailId,
        client: &Client,
        language: &Language,
    ) -> Result<(), AuthError> {
        self.is_fresh(caller)?;
        self.prefer(&Actor::session(caller, client), caller.user.id, id, language).await
    }

    /// Removes one of the caller's addresses, and tells the verified ones in `language`, the removed one among them.
    ///
    /// # Errors
    /// [`AuthError::StepUpRequired`]; [`AuthError::NotFound`] when it is none of the caller's; [`AuthError::AddressNeeded`]
    /// for the preferred one and the last verified one.
    pub async fn remove_email(
        &self,
        caller: &LiveSession,
        id: EmailId,
        client: &Client,
        language: &Language,
    ) -> Result<(), AuthError> {
        self.is_fresh(caller)?;
        self.remove(&Actor::session(caller, client), caller.user.id, id, language).await
    }

    /// Makes an address of `owner` the preferred one.
    pub(super) async fn prefer(
        &self,
        by: &Actor,
        owner: UserId,
        id: EmailId,
        language: &Language,
    ) -> Result<(), AuthError> {
        for _ in 0..ATTEMPTS {
            let seen = self.ports.store.list_emails(owner).await?;
            judge_preference(&seen, id)?;
            if seen.iter().any(|email| email.id == id && email.preferred) {
                return Ok(());
            }
            let change = self.email_change(EventKind::EmailPreferred, by, owner, seen, id, language)?;
            if self.ports.store.prefer_email(&change).await? == Outcome::Done(()) {
                self.ports.bell.ring();
                tell(&change.event);
                return Ok(());
            }
        }
        Err(contended().into())
    }

    /// Removes an address of `owner`.
    pub(super) async fn remove(
        &self,
        by: &Actor,
        owner: UserId,
        id: EmailId,
        language: &Language,
    ) -> Result<(), AuthError> {
        for _ in 0..ATTEMPTS {
            let seen = self.ports.store.list_emails(owner).await?;
            judge_removal(&seen, id)?;
            let change = self.email_change(EventKind::EmailRemoved, by, owner, seen, id, language)?;
            if self.ports.store.remove_email(&change).await? == Outcome::Done(()) {
                self.ports.bell.ring();
                tell(&change.event);
                return Ok(());
            }
        }
        Err(contended().into())
    }

    fn email_change(
        &self,
        kind: EventKind,
        by: &Actor,
        owner: UserId,
        seen: Vec<Email>,
        id: EmailId,
        language: &Language,
    ) -> Result<EmailChange, AuthError> {
        let now = self.now();
        // Who reads the mail of an address that is preferred from now on learns of it at the next occasion. Who reads that of a
        // removed one never would.
        let (notice, left_out) = if kind == EventKind::EmailPreferred {
            (Notice::AddressPreferred, Some(id))
        } else {
            (Notice::AddressRemoved, None)
        };
        let notices = self.notices(&seen, left_out, notice, language, now)?;
        let event = self.event(kind, by, now)?.about(owner).detailed(id.to_string());
        Ok(EmailChange { user_id: owner, seen, email_id: id, notices, event })
    }

    fn is_fresh(&self, caller: &LiveSession) -> Result<(), AuthError> {
        judge_freshness(&Caller::Session(caller.clone()), self.policy.fresh_for, self.now())
    }

    /// One attempt at adding a new address; `None` when what was seen has changed.
    async fn add(
        &self,
        caller: &LiveSession,
        seen: Vec<Email>,
        address: &EmailAddress,
        client: &Client,
        language: &Language,
        now: Timestamp,
    ) -> Result<Option<AddedEmail>, AuthError> {
        let owner = self.foreign_owner(caller.user.id, address, now).await?;
        let (code, mail) = self.mint_email_code(address, owner.as_ref(), client, language, now)?;
        let email_id = EmailId::mint(now, self.entropy())?;
        let added = AddedEmail { email_id, code_id: code.id };
        let mut mails = vec![mail];
        mails.extend(self.notices(&seen, None, Notice::AddressAdded, language, now)?);
        let event = self.event(EventKind::EmailAdded, &Actor::session(caller, client), now)?;
        let addition = EmailAddition {
            user_id: caller.user.id,
            seen,
            email_id,
            address: address.clone(),
            foreign: owner.is_some(),
            code,
            mails,
            event: event.about(caller.user.id).detailed(email_id.to_string()),
            restraint: self.restraint(&Actor::session(caller, client), now)?,
        };
        match self.ports.store.add_email(&addition).await? {
            Outcome::Done(()) => {
                self.ports.bell.ring();
                tell(&addition.event);
                Ok(Some(added))
            }
            Outcome::Stale => Ok(None),
            Outcome::RateLimited(refusal) => Err(refused(addition.restraint.as_ref(), refusal, now)),
            other => Err(other.into()),
        }
    }

    /// One attempt at a new code for an address that waits; `None` when what was seen has changed.
    async fn renew(
        &self,
        caller: &LiveSession,
        pending: &Email,
        client: &Client,
        language: &Language,
        now: Timestamp,
    ) -> Result<Option<AddedEmail>, AuthError> {
        let owner = self.foreign_owner(caller.user.id, &pending.address, now).await?;
        let (code, mail) = self.mint_email_code(&pending.address, owner.as_ref(), client, language, now)?;
        let added = AddedEmail { email_id: pending.id, code_id: code.id };
        let renewal = EmailRenewal {
            user_id: caller.user.id,
            email_id: pending.id,
            foreign: owner.is_some(),
            code,
            mail,
            restraint: self.restraint(&Actor::session(caller, client), now)?,
        };
        match self.ports.store.renew_email_code(&renewal).await? {
            Outcome::Done(()) => {
                self.ports.bell.ring();
                info!(email.id = %added.email_id, user.id = %caller.user.id, "new code for an address");
                Ok(Some(added))
            }
            Outcome::Stale => Ok(None),
            Outcome::RateLimited(refusal) => Err(refused(renewal.restraint.as_ref(), refusal, now)),
            other => Err(other.into()),
        }
    }

    /// Who owns `address`, if anybody. It is somebody else: the caller's own verified addresses are ruled out, and an unverified
    /// one that an administrator vouches for is verified like any other.
    async fn foreign_owner(
        &self,
        caller: UserId,
        address: &EmailAddress,
        now: Timestamp,
    ) -> Result<Option<KnownAddress>, AuthError> {
        let known = self.ports.store.find_address(&address.key(), now).await?;
        Ok(known.filter(|known| known.is_owned() && known.owner.user_id != caller))
    }

    /// A code for an address that waits, with its mail; a decoy and a notice if the address has an `owner` elsewhere.
    fn mint_email_code(
        &self,
        address: &EmailAddress,
        owner: Option<&KnownAddress>,
        client: &Client,
        language: &Language,
        now: Timestamp,
    ) -> Result<(NewCode, QueuedMail), AuthError> {
        let (digits, mut code) = self.mint_code(CodeRequest {
            purpose: CodePurpose::Email,
            address,
            client,
            now,
            ends_with: now.plus(CodeState::LIFE_AT_MOST),
        })?;
        // Made in any case: a decoy is the same work.
        let decoy_hash = CodeHash::unreachable(self.entropy())?;
        let (to, class, content) = match owner {
            None => (address, MailClass::Code, MailContent::Code(CodeMail::Email, digits)),
            Some(known) => {
                code.hash = decoy_hash;
                (&known.address, MailClass::Notice, MailContent::Notice(Notice::AddressClaimedElsewhere))
            }
        };
        let mail = self.mint_mail(Some(to), &language_of(&content, language), &content, class, Some(code.id), now)?;
        Ok((code, mail))
    }

    /// What tells the verified addresses among `seen` of a change, but for the one that is `left_out`.
    pub(super) fn notices(
        &self,
        seen: &[Email],
        left_out: Option<EmailId>,
        notice: Notice,
        language: &Language,
        now: Timestamp,
    ) -> Result<Vec<QueuedMail>, AuthError> {
        let told = seen.iter().filter(|email| email.verified && Some(email.id) != left_out);
        let mint = |email: &Email| {
            let content = MailContent::Notice(notice);
            self.mint_mail(Some(&email.address), language, &content, MailClass::Notice, None, now)
        };
        told.map(mint).collect()
    }
}
