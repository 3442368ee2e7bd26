//! What is about to be stored, as the records that it is stored as.

use crate::{
    Change, Changes, EmailId, Event, KeyPairId, NewAccount, NewCode, NewKeyPair, NewSession, QueuedMail, Registration,
    SessionId, Standing, Timestamp, User, UserId,
    archive::{CodeRecord, EmailRecord, KeyPairRecord, SessionRecord, UserRecord},
};

/// What a code opens.
#[derive(Debug, Clone, Copy)]
pub(super) enum Opens {
    /// A session.
    Session(SessionId),
    /// A key pair.
    KeyPair(KeyPairId),
    /// The address that it is mailed to.
    Email,
}

impl Changes {
    pub(super) fn insert_user(&mut self, user: User, standing: Standing) {
        let alias_key = user.alias.key();
        let user = User { roles: sorted(user.roles), groups: sorted(user.groups), ..user };
        self.push(Change::InsertUser(UserRecord { user, alias_key, standing }));
    }

    pub(super) fn insert_session(&mut self, new: &NewSession, user_id: Option<UserId>, verified_at: Option<Timestamp>) {
        self.push(Change::InsertSession(SessionRecord {
            id: new.id,
            user_id,
            digest: new.digest,
            key_id: new.key_id,
            kind: new.kind.clone(),
            verified_at,
            created_at: new.created_at,
            expires_at: new.expires_at,
            last_used_at: None,
            client: new.client.clone(),
        }));
    }

    pub(super) fn insert_key_pair(&mut self, new: &NewKeyPair, verified_at: Option<Timestamp>) {
        self.push(Change::InsertKeyPair(KeyPairRecord {
            id: new.id,
            user_id: new.user_id,
            name: new.name.clone(),
            api_key: new.api_key.clone(),
            digest: new.digest,
            key_id: new.key_id,
            roles: new.roles.clone(),
            verified_at,
            created_at: new.created_at,
            expires_at: new.expires_at,
            last_used_at: None,
        }));
    }

    pub(super) fn insert_code(&mut self, new: &NewCode, opens: Opens, email_id: Option<EmailId>) {
        let (session_id, key_pair_id) = match opens {
            Opens::Session(id) => (Some(id), None),
            Opens::KeyPair(id) => (None, Some(id)),
            Opens::Email => (None, None),
        };
        self.push(Change::InsertCode(CodeRecord {
            id: new.id,
            purpose: new.purpose,
            session_id,
            key_pair_id,
            email_id,
            address_key: new.address.clone(),
            network: new.network,
            hash: new.hash.clone(),
            key_id: new.key_id,
            created_at: new.created_at,
            expires_at: new.expires_at,
            wrong_guesses: 0,
            ended: false,
        }));
    }

    pub(super) fn queue(&mut self, mails: impl IntoIterator<Item = QueuedMail>) {
        for mail in mails {
            self.push(Change::QueueMail(mail));
        }
    }

    pub(super) fn record(&mut self, event: Event) {
        self.push(Change::RecordEvent(event));
    }
}

/// The user and the address of somebody who registers.
pub(super) fn insert_registration(changes: &mut Changes, registration: &Registration) {
    let created_at = registration.sign_in.code.created_at;
    let user = User {
        id: registration.user_id,
        alias: registration.alias.clone(),
        full_name: registration.full_name.clone(),
        verified: false,
        enabled: true,
        roles: registration.roles.clone(),
        groups: registration.groups.clone(),
        created_at,
    };
    changes.insert_user(user, if registration.decoy { Standing::Decoy } else { Standing::Pending });
    changes.push(Change::InsertEmail(EmailRecord {
        id: registration.email_id,
        user_id: registration.user_id,
        address: registration.address.clone(),
        address_key: registration.address.key(),
        verified: false,
        vouched: false,
        preferred: true,
        created_at,
    }));
}

/// The user and the address of an account that an administrator makes.
pub(super) fn insert_account(changes: &mut Changes, account: &NewAccount) {
    let created_at = account.created_at;
    let user = User {
        id: account.user_id,
        alias: account.alias.clone(),
        full_name: account.full_name.clone(),
        verified: account.verified,
        enabled: true,
        roles: account.roles.clone(),
        groups: account.groups.clone(),
        created_at,
    };
    changes.insert_user(user, Standing::Account);
    changes.push(Change::InsertEmail(EmailRecord {
        id: account.email_id,
        user_id: account.user_id,
        address: account.address.clone(),
        address_key: account.address.key(),
        verified: false,
        vouched: true,
        preferred: true,
        created_at,
    }));
}

/// Names as they are stored: sorted, each once.
pub(super) fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}
