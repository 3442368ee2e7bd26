use auth_domain::{
    AddressKey, CodeId, CodeState, EmailAddress, EmailId, LivingCode, MailClass, MailId, NewCode, NewSession,
    SealedMail, SessionId, Timestamp, User, UserId, rules,
};

#[derive(Debug, Default)]
pub(super) struct State {
    pub users: Vec<UserRow>,
    pub emails: Vec<EmailRow>,
    pub sessions: Vec<SessionRow>,
    pub codes: Vec<CodeRow>,
    pub mails: Vec<MailRow>,
}

#[derive(Debug)]
pub(super) struct UserRow {
    pub user: User,
    pub standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Account,
    Registration,
    Decoy,
}

#[derive(Debug)]
pub(super) struct EmailRow {
    pub id: EmailId,
    pub user_id: UserId,
    pub address: EmailAddress,
    pub verified: bool,
}

#[derive(Debug)]
pub(super) struct SessionRow {
    pub new: NewSession,
    pub verified: bool,
    pub expires_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct CodeRow {
    pub new: NewCode,
    pub session_id: SessionId,
    pub wrong_guesses: u32,
    pub expires_at: Timestamp,
    pub ended: bool,
}

#[derive(Debug)]
pub(super) struct MailRow {
    pub id: MailId,
    pub class: MailClass,
    pub code_id: Option<CodeId>,
    pub sealed: Option<SealedMail>,
    pub created_at: Timestamp,
    pub due_at: Timestamp,
    pub leased_until: Option<Timestamp>,
    pub attempts: u32,
    pub settled_at: Option<Timestamp>,
}

impl CodeRow {
    pub(super) fn state(&self) -> CodeState {
        CodeState {
            purpose: self.new.purpose,
            hash: self.new.hash.clone(),
            wrong_guesses: self.wrong_guesses,
            expires_at: self.expires_at,
            ended: self.ended,
        }
    }
}

impl State {
    pub(super) fn living_codes(&self, address: &AddressKey, now: Timestamp) -> Vec<LivingCode> {
        self.codes
            .iter()
            .filter(|code| code.new.address == *address && code.state().is_living_at(now))
            .map(|code| LivingCode { id: code.new.id, network: code.new.network, created_at: code.new.created_at })
            .collect()
    }

    pub(super) fn code_is_living(&self, id: CodeId, now: Timestamp) -> bool {
        self.codes.iter().any(|code| code.new.id == id && code.state().is_living_at(now))
    }

    pub(super) fn standing(&self, user: UserId) -> Option<Standing> {
        self.users.iter().find(|row| row.user.id == user).map(|row| row.standing)
    }

    /// The registrations, real and decoy, for `address`.
    pub(super) fn registrations_for(&self, address: &AddressKey) -> Vec<UserId> {
        self.emails
            .iter()
            .filter(|email| email.address.key() == *address)
            .map(|email| email.user_id)
            .filter(|user| self.standing(*user).is_some_and(|standing| standing != Standing::Account))
            .collect()
    }

    pub(super) fn remove_user(&mut self, id: UserId) {
        self.users.retain(|row| row.user.id != id);
        self.emails.retain(|email| email.user_id != id);
        self.remove_sessions(|session| session.new.owner.is_some_and(|owner| owner.user_id == id));
    }

    pub(super) fn remove_sessions(&mut self, goes: impl Fn(&SessionRow) -> bool) {
        self.sessions.retain(|session| !goes(session));
        let sessions = &self.sessions;
        self.codes.retain(|code| sessions.iter().any(|session| session.new.id == code.session_id));
    }

    pub(super) fn remove_ended_registrations(&mut self, address: &AddressKey, now: Timestamp) {
        if self.living_codes(address, now).is_empty() {
            for user in self.registrations_for(address) {
                self.remove_user(user);
            }
        }
    }

    pub(super) fn store_sign_in(&mut self, sign_in: &auth_domain::PendingSignIn) {
        let code = &sign_in.code;
        let living = self.living_codes(&code.address, code.created_at);
        let superseded = rules::superseded(&living, code.network);
        for row in self.codes.iter_mut().filter(|row| superseded.contains(&row.new.id)) {
            row.ended = true;
        }
        self.sessions.push(SessionRow {
            new: sign_in.session.clone(),
            verified: false,
            expires_at: sign_in.session.expires_at,
            last_used_at: None,
        });
        self.codes.push(CodeRow {
            new: code.clone(),
            session_id: sign_in.session.id,
            wrong_guesses: 0,
            expires_at: code.expires_at,
            ended: false,
        });
        let mail = &sign_in.mail;
        self.mails.push(MailRow {
            id: mail.id,
            class: mail.class,
            code_id: mail.code_id,
            sealed: Some(mail.sealed.clone()),
            created_at: mail.created_at,
            due_at: mail.created_at,
            leased_until: None,
            attempts: 0,
            settled_at: None,
        });
    }
}
