use super::Auth;
use crate::{AuthError, KeyInUse, rules::keys_in_use};

impl Auth {
    /// The server keys and what hangs on each; those that are gone and that something hangs on come last.
    pub async fn list_server_keys(&self) -> Result<Vec<KeyInUse>, AuthError> {
        let hanging = self.ports.store.what_hangs_on_keys(self.now()).await?;
        Ok(keys_in_use(self.keys.ids(), hanging))
    }
}
