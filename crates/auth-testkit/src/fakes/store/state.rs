use std::collections::BTreeMap;

use auth_domain::{
    AddressKey, CodeId, CodePurpose, CodeState, Email, EmailAddress, EmailId, Event, Failures, KeyId, KeyPairId,
    LivingCode, MailClass, MailId, Network, NewCode, NewKeyPair, NewSession, PendingSignIn, QueuedMail, SealedMail,
    SessionId, SessionOwner, Standing, ThrottleKey, Timestamp, User, UserId,
    archive::{AttemptOutcome, AttemptRecord},
    rules,
};

#[derive(Debug, Default)]
pub(super) struct State {
    pub users: Vec<UserRow>,
    pub emails: Vec<EmailRow>,
    pub sessions: Vec<SessionRow>,
    pub key_pairs: Vec<KeyPairRow>,
    pub codes: Vec<CodeRow>,
    pub mails: Vec<MailRow>,
    pub attempts: Vec<AttemptRecord>,
    pub events: Vec<Event>,
    pub known_networks: Vec<KnownNetworkRow>,
    /// Wrong guesses at the codes of an address, from a network that is known to it or from all others.
    pub failures: BTreeMap<(AddressKey, Option<Network>), Failures>,
    pub throttles: BTreeMap<ThrottleKey, ThrottleRow>,
}

#[derive(Debug)]
pub(super) struct UserRow {
    pub user: User,
    pub standing: Standing,
}

#[derive(Debug)]
pub(super) struct EmailRow {
    pub id: EmailId,
    pub user_id: UserId,
    pub address: EmailAddress,
    pub verified: bool,
    pub vouched: bool,
    pub preferred: bool,
    pub created_at: Timestamp,
}

