use auth_domain::{
    Change, EmailId, MailClass, Standing, UserId,
    archive::{CodeRecord, EmailRecord, KeyPairRecord, MailState, SessionRecord, ThrottleRecord, UserRecord},
};

use super::tables::Tables;

impl Tables {
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::InsertUser(record) => self.users.push(record.clone()),
            Change::CompleteRegistration(id) => {
                let user = self.user_mut(*id);
                user.standing = Standing::Account;
                user.user.verified = true;
            }
            Change::UpdateUser(record) => *self.user_mut(record.user.id) = record.clone(),
            Change::DeleteRegistration(id) | Change::DeleteUser(id) => self.delete_user(*id),
            Change::InsertEmail(record) => self.emails.push(record.clone()),
            Change::UpdateEmail { id, verified, vouched } => {
                let email = self.email_mut(*id);
                (email.verified, email.vouched) = (*verified, *vouched);
            }
            Change::PreferEmail { user, id } => {
                for row in self.emails.iter_mut().filter(|row| row.user_id == *user) {
                    row.preferred = row.id == *id;
                }
            }
            Change::DeleteEmail(id) => self.delete(Tables::emails, |row: &EmailRecord| row.id == *id),
            Change::InsertSession(record) => self.sessions.push(record.clone()),
            Change::VerifySession { id, at } => {
                for row in self.sessions.iter_mut().filter(|row| row.id == *id) {
                    row.verified_at = Some(*at);
                }
            }
            Change::ExtendSession { id, expires_at, .. } => {
                for row in self.sessions.iter_mut().filter(|row| row.id == *id) {
                    row.expires_at = *expires_at;
                }
            }
            Change::DeleteSession { id, .. } => self.delete(Tables::sessions, |row: &SessionRecord| row.id == *id),
            Change::DeleteSessions { user, keep } => {
                self.delete(Tables::sessions, |row| row.user_id == Some(*user) && Some(row.id) != *keep);
            }
            Change::InsertKeyPair(record) => self.key_pairs.push(record.clone()),
            Change::VerifyKeyPair { id, at } => {
                for row in self.key_pairs.iter_mut().filter(|row| row.id == *id) {
                    row.verified_at = Some(*at);
                }
            }
            Change::DeleteKeyPair { id, .. } => self.delete(Tables::key_pairs, |row: &KeyPairRecord| row.id == *id),
            Change::DeleteKeyPairs(user) => self.delete(Tables::key_pairs, |row: &KeyPairRecord| row.user_id == *user),
            Change::InsertCode(record) => self.codes.push(record.clone()),
            Change::EndCode(id) => self.end_codes(|code| code.id == *id),
            Change::EndCodesForEmail(email) => {
                self.end_codes(|code| code.purpose == auth_domain::CodePurpose::Email && code.email_id == Some(*email));
            }
            Change::CountWrongGuesses { id, wrong_guesses } => {
                for row in self.codes.iter_mut().filter(|row| row.id == *id) {
                    row.wrong_guesses = *wrong_guesses;
                }
            }
            Change::QueueMail(mail) => self.mails.push(mail.into()),
            Change::PutKnownNetwork(record) => {
                self.known_networks.retain(|row| (row.email_id, row.network) != (record.email_id, record.network));
                self.known_networks.push(record.clone());
            }
            Change::DeleteKnownNetwork { email, network } => {
                self.known_networks.retain(|row| (row.email_id, row.network) != (*email, *network));
            }
            Change::PutFailures(record) => {
                self.failures.retain(|row| (&row.address_key, row.network) != (&record.address_key, record.network));
                self.failures.push(record.clone());
            }
            Change::DeleteFailures { address, network } => {
                self.failures.retain(|row| (&row.address_key, row.network) != (address, *network));
            }
            Change::PutThrottle(record) => {
                self.throttles.retain(|row: &ThrottleRecord| row.key != record.key);
                self.throttles.push(record.clone());
            }
            Change::RecordEvent(event) => self.events.push(event.clone()),
        }
    }

    /// Removes rows of a table, and what refers to them.
    pub(super) fn delete<R>(&mut self, table: fn(&mut Self) -> &mut Vec<R>, goes: impl Fn(&R) -> bool) {
        table(self).retain(|row| !goes(row));
        self.delete_orphans();
    }

    /// Removes a user, or a registration, with all that is theirs. Notices remain owed: they tell somebody else.
    pub(super) fn delete_user(&mut self, id: UserId) {
        let addresses: Vec<EmailId> = self.emails.iter().filter(|row| row.user_id == id).map(|row| row.id).collect();
        let is_theirs = |code: &&CodeRecord| code.email_id.is_some_and(|email| addresses.contains(&email));
        let codes: Vec<_> = self.codes.iter().filter(is_theirs).map(|code| code.id).collect();
        self.mails.retain(|mail| {
            let is_owed_code = mail.class == MailClass::Code && matches!(mail.state, MailState::Owed(_));
            !(is_owed_code && mail.code_id.is_some_and(|code| codes.contains(&code)))
        });
        self.delete(|tables| &mut tables.users, |row: &UserRecord| row.user.id == id);
    }

    /// Removes what refers to something that is gone, as foreign keys do.
    pub(super) fn delete_orphans(&mut self) {
        let users = &self.users;
        let is_there = |user: UserId| users.iter().any(|row| row.user.id == user);
        self.emails.retain(|row| is_there(row.user_id));
        self.sessions.retain(|row| row.user_id.is_none_or(is_there));
        self.key_pairs.retain(|row| is_there(row.user_id));
        let (sessions, key_pairs, emails) = (&self.sessions, &self.key_pairs, &self.emails);
        self.known_networks.retain(|known| emails.iter().any(|row| row.id == known.email_id));
        self.codes.retain(|code| {
            code.session_id.is_none_or(|id| sessions.iter().any(|row| row.id == id))
                && code.key_pair_id.is_none_or(|id| key_pairs.iter().any(|row| row.id == id))
                && code.email_id.is_none_or(|id| emails.iter().any(|row| row.id == id))
        });
        let codes = &self.codes;
        for mail in &mut self.mails {
            mail.code_id = mail.code_id.filter(|id| codes.iter().any(|code| code.id == *id));
        }
        let mails = &self.mails;
        self.attempts.retain(|attempt| mails.iter().any(|mail| mail.id == attempt.mail_id));
    }

    pub(super) fn emails(&mut self) -> &mut Vec<EmailRecord> {
        &mut self.emails
    }

    pub(super) fn sessions(&mut self) -> &mut Vec<SessionRecord> {
        &mut self.sessions
    }

    pub(super) fn key_pairs(&mut self) -> &mut Vec<KeyPairRecord> {
        &mut self.key_pairs
    }

    fn end_codes(&mut self, end: impl Fn(&CodeRecord) -> bool) {
        for code in self.codes.iter_mut().filter(|code| end(code)) {
            code.ended = true;
        }
    }

    fn user_mut(&mut self, id: UserId) -> &mut UserRecord {
        self.users.iter_mut().find(|row| row.user.id == id).expect("it was read in the same transaction")
    }

    fn email_mut(&mut self, id: EmailId) -> &mut EmailRecord {
        self.emails.iter_mut().find(|row| row.id == id).expect("it was read in the same transaction")
    }
}
