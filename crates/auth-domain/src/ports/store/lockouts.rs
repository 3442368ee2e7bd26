use async_trait::async_trait;

use super::StoreError;
use crate::Lockout;

/// Addresses at which too much was guessed wrong.
#[async_trait]
pub trait Lockouts: Send + Sync {
    /// Up to `limit` addresses at which `failures_in_a_row` or more guesses were wrong in a row, and whose owners have not been
    /// told. Those that nobody owns are among them. Those come first at which the fewest were, and of these the order is that of
    /// their addresses. A damaged one is logged and passed over, so that it does not hold up the others, and counts for no
    /// `limit`.
    async fn list_untold_lockouts(&self, failures_in_a_row: u32, limit: u32) -> Result<Vec<Lockout>, StoreError>;
}
