/// Told when a mail was queued, so that a delivery worker in the same process need not wait for its next look.
///
/// Only ever a hint: what is owed stands in the outbox, and a worker that hears nothing still finds it.
pub trait OutboxBell: Send + Sync {
    /// A mail was queued.
    fn ring(&self);
}

/// Nobody listens: the worker looks by itself from time to time, or runs elsewhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBell;

impl OutboxBell for NoBell {
    fn ring(&self) {}
}
