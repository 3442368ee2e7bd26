use async_trait::async_trait;
use auth_domain::{
    AddressKey, KnownAddress, Registered, Registration, SessionOwner, Standing, StoreError, Timestamp, User, UserId,
    Users,
    rules::{AliasHolder, AliasVerdict, Asking, judge_alias},
};

use super::{
    InMemoryStore,
    state::{EmailRow, State, UserRow},
};

#[async_trait]
impl Users for InMemoryStore {
    async fn find_user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let state = self.transaction()?;
        let account = state.users.iter().find(|row| row.user.id == id && row.standing == Standing::Account);
        Ok(account.map(|row| row.user.clone()))
    }

    async fn find_address(&self, address: &AddressKey, now: Timestamp) -> Result<Option<KnownAddress>, StoreError> {
        let state = self.transaction()?;
        Ok(state.whose(address, now).map(|email| KnownAddress {
            owner: email.leads_to(),
            address: email.address.clone(),
            verified: email.verified,
            vouched: email.vouched,
        }))
    }

    async fn register_user(&self, registration: &Registration) -> Result<Registered, StoreError> {
        let mut state = self.transaction()?;
        let (now, address) = (registration.sign_in.code.created_at, registration.address_key());

        let sign_in = &registration.sign_in;
        let charges = match state.judge_asking(sign_in.restraint.as_ref(), Asking::SignUp, &sign_in.code) {
            Ok(charges) => charges,
            Err(refusal) => return Ok(Registered::Throttled(refusal)),
        };
        let holder = alias_holder(&state, &registration.alias.key(), now);
        let verdict = judge_alias(holder.as_ref().map(|(_, holder)| holder), &address);
        if verdict == AliasVerdict::Taken {
            state.charge_for_taken_alias(charges);
            return Ok(Registered::AliasTaken);
        }
        if state.has_owner(&address, None) != registration.decoy {
            return Ok(Registered::Stale);
        }
        if let (AliasVerdict::Replace, Some((user, _))) = (verdict, holder) {
            state.remove_user(user);
        }
        for user in state.registrations_for(&address) {
            state.remove_user(user);
        }
        state.charge(charges);
        store_user(&mut state, registration, now);
        let owner = SessionOwner { user_id: registration.user_id, email_id: registration.email_id };
        state.store_sign_in(&registration.sign_in, Some(owner));
        Ok(Registered::Yes)
    }
}

pub(super) fn alias_holder(state: &State, alias_key: &str, now: Timestamp) -> Option<(UserId, AliasHolder)> {
    let row = state.users.iter().find(|row| row.user.alias.key() == alias_key)?;
    let email = state.emails.iter().find(|email| email.user_id == row.user.id);
    let holder = match (row.standing, email) {
        (Standing::Pending | Standing::Decoy, Some(email)) => {
            let address = email.address.key();
            let has_living_code = !state.living_codes(&address, now).is_empty();
            AliasHolder::Registration { address, has_living_code }
        }
        _ => AliasHolder::Account,
    };
    Some((row.user.id, holder))
}

fn store_user(state: &mut State, registration: &Registration, now: Timestamp) {
    state.users.push(UserRow {
        user: User {
            id: registration.user_id,
            alias: registration.alias.clone(),
            full_name: registration.full_name.clone(),
            verified: false,
            enabled: true,
            roles: registration.roles.clone(),
            groups: registration.groups.clone(),
            created_at: now,
        },
        standing: if registration.decoy { Standing::Decoy } else { Standing::Pending },
    });
    state.emails.push(EmailRow {
        id: registration.email_id,
        user_id: registration.user_id,
        address: registration.address.clone(),
        verified: false,
        vouched: false,
        preferred: true,
        created_at: now,
    });
}
