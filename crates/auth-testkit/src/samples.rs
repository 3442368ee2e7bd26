//! Registrations, sign-ins, addresses and key pairs to store, all different, with codes that a test can guess right or wrong.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use auth_domain::{
    Actor, Alias, ApiKey, Changes, Client, CodeGuess, CodeHash, CodeId, CodePurpose, CodeState, Email, EmailAddition,
    EmailAddress, EmailChange, EmailId, EmailRenewal, Event, EventKind, EventOutcome, Fact, FactKey, FullName, KeyId,
    KeyName, Limits, MailClass, NewAccount, NewCode, NewKeyPair, NewSession, PendingKeyPair, PendingSignIn, Purge,
    QueuedMail, Registration, Restraint, Scope, SealedMail, SessionKind, SessionOwner, State, StoreError, Timestamp,
    TokenDigest, UserId, VouchedEmail,
};
use uuid::Uuid;

static NEXT: AtomicU64 = AtomicU64::new(1);

fn next() -> u64 {
    NEXT.fetch_add(1, Ordering::SeqCst)
}

fn uuid() -> Uuid {
    Uuid::from_u128(u128::from(next()))
}

fn octets() -> [u8; 32] {
    let mut octets = [0; 32];
    octets[..8].copy_from_slice(&next().to_le_bytes());
    octets
}

/// The moment `seconds` after an arbitrary beginning.
pub fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_795_478_400_000).plus(Duration::from_secs(seconds))
}

/// An address.
pub fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).expect("a valid address")
}

/// A client in the network 192.0.`network`.0/24.
pub fn client(network: u8) -> Client {
    Client::new(IpAddr::from([192, 0, network, 7]), "Sample/1.0 (é)")
}

fn key_id() -> KeyId {
    "0badcafe".parse().expect("a key id")
}

/// A registration of `alias` for `to`, asked for at `now` from network 1.
pub fn registration(alias: &str, to: &str, now: Timestamp) -> Registration {
    Registration {
        user_id: uuid().into(),
        alias: Alias::parse(alias).expect("a valid alias"),
        full_name: FullName::parse("Ada Sample, Countess").expect("a valid name"),
        roles: vec!["user".to_owned()],
        groups: vec!["public".to_owned(), "staff".to_owned()],
        email_id: uuid().into(),
        address: address(to),
        decoy: false,
        sign_in: sign_in(to, 1, now),
    }
}

/// The same for an address that is registered already: the hash is one that the guesses below never have.
pub fn decoy_registration(alias: &str, to: &str, now: Timestamp) -> Registration {
    let mut registration = Registration { decoy: true, ..registration(alias, to, now) };
    registration.sign_in.mail.class = MailClass::Notice;
    registration
}

/// A sign-in with the address `to`, asked for at `now` from the network 192.0.`network`.0/24.
pub fn sign_in(to: &str, network: u8, now: Timestamp) -> PendingSignIn {
    let code = code(CodePurpose::SignIn, to, network, now);
    PendingSignIn {
        session: NewSession {
            id: uuid().into(),
            digest: TokenDigest::from_stored(octets()),
            key_id: key_id(),
            kind: SessionKind::standard(),
            created_at: now,
            expires_at: now.plus(Duration::from_hours(24)),
            client: client(network),
        },
        mail: mail(MailClass::Code, Some(code.id), now),
        code,
        restraint: None,
    }
}

/// What the code of a decoy hashes to: nothing that is guessed below.
pub fn decoy_hash() -> CodeHash {
    CodeHash::new(octets())
}

fn code(purpose: CodePurpose, to: &str, network: u8, now: Timestamp) -> NewCode {
    NewCode {
        id: uuid().into(),
        purpose,
        hash: CodeHash::new(octets()),
        key_id: key_id(),
        address: address(to).key(),
        network: client(network).network(),
        created_at: now,
        expires_at: now.plus(CodeState::LIFE_AT_MOST),
    }
}

fn mail(class: MailClass, code_id: Option<CodeId>, now: Timestamp) -> QueuedMail {
    let sealed = SealedMail { key_id: key_id(), bytes: octets().to_vec() };
    QueuedMail { id: uuid().into(), class, code_id, sealed, created_at: now }
}

/// The address `to`, to be added to the account of `user` that has the addresses `seen`, with one notice besides the code.
pub fn email_addition(user: UserId, seen: &[Email], to: &str, now: Timestamp) -> EmailAddition {
    let code = code(CodePurpose::Email, to, 1, now);
    EmailAddition {
        user_id: user,
        seen: seen.to_vec(),
        email_id: uuid().into(),
        address: address(to),
        foreign: false,
        mails: vec![mail(MailClass::Code, Some(code.id), now), mail(MailClass::Notice, None, now)],
        code,
        event: event(EventKind::EmailAdded, now).about(user),
        restraint: None,
    }
}

/// A new code for the address `email` of `user`.
pub fn email_renewal(user: UserId, email: &Email, now: Timestamp) -> EmailRenewal {
    let code = code(CodePurpose::Email, email.address.as_str(), 1, now);
    let mail = mail(MailClass::Code, Some(code.id), now);
    EmailRenewal { user_id: user, email_id: email.id, foreign: false, code, mail, restraint: None }
}

/// A change to the address `email` of the account of `user` that has the addresses `seen`, with one notice.
pub fn email_change(user: UserId, seen: &[Email], email: EmailId, now: Timestamp) -> EmailChange {
    let notices = vec![mail(MailClass::Notice, None, now)];
    let event = event(EventKind::EmailRemoved, now).about(user);
    EmailChange { user_id: user, seen: seen.to_vec(), email_id: email, notices, event }
}

