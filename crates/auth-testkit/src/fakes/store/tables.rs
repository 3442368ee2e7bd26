use auth_domain::{
    AddressKey, AddressState, AliasState, Claim, CodeId, CodePurpose, RoleName, Scope, Standing, State, User, UserId,
    archive::{
        AttemptRecord, CodeRecord, EmailRecord, FailureRecord, KeyPairRecord, KnownNetworkRecord, MailRecord,
        SessionRecord, ThrottleRecord, UserRecord,
    },
};

/// All that is stored.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub users: Vec<UserRecord>,
    pub emails: Vec<EmailRecord>,
    pub sessions: Vec<SessionRecord>,
    pub key_pairs: Vec<KeyPairRecord>,
    pub codes: Vec<CodeRecord>,
    pub mails: Vec<MailRecord>,
    pub attempts: Vec<AttemptRecord>,
    pub known_networks: Vec<KnownNetworkRecord>,
    pub failures: Vec<FailureRecord>,
    pub throttles: Vec<ThrottleRecord>,
    pub events: Vec<auth_domain::Event>,
}

impl Tables {
    /// What is stored in a scope.
    pub(super) fn load(&self, scope: &Scope) -> State {
        let code = scope.code.and_then(|id| find(&self.codes, |row| row.id == id));
        let address = scope.address.as_ref().or(code.as_ref().map(|code| &code.address_key));
        let session = scope.session.or(code.as_ref().and_then(|code| code.session_id));
        let key_pair = scope.key_pair.or(code.as_ref().and_then(|code| code.key_pair_id));
        let email = scope.email.or(code.as_ref().and_then(|code| code.email_id));
        State {
            address: address.map(|key| self.address(key, scope)),
            alias: scope.alias.as_ref().and_then(|alias| self.alias(&alias.key())),
            administrators: if scope.administrators { self.administrators() } else { Vec::new() },
            user: scope.user.and_then(|id| find(&self.users, |row| row.user.id == id)),
            emails: scope.user.map(|id| self.emails_of(id)).unwrap_or_default(),
            sessions: select(&self.sessions, |row| scope.sessions && scope.user.is_some() && row.user_id == scope.user),
            session: session.and_then(|id| find(&self.sessions, |row| row.id == id)),
            key_pair: key_pair.and_then(|id| find(&self.key_pairs, |row| row.id == id)),
            key_pair_codes: select(&self.codes, |row| scope.key_pair.is_some() && row.key_pair_id == scope.key_pair),
            email: email.and_then(|id| find(&self.emails, |row| row.id == id)),
            network: select(&self.throttles, |row| {
                scope.network.is_some() && row.key.address.is_none() && row.key.network == scope.network
            }),
            code,
        }
    }

    pub(super) fn standing(&self, user: UserId) -> Option<Standing> {
        self.users.iter().find(|row| row.user.id == user).map(|row| row.standing)
    }

    /// The addresses of a user, oldest first.
    pub(super) fn emails_of(&self, id: UserId) -> Vec<EmailRecord> {
        let mut emails = select(&self.emails, |row| row.user_id == id);
        emails.sort_by_key(|row| (row.created_at, row.id));
        emails
    }

    /// The address on record that a code is for.
    pub(super) fn on_record(&self, code: CodeId) -> Option<&EmailRecord> {
        let email = self.codes.iter().find(|row| row.id == code)?.email_id?;
        self.emails.iter().find(|row| row.id == email)
    }

    pub(super) fn sign_in_codes(&self, address: &AddressKey) -> Vec<CodeRecord> {
        select(&self.codes, |code| code.purpose == CodePurpose::SignIn && code.address_key == *address)
    }

    fn address(&self, key: &AddressKey, scope: &Scope) -> AddressState {
        let emails = select(&self.emails, |row| row.address_key == *key);
        let is_theirs = |known: &KnownNetworkRecord| emails.iter().any(|email| email.id == known.email_id);
        let claim = |email: &EmailRecord| {
            let user = find(&self.users, |row| row.user.id == email.user_id)?;
            Some(Claim { email: email.clone(), user })
        };
        let Scope { claims, codes, limits, .. } = *scope;
        AddressState {
            claims: emails.iter().filter(|_| claims).filter_map(claim).collect(),
            codes: if codes { self.sign_in_codes(key) } else { Vec::new() },
            known_networks: select(&self.known_networks, |known| limits && is_theirs(known)),
            failures: select(&self.failures, |row| limits && row.address_key == *key),
            throttles: select(&self.throttles, |row| limits && row.key.address.as_ref() == Some(key)),
            key: key.clone(),
        }
    }

    fn alias(&self, key: &str) -> Option<AliasState> {
        let user = find(&self.users, |row| row.alias_key == key)?;
        let address = self.emails_of(user.user.id).first().map(|email| email.address_key.clone());
        let codes = address.as_ref().map(|address| self.sign_in_codes(address)).unwrap_or_default();
        Some(AliasState { user, address, codes })
    }

    fn administrators(&self) -> Vec<User> {
        let role = RoleName::users_admin();
        let hold = |row: &&UserRecord| row.user.roles.iter().any(|held| held == role.as_str());
        self.users.iter().filter(hold).map(|row| row.user.clone()).collect()
    }
}

fn find<R: Clone>(rows: &[R], is_wanted: impl Fn(&R) -> bool) -> Option<R> {
    rows.iter().find(|row| is_wanted(row)).cloned()
}

fn select<R: Clone>(rows: &[R], is_wanted: impl Fn(&R) -> bool) -> Vec<R> {
    rows.iter().filter(|row| is_wanted(row)).cloned().collect()
}
