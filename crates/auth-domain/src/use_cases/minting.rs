use std::net::IpAddr;

use super::Auth;
use crate::{
    Actor, AuthError, Bearer, Client, CodeHash, CodeId, CodeMail, CodePurpose, CodeState, EmailAddress, Language,
    Lifetimes, MailClass, MailContent, MailId, NewCode, NewSession, Notice, PendingSignIn, QueuedMail, SealedMail,
    SessionId, SessionKind, Timestamp, VerificationCode,
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

/// Who gets the mail of a new sign-in.
pub(super) enum Addressee<'a> {
    /// Whoever has the address, as the store finds out: their code, to the address on record.
    WhoeverHasIt,
    /// Somebody who registers: their first code.
    Newcomer,
    /// The owner of an address that somebody wants to register again: a notice, to the address on record.
    Owner(&'a EmailAddress),
}

pub(super) struct SignInRequest<'a> {
    /// The address that is asked about.
    pub address: &'a EmailAddress,
    pub addressee: Addressee<'a>,
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
    pub address: &'a EmailAddress,
    pub client: &'a Client,
    pub now: Timestamp,
    /// When what it opens ends: the code does not outlive it.
    pub ends_with: Timestamp,
}

impl Auth {
    /// Makes a session, a code and a mail. Whether it is a decoy or the real thing, the work is the same: what the code hashes to
    /// in a decoy is made each time.
    pub(super) fn mint_sign_in(
        &self,
        request: SignInRequest<'_>,
    ) -> Result<(OpenedSession, PendingSignIn, CodeHash), AuthError> {
        let SignInRequest { address, addressee, kind, lifetimes, client, language, now } = request;
        let bearer = Bearer::mint(&self.keys, self.entropy())?;
        let session_id = SessionId::mint(now, self.entropy())?;
        let expires_at = now.plus(lifetimes.lifetime);
        let purpose = CodePurpose::SignIn;
        let (digits, code) = self.mint_code(CodeRequest { purpose, address, client, now, ends_with: expires_at })?;
        let decoy_hash = CodeHash::unreachable(self.entropy())?;
        let (to, class, content) = match addressee {
            Addressee::WhoeverHasIt => (None, MailClass::Code, MailContent::Code(CodeMail::SignIn, digits)),
            Addressee::Newcomer => (Some(address), MailClass::Code, MailContent::Code(CodeMail::SignUp, digits)),
            Addressee::Owner(on_record) => {
                (Some(on_record), MailClass::Notice, MailContent::Notice(Notice::AddressAlreadyRegistered))
            }
        };
        let mail = self.mint_mail(to, &language_of(&content, language), &content, class, Some(code.id), now)?;

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
            digest: opened.bearer.digest(),
            key_id: opened.bearer.key_id(),
            kind,
            created_at: now,
            expires_at,
            client: client.clone(),
        };
        let restraint = self.restraint(&Actor::stranger(client), now)?;
        Ok((opened, PendingSignIn { session, code, mail, restraint }, decoy_hash))
    }

    /// Makes a code, and what is stored of it.
    pub(super) fn mint_code(&self, request: CodeRequest<'_>) -> Result<(VerificationCode, NewCode), AuthError> {
        let CodeRequest { purpose, address, client, now, ends_with } = request;
        let id = CodeId::mint(now, self.entropy())?;
        let digits = VerificationCode::mint(self.entropy())?;
        let keys = self.keys.as_they_are();
        let code = NewCode {
            id,
            purpose,
            hash: digits.hash(id, purpose, &keys),
            key_id: keys.signing_id(),
            address: address.key(),
            network: client.network(),
            created_at: now,
            expires_at: now.plus(CodeState::LIFE_AT_MOST).min(ends_with),
        };
        Ok((digits, code))
    }

    /// Makes a mail as the outbox keeps it. Without recipient, it goes to the address on record that its code is for.
    pub(super) fn mint_mail(
        &self,
        to: Option<&EmailAddress>,
        language: &Language,
        content: &MailContent,
        class: MailClass,
        code_id: Option<CodeId>,
        now: Timestamp,
    ) -> Result<QueuedMail, AuthError> {
        let id = MailId::mint(now, self.entropy())?;
        let sealed = SealedMail::seal(id, to, language, content, &self.keys, self.entropy())?;
        Ok(QueuedMail { id, class, code_id, sealed, created_at: now })
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
