use std::net::IpAddr;

use super::Auth;
use crate::{
    AuthError, Bearer, Client, CodeHash, CodeId, CodeMail, CodePurpose, CodeState, EmailAddress, Language, Lifetimes,
    Mail, MailClass, MailContent, MailId, NewCode, NewSession, Notice, PendingSignIn, QueuedMail, SessionId,
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

impl Auth {
    /// Makes a session, a code and a mail, doing the same work for decoys as for the real thing.
    pub(super) fn mint_sign_in(&self, request: SignInRequest<'_>) -> Result<(OpenedSession, PendingSignIn), AuthError> {
        let SignInRequest { target, kind, lifetimes, client, language, now } = request;
        let entropy = self.entropy();
        let bearer = Bearer::mint(&self.keys, entropy)?;
        let session_id = SessionId::mint(now, entropy)?;
        let code_id = CodeId::mint(now, entropy)?;
        let mail_id = MailId::mint(now, entropy)?;
        let code = VerificationCode::mint(entropy)?;
        let expires_at = now.plus(lifetimes.lifetime);

        let real_hash = code.hash(code_id, CodePurpose::SignIn, &self.keys);
        let decoy_hash = CodeHash::unreachable(entropy)?;
        let (owner, address, hash, class, language, content) = match target {
            Target::Account { owner, mail_to, content } => {
                (Some(owner), mail_to, real_hash, MailClass::Code, language.clone(), MailContent::Code(content, code))
            }
            Target::DecoyWithNotice { owner, mail_to, content } => {
                // Whoever asked does not choose the language of somebody else's mail.
                (Some(owner), mail_to, decoy_hash, MailClass::Notice, Language::default(), MailContent::Notice(content))
            }
            Target::Decoy { asked_for } => {
                let content = MailContent::Code(CodeMail::SignIn, code);
                (None, asked_for, decoy_hash, MailClass::Decoy, language.clone(), content)
            }
        };
        let mail = Mail { id: mail_id, to: address.clone(), language, content, created_at: now };

        let pending = PendingSignIn {
            session: NewSession {
                id: session_id,
                owner,
                digest: bearer.digest(),
                key_id: bearer.key_id(),
                kind: kind.clone(),
                created_at: now,
                expires_at,
                client: client.clone(),
            },
            code: NewCode {
                id: code_id,
                purpose: CodePurpose::SignIn,
                hash,
                key_id: bearer.key_id(),
                address: address.key(),
                network: client.network(),
                created_at: now,
                // A code ends with what it opens.
                expires_at: now.plus(CodeState::LIFE_AT_MOST).min(expires_at),
            },
            mail: QueuedMail {
                id: mail_id,
                class,
                code_id: Some(code_id),
                sealed: mail.seal(&self.keys, entropy)?,
                created_at: now,
            },
        };
        let opened = OpenedSession {
            bearer,
            session_id,
            expires_at,
            ip: client.ip,
            user_agent: client.user_agent.clone(),
            code_id,
            kind,
        };
        Ok((opened, pending))
    }
}