#[derive(Debug)]
pub(super) struct SessionRow {
    pub new: NewSession,
    /// Whose it is; nobody's if it is a decoy.
    pub user_id: Option<UserId>,
    pub verified_at: Option<Timestamp>,
    pub expires_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct KeyPairRow {
    pub new: NewKeyPair,
    pub verified_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opens {
    Session(SessionId),
    Email,
    KeyPair(KeyPairId),
}

#[derive(Debug)]
pub(super) struct CodeRow {
    pub new: NewCode,
    pub opens: Opens,
    /// The address that the code goes to; none for a decoy sign-in.
    pub email_id: Option<EmailId>,
    pub wrong_guesses: u32,
    pub expires_at: Timestamp,
    pub ended: bool,
}

#[derive(Debug)]
pub(super) struct MailRow {
    pub id: MailId,
    pub class: MailClass,
    pub code_id: Option<CodeId>,
    /// The key that it is, or was, sealed under.
    pub key_id: KeyId,
    pub sealed: Option<SealedMail>,
    pub created_at: Timestamp,
    pub due_at: Timestamp,
    pub attempts: u32,
    /// When it was settled, and how.
    pub settled: Option<(Timestamp, AttemptOutcome)>,
}

#[derive(Debug)]
pub(super) struct KnownNetworkRow {
    pub email_id: EmailId,
    pub network: Network,
    pub last_signed_in_at: Timestamp,
}

#[derive(Debug)]
pub(super) struct ThrottleRow {
    pub full_at: Timestamp,
    pub told_at: Option<Timestamp>,
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

impl EmailRow {
    /// Where a sign-in to it leads.
    pub(super) fn leads_to(&self) -> SessionOwner {
        SessionOwner { user_id: self.user_id, email_id: self.id }
    }
}

impl State {
    /// The sign-in codes alive for `address`.
    pub(super) fn living_codes(&self, address: &AddressKey, now: Timestamp) -> Vec<LivingCode> {
        self.codes
            .iter()
            .filter(|code| code.new.purpose == CodePurpose::SignIn && code.new.address == *address)
            .filter(|code| code.state().is_living_at(now))
            .map(|code| LivingCode { id: code.new.id, network: code.new.network, created_at: code.new.created_at })
            .collect()
    }

    /// The address on record that a code is for.
    pub(super) fn on_record(&self, code: CodeId) -> Option<&EmailAddress> {
        let email = self.codes.iter().find(|row| row.new.id == code)?.email_id?;
        self.emails.iter().find(|row| row.id == email).map(|row| &row.address)
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

    pub(super) fn emails_of(&self, user: UserId) -> Vec<Email> {
        let mut theirs: Vec<_> = self.emails.iter().filter(|email| email.user_id == user).collect();
        theirs.sort_by_key(|row| (row.created_at, row.id));
        theirs
            .into_iter()
            .map(|row| Email {
                id: row.id,
                address: row.address.clone(),
                verified: row.verified,
                vouched: row.vouched,
                preferred: row.preferred,
            })
            .collect()
    }

    /// Whom an address leads to: its owner, or else a registration that has not ended.
    pub(super) fn whose(&self, address: &AddressKey, now: Timestamp) -> Option<&EmailRow> {
        let registrations_live = !self.living_codes(address, now).is_empty();
        let is_owned = |email: &EmailRow| email.verified || email.vouched;
        let is_led_to = |email: &&EmailRow| {
            let standing = self.standing(email.user_id);
            standing.is_some_and(|standing| rules::is_led_to(is_owned(email), standing, registrations_live))
        };
        let claims = self.emails.iter().filter(|email| email.address.key() == *address);
        claims.filter(is_led_to).max_by_key(|email| (is_owned(email), email.created_at, email.id))
    }

    /// Whether somebody has the address for good: an account other than `but`.
    pub(super) fn has_owner(&self, address: &AddressKey, but: Option<UserId>) -> bool {
        self.emails.iter().any(|email| {
            (email.verified || email.vouched) && email.address.key() == *address && Some(email.user_id) != but
        })
    }

    /// Removes a user, or a registration, with all that is theirs. Notices remain owed: they tell somebody else.
    pub(super) fn remove_user(&mut self, id: UserId) {
        let addresses: Vec<_> = self.emails.iter().filter(|row| row.user_id == id).map(|row| row.id).collect();
        let is_theirs = |code: &CodeRow| code.email_id.is_some_and(|email| addresses.contains(&email));
        let codes: Vec<_> = self.codes.iter().filter(|code| is_theirs(code)).map(|code| code.new.id).collect();
        self.mails.retain(|mail| {
            let is_owed_code = mail.class == MailClass::Code && mail.settled.is_none();
            !(is_owed_code && mail.code_id.is_some_and(|code| codes.contains(&code)))
        });
        self.users.retain(|row| row.user.id != id);
        self.emails.retain(|email| email.user_id != id);
        self.sessions.retain(|row| row.user_id != Some(id));
        self.key_pairs.retain(|row| row.new.user_id != id);
        self.remove_orphans();
    }

    pub(super) fn remove_sessions(&mut self, goes: impl Fn(&SessionRow) -> bool) {
        self.sessions.retain(|session| !goes(session));
        self.remove_orphans();
    }

    /// Removes the codes that lead nowhere any more, and what refers to addresses and codes that are gone.
    pub(super) fn remove_orphans(&mut self) {
        let (sessions, key_pairs, emails) = (&self.sessions, &self.key_pairs, &self.emails);
        self.known_networks.retain(|known| emails.iter().any(|row| row.id == known.email_id));
        self.codes.retain(|code| {
            let opens_something = match code.opens {
                Opens::Session(id) => sessions.iter().any(|row| row.new.id == id),
                Opens::KeyPair(id) => key_pairs.iter().any(|row| row.new.id == id),
                Opens::Email => true,
            };
            opens_something && code.email_id.is_none_or(|id| emails.iter().any(|row| row.id == id))
        });
        let codes = &self.codes;
        for mail in &mut self.mails {
            mail.code_id = mail.code_id.filter(|id| codes.iter().any(|code| code.new.id == *id));
        }
        let mails = &self.mails;
        self.attempts.retain(|attempt| mails.iter().any(|mail| mail.id == attempt.mail_id));
    }

    pub(super) fn remove_ended_registrations(&mut self, address: &AddressKey, now: Timestamp) {
        if self.living_codes(address, now).is_empty() {
            for user in self.registrations_for(address) {
                self.remove_user(user);
            }
        }
    }

    pub(super) fn store_sign_in(&mut self, sign_in: &PendingSignIn, owner: Option<SessionOwner>) {
        let code = &sign_in.code;
        let living = self.living_codes(&code.address, code.created_at);
        let superseded = rules::superseded(&living, code.network);
        for row in self.codes.iter_mut().filter(|row| superseded.contains(&row.new.id)) {
            row.ended = true;
        }
        self.sessions.push(SessionRow {
            new: sign_in.session.clone(),
            user_id: owner.map(|owner| owner.user_id),
            verified_at: None,
            expires_at: sign_in.session.expires_at,
            last_used_at: None,
        });
        self.store_code(code, Opens::Session(sign_in.session.id), owner.map(|owner| owner.email_id));
        self.store_mail(&sign_in.mail);
    }

    pub(super) fn store_code(&mut self, new: &NewCode, opens: Opens, email_id: Option<EmailId>) {
        let (new, expires_at) = (new.clone(), new.expires_at);
        self.codes.push(CodeRow { new, opens, email_id, wrong_guesses: 0, expires_at, ended: false });
    }

    pub(super) fn store_mail(&mut self, mail: &QueuedMail) {
        self.mails.push(MailRow {
            id: mail.id,
            class: mail.class,
            code_id: mail.code_id,
            key_id: mail.sealed.key_id,
            sealed: Some(mail.sealed.clone()),
            created_at: mail.created_at,
            due_at: mail.created_at,
            attempts: 0,
            settled: None,
        });
    }
}
