use async_trait::async_trait;
use auth_domain::{
    Applied, Event, KeyPair, KeyPairId, KeyPairs, LiveKeyPair, NewKeyPair, Page, Paged, PendingKeyPair, Requested,
    StoreError, Timestamp, TokenDigest, UserId, Verified, rules::Asking,
};

use super::{
    InMemoryStore,
    accounts::paged,
    state::{KeyPairRow, Opens, State},
};

#[async_trait]
impl KeyPairs for InMemoryStore {
    async fn find_key_pair(&self, secret: &TokenDigest) -> Result<Option<LiveKeyPair>, StoreError> {
        let state = self.transaction()?;
        let found = state.key_pairs.iter().find(|row| row.new.digest == *secret).map(as_key_pair);
        Ok(found.and_then(|key_pair| {
            let row = state.users.iter().find(|row| row.user.id == key_pair.user_id)?;
            Some(LiveKeyPair { key_pair, user: row.user.clone() })
        }))
    }

    async fn list_key_pairs(&self, user: UserId, now: Timestamp) -> Result<Vec<KeyPair>, StoreError> {
        let state = self.transaction()?;
        let theirs = state.key_pairs.iter().filter(|row| row.new.user_id == user && state.stands(row, now));
        let mut listed: Vec<_> = theirs.map(as_key_pair).collect();
        listed.sort_by_key(|key_pair| std::cmp::Reverse((key_pair.created_at, key_pair.id)));
        Ok(listed)
    }

    async fn create_key_pair(&self, pending: &PendingKeyPair) -> Result<Requested, StoreError> {
        let mut state = self.transaction()?;
        let charges = match state.judge_asking(pending.restraint.as_ref(), Asking::SignedIn, &pending.code) {
            Ok(charges) => charges,
            Err(refusal) => return Ok(Requested::Throttled(refusal)),
        };
        let goes_to_owner = state
            .emails
            .iter()
            .any(|row| row.id == pending.email_id && row.user_id == pending.key_pair.user_id && row.verified);
        if !goes_to_owner {
            return Ok(Requested::Stale);
        }
        state.charge(charges);
        state.key_pairs.push(KeyPairRow { new: pending.key_pair.clone(), verified_at: None, last_used_at: None });
        state.store_code(&pending.code, Opens::KeyPair(pending.key_pair.id), Some(pending.email_id));
        state.store_mail(&pending.mail);
        state.events.push(pending.event.clone());
        Ok(Requested::Yes)
    }

    async fn page_key_pairs(
        &self,
        user: Option<UserId>,
        now: Timestamp,
        page: Page,
    ) -> Result<Paged<KeyPair>, StoreError> {
        let state = self.transaction()?;
        let wanted = |row: &&KeyPairRow| user.is_none_or(|user| row.new.user_id == user) && state.stands(row, now);
        let mut listed: Vec<_> = state.key_pairs.iter().filter(wanted).map(as_key_pair).collect();
        listed.sort_by_key(|key_pair| std::cmp::Reverse(key_pair.id));
        Ok(paged(listed, page))
    }

    async fn create_live_key_pair(&self, key_pair: &NewKeyPair, event: &Event) -> Result<Applied, StoreError> {
        let mut state = self.transaction()?;
        if !state.is_active(key_pair.user_id) {
            return Ok(Applied::Stale);
        }
        state.key_pairs.push(KeyPairRow {
            new: key_pair.clone(),
            verified_at: Some(key_pair.created_at),
            last_used_at: None,
        });
        state.events.push(event.clone());
        Ok(Applied::Yes)
    }

    async fn verify_key_pair(&self, id: KeyPairId, event: &Event) -> Result<Verified, StoreError> {
        let mut state = self.transaction()?;
        let standing = |row: &&mut KeyPairRow| row.new.id == id && event.at < row.new.expires_at;
        let Some(row) = state.key_pairs.iter_mut().find(standing) else { return Ok(Verified::Missing) };
        if row.verified_at.is_some() {
            return Ok(Verified::Already);
        }
        row.verified_at = Some(event.at);
        let owner = row.new.user_id;
        state.events.push(event.clone().about(owner));
        Ok(Verified::Yes(owner))
    }

    async fn delete_key_pair(
        &self,
        id: KeyPairId,
        of: Option<UserId>,
        event: &Event,
    ) -> Result<Option<UserId>, StoreError> {
        let mut state = self.transaction()?;
        let wanted = |row: &&KeyPairRow| row.new.id == id && of.is_none_or(|of| row.new.user_id == of);
        let found = state.key_pairs.iter().filter(wanted).find(|row| state.stands(row, event.at));
        let Some(owner) = found.map(|row| row.new.user_id) else { return Ok(None) };
        state.key_pairs.retain(|row| row.new.id != id);
        state.remove_orphans();
        state.events.push(event.clone().about(owner));
        self.revoked(owner);
        Ok(Some(owner))
    }
}

impl State {
    /// Whether a key pair has not ended: by its time, or because nobody can verify it any more.
    pub(super) fn stands(&self, row: &KeyPairRow, now: Timestamp) -> bool {
        let opens = Opens::KeyPair(row.new.id);
        let can_be_verified = || self.codes.iter().any(|code| code.opens == opens && code.state().is_living_at(now));
        now < row.new.expires_at && (row.verified_at.is_some() || can_be_verified())
    }
}

fn as_key_pair(row: &KeyPairRow) -> KeyPair {
    KeyPair {
        id: row.new.id,
        user_id: row.new.user_id,
        name: row.new.name.clone(),
        api_key: row.new.api_key.clone(),
        roles: row.new.roles.clone(),
        verified: row.verified_at.is_some(),
        created_at: row.new.created_at,
        expires_at: row.new.expires_at,
        last_used_at: row.last_used_at,
    }
}