/// A key pair of `owner` that ends after a day, with a code for the address `to`.
pub fn key_pair(owner: SessionOwner, to: &str, now: Timestamp) -> PendingKeyPair {
    let code = code(CodePurpose::KeyPair, to, 1, now);
    PendingKeyPair {
        key_pair: NewKeyPair {
            id: uuid().into(),
            user_id: owner.user_id,
            name: KeyName::parse("Deployment, nightly (é)").expect("a valid name"),
            api_key: ApiKey::from_stored(format!("auk_{:028}", next())),
            digest: TokenDigest::from_stored(octets()),
            key_id: key_id(),
            roles: None,
            created_at: now,
            expires_at: now.plus(Duration::from_hours(24)),
        },
        email_id: owner.email_id,
        mail: mail(MailClass::Code, Some(code.id), now),
        code,
        event: event(EventKind::KeyPairCreated, now).about(owner.user_id),
        restraint: None,
    }
}

/// A stranger's right guess at a code, made at `now`, under the older of two keys.
pub fn right_guess(code: &NewCode, now: Timestamp) -> CodeGuess {
    guess(code, vec![CodeHash::new(octets()), code.hash.clone()], now)
}

/// A stranger's wrong guess at a code, made at `now`.
pub fn wrong_guess(code: &NewCode, now: Timestamp) -> CodeGuess {
    guess(code, vec![CodeHash::new(octets()), CodeHash::new(octets())], now)
}

fn guess(code: &NewCode, hashes: Vec<CodeHash>, now: Timestamp) -> CodeGuess {
    CodeGuess {
        id: code.id,
        purpose: code.purpose,
        hashes,
        network: client(1).network(),
        by: Actor::stranger(&client(1)),
        at: now,
        event_id: uuid().into(),
        limits: None,
    }
}

/// The same guess, made by a user who is known.
pub fn guessed_by(user: UserId, guess: CodeGuess) -> CodeGuess {
    CodeGuess { by: Actor { user: Some(user), ..guess.by }, ..guess }
}

/// What the audit log says of something that a stranger does at `now`.
pub fn event(kind: EventKind, now: Timestamp) -> Event {
    Event {
        id: uuid().into(),
        at: now,
        kind,
        outcome: EventOutcome::Success,
        actor: None,
        subject: None,
        credential: None,
        ip: Some(client(1).ip),
        detail: "a sample (é)".to_owned(),
    }
}

/// An account for `to`, made by an administrator at `now`, with a key pair and an invitation, and verified.
pub fn account(alias: &str, to: &str, now: Timestamp) -> NewAccount {
    let owner = SessionOwner { user_id: uuid().into(), email_id: uuid().into() };
    NewAccount {
        user_id: owner.user_id,
        alias: Alias::parse(alias).expect("a valid alias"),
        full_name: FullName::parse("Grace Sample").expect("a valid name"),
        roles: vec!["user".to_owned(), "auditor".to_owned()],
        groups: vec!["public".to_owned()],
        verified: true,
        email_id: owner.email_id,
        address: address(to),
        created_at: now,
        key_pair: Some(key_pair(owner, to, now).key_pair),
        mail: Some(mail(MailClass::Notice, None, now)),
        events: [EventKind::UserCreated, EventKind::RoleGranted, EventKind::KeyPairCreated]
            .map(|kind| event(kind, now).about(owner.user_id))
            .to_vec(),
    }
}

/// The address `to`, to be given to `user`, who has the addresses `seen`, with one notice.
pub fn vouched_email(user: UserId, seen: &[Email], to: &str, now: Timestamp) -> VouchedEmail {
    VouchedEmail {
        user_id: user,
        seen: seen.to_vec(),
        email_id: uuid().into(),
        address: address(to),
        notices: vec![mail(MailClass::Notice, None, now)],
        event: event(EventKind::EmailAdded, now).about(user),
    }
}

/// What a request from the network 192.0.`network`.0/24 at `now` is measured by.
pub fn restraint(limits: Limits, network: u8, now: Timestamp) -> Restraint {
    let event = event(EventKind::Throttled, now);
    Restraint {
        limits,
        event: Event { outcome: EventOutcome::Failure, ip: Some(client(network).ip), detail: String::new(), ..event },
    }
}

/// The same guess, made from the network 192.0.`network`.0/24 and measured by `limits`.
pub fn limited(guess: CodeGuess, limits: Limits, network: u8) -> CodeGuess {
    let by = Actor { ip: Some(client(network).ip), ..guess.by };
    CodeGuess { network: client(network).network(), by, limits: Some(limits), ..guess }
}

/// A purge at `now` of all that has ended, up to `limit` of each, which leaves known networks alone.
pub fn purge(now: Timestamp, events_until: Timestamp, limit: u32) -> Purge {
    Purge { now, events_until, networks_until: Timestamp::from_unix_millis(0), limit }
}

/// A fact that is decided already.
pub struct Decided {
    /// What is locked and read for it.
    pub scope: Scope,
    /// What it writes.
    pub changes: Changes,
}

impl Fact for Decided {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn turn(&self) -> Option<&FactKey> {
        None
    }

    fn decide(&self, _state: &State) -> Result<Changes, StoreError> {
        Ok(self.changes.clone())
    }
}
