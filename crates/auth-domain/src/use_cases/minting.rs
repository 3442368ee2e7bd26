use std::net::IpAddr;

use super::Auth;
use crate::{
    Actor, AuthError, Bearer, Client, CodeHash, CodeId, CodeMail, CodePurpose, CodeState, EmailAddress, Language,
    Lifetimes, Mail, MailClass, MailContent, MailId, NewCode, NewSession, Notice, PendingSignIn, QueuedMail, SessionId,
    SessionKind, SessionOwner, Timestamp, VerificationCode,
};

/// A session that waits for its code: what the client is told of it.
///
/// For an address that gets no code it is the same in every respect, and nothing in it ever becomes valid.
#[derive(Debug)]
pub struct OpenedSession {
    /// The session's secret; refused until the code is redeemed.
    pub bearer: Bearer,
    /// The session's id.
    pub session_id: SessionId,
    /// When the session ends.
    pub expires_at: Timestamp,
    /// The client's address.
    pub ip: IpAddr,
    /// What the client calls itself.
    pub user_agent: String,
    /// The code's id.
    pub code_id: CodeId,
    /// The session's kind.
    pub kind: SessionKind,
}

/// What the code of a new sign-in leads to, and which mail goes out.
pub(super) enum Target<'a> {
    /// An account: the code goes to the address on record.
    Account { owner: SessionOwner, mail_to: &'a EmailAddress, content: CodeMail },
    /// A decoy that tells the owner of a registered address.
    DecoyWithNotice { owner: SessionOwner, mail_to: &'a EmailAddress, content: Notice },
    /// A decoy that tells nobody.
    Decoy { asked_for: &'a EmailAddress },
}

pub(super) struct SignInRequest<'a> {
    pub target: Target<'a>,
    pub kind: SessionKind,
    pub lifetimes: Lifetimes,
    pub client: &'a Client,
    pub language: &'a Language,
    pub now: Timestamp,
}

/// A code to be made for whoever reads the mail of an address.
#[derive(Clone, Copy)]
pub(super) struct CodeRequest<'a> {
    pub purpose: CodePurpose,
    /// Whether the digits open anything: the hash of a decoy has none.
    pub real: bool,
    pub address: &'a EmailAddress,
    pub client: &'a Client,
    pub now: Timestamp,
    /// When what it opens ends: the code does not outlive it.
    pub ends_with: Timestamp,
}

impl Auth {
    /// Makes a session, a code and a mail, doing the same work for decoys as for the real thing.
    pub(super) fn mint_sign_in(&self, request: SignInRequest<'_>) -> Result<(OpenedSession, PendingSignIn), AuthError> {
        let SignInRequest { target, kind, lifetimes, client, language, now } = request;
        let bearer = Bearer::mint(&self.keys, self.entropy())?;
        let session_id = SessionId::mint(now, self.entropy())?;
        let expires_at = now.plus(lifetimes.lifetime);
        let (owner, address) = match &target {
            Target::Account { owner, mail_to, .. } | Target::DecoyWithNotice { owner, mail_to, .. } => {
                (Some(*owner), *mail_to)
            }
            Target::Decoy { asked_for } => (None, *asked_for),
        };
        let real = matches!(target, Target::Account { .. });
        let purpose = CodePurpose::SignIn;
        let (digits, code) =
            self.mint_code(CodeRequest { purpose, real, address, client, now, ends_with: expires_at })?;
        let (class, content) = match target {
            Target::Account { content, .. } => (MailClass::Code, MailContent::Code(content, digits)),
            Target::DecoyWithNotice { content, .. } => (MailClass::Notice, MailContent::Notice(content)),
            Target::Decoy { .. } => (MailClass::Decoy, MailContent::Code(CodeMail::SignIn, digits)),
        };
        let mail = self.mint_mail(address, language_of(&content, language), content, class, Some(code.id), now)?;

        let opened = OpenedSession {
            session_id,
            expires_at,
            ip: client.ip,
            user_agent: client.user_agent.clone(),
            code_id: code.id,
            kind: kind.clone(),
            bearer,
        };
        let session = NewSession {
            id: session_id,
            owner,
            digest: opened.bearer.digest(),
            key_id: opened.bearer.key_id(),
            kind,
            created_at: now,
            expires_at,
            client: client.clone(),
        };
        let restraint = self.restraint(&Actor::stranger(client), now)?;
        Ok((opened, PendingSignIn { session, code, mail, restraint }))
    }

    /// Makes a code, and what is stored of it.
    pub(super) fn mint_code(&self, request: CodeRequest<'_>) -> Result<(VerificationCode, NewCode), AuthError> {
        let CodeRequest { purpose, real, address, client, now, ends_with } = request;
        let id = CodeId::mint(now, self.entropy())?;
        let digits = VerificationCode::mint(self.entropy())?;
        // Both, whichever is wanted: making a decoy is the same work.
        let keys = self.keys.as_they_are();
        let real_hash = digits.hash(id, purpose, &keys);
        let decoy_hash = CodeHash::unreachable(self.entropy())?;
        let code = NewCode {
            id,
            purpose,
            hash: if real { real_hash } else { decoy_hash },
            key_id: keys.signing_id(),
            address: address.key(),
            network: client.network(),
            created_at: now,
            expires_at: now.plus(CodeState::LIFE_AT_MOST).min(ends_with),
        };
        Ok((digits, code))
    }

    /// Makes a mail as the outbox keeps it.
    pub(super) fn mint_mail(
        &self,
        to: &EmailAddress,
        language: Language,
        content: MailContent,
        class: MailClass,
        code_id: Option<CodeId>,
        now: Timestamp,
    ) -> Result<QueuedMail, AuthError> {
        let id = MailId::mint(now, self.entropy())?;
        let mail = Mail { id, to: to.clone(), language, content, created_at: now };
        Ok(QueuedMail { id, class, code_id, sealed: mail.seal(&self.keys, self.entropy())?, created_at: now })
    }
}

/// The language of a mail that somebody's request for `asked` leads to.
///
/// What tells the owner of an address about a stranger's request is not written in the stranger's language.
pub(super) fn language_of(content: &MailContent, asked: &Language) -> Language {
    match content {
        MailContent::Code(..)
        | MailContent::Invitation(_)
        | MailContent::Notice(Notice::AddressAdded | Notice::AddressRemoved | Notice::AddressPreferred) => {
            asked.clone()
        }
        MailContent::Notice(
            Notice::AddressAlreadyRegistered | Notice::AddressClaimedElsewhere | Notice::AddressLocked,
        ) => Language::default(),
    }
}
