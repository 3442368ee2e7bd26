use async_trait::async_trait;
use auth_domain::{AddressKey, Applied, Event, Lockout, Lockouts, StoreError, ToldLockout, Unlocked};

use super::InMemoryStore;

#[async_trait]
impl Lockouts for InMemoryStore {
    async fn list_untold_lockouts(&self, failures_in_a_row: u32, limit: u32) -> Result<Vec<Lockout>, StoreError> {
        let state = self.transaction()?;
        let mut untold: Vec<_> = state
            .failures
            .iter()
            .filter(|(_, failures)| failures.in_a_row >= failures_in_a_row && failures.owner_told_at.is_none())
            .collect();
        untold.sort_by_key(|(_, failures)| failures.in_a_row);
        let lockouts = untold.into_iter().map(|((address, network), _)| {
            let owned = state.emails.iter().find(|row| (row.verified || row.vouched) && row.address.key() == *address);
            let mail_to = owned.map(|row| row.address.clone());
            Lockout { address: address.clone(), network: *network, mail_to }
        });
        Ok(lockouts.take(usize::try_from(limit).expect("a small number")).collect())
    }

    async fn tell_lockout(&self, told: &ToldLockout) -> Result<Applied, StoreError> {
        let mut state = self.transaction()?;
        let row = state.failures.get_mut(&(told.lockout.address.clone(), told.lockout.network));
        let untold = row.filter(|row| row.in_a_row >= told.failures_in_a_row && row.owner_told_at.is_none());
        let Some(row) = untold else { return Ok(Applied::Stale) };
        row.owner_told_at = Some(told.told_at);
        if let Some(mail) = &told.mail {
            state.store_mail(mail);
        }
        Ok(Applied::Yes)
    }

    async fn unlock_address(&self, address: &AddressKey, event: &Event) -> Result<Unlocked, StoreError> {
        let mut state = self.transaction()?;
        let before = state.failures.len();
        state.failures.retain(|(failed, _), _| failed != address);
        if state.failures.len() == before {
            return Ok(Unlocked::Already);
        }
        let owner = state.owner_of(address);
        state.events.push(Event { subject: owner, ..event.clone() });
        Ok(Unlocked::Yes(owner))
    }
}
