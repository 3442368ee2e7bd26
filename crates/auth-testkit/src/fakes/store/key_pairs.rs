use async_trait::async_trait;
use auth_domain::{
    KeyPair, KeyPairs, LiveKeyPair, Page, Paged, StoreError, Timestamp, TokenDigest, UserId, archive::KeyPairRecord,
    rules::key_pair_stands,
};

use super::{InMemoryStore, accounts::paged, tables::Tables};

#[async_trait]
impl KeyPairs for InMemoryStore {
    async fn find_key_pair(&self, secret: &TokenDigest) -> Result<Option<LiveKeyPair>, StoreError> {
        let tables = self.transaction()?;
        let found = tables.key_pairs.iter().find(|row| row.digest == *secret).map(as_key_pair);
        Ok(found.and_then(|key_pair| {
            let user = tables.users.iter().find(|row| row.user.id == key_pair.user_id)?.user.clone();
            Some(LiveKeyPair { key_pair, user })
        }))
    }

    async fn list_key_pairs(&self, user: UserId, now: Timestamp) -> Result<Vec<KeyPair>, StoreError> {
        let tables = self.transaction()?;
        let mut listed = tables.standing_key_pairs(Some(user), now);
        listed.sort_by_key(|key_pair| std::cmp::Reverse((key_pair.created_at, key_pair.id)));
        Ok(listed)
    }

    async fn page_key_pairs(
        &self,
        user: Option<UserId>,
        now: Timestamp,
        page: Page,
    ) -> Result<Paged<KeyPair>, StoreError> {
        let tables = self.transaction()?;
        let mut listed = tables.standing_key_pairs(user, now);
        listed.sort_by_key(|key_pair| std::cmp::Reverse(key_pair.id));
        Ok(paged(listed, page))
    }
}

impl Tables {
    fn standing_key_pairs(&self, user: Option<UserId>, now: Timestamp) -> Vec<KeyPair> {
        let wanted = |row: &&KeyPairRecord| user.is_none_or(|user| row.user_id == user) && self.stands(row, now);
        self.key_pairs.iter().filter(wanted).map(as_key_pair).collect()
    }

    pub(super) fn stands(&self, row: &KeyPairRecord, now: Timestamp) -> bool {
        let codes: Vec<_> = self.codes.iter().filter(|code| code.key_pair_id == Some(row.id)).cloned().collect();
        key_pair_stands(row, &codes, now)
    }
}

fn as_key_pair(row: &KeyPairRecord) -> KeyPair {
    KeyPair {
        id: row.id,
        user_id: row.user_id,
        name: row.name.clone(),
        api_key: row.api_key.clone(),
        roles: row.roles.clone(),
        verified: row.verified_at.is_some(),
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
    }
}
