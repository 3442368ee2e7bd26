use std::time::Instant;

use crate::UserId;

/// Told of everything that may make a remembered credential wrong: whoever remembers what a check has found listens here.
///
/// A store tells of a fact that revokes or changes something before it answers whoever did that. What other processes did
/// on the same database it tells as soon as it hears of it. So somebody who remembers, and who stops doing so when nothing
/// has been [heard](Self::heard_until) for a while, is never wrong for longer than that while.
pub trait Revocations: Send + Sync {
    /// Credentials of `user` may have ended, or what they may do may have changed.
    fn forget_user(&self, user: UserId);

    /// Any credential may have: something may have been missed.
    fn forget_everything(&self);

    /// All that any process had revoked or changed by `moment` has been told.
    fn heard_until(&self, moment: Instant);
}

/// Nobody remembers anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMemory;

impl Revocations for NoMemory {
    fn forget_user(&self, _user: UserId) {}

    fn forget_everything(&self) {}

    fn heard_until(&self, _moment: Instant) {}
}
