/// Yields random octets that nobody can predict.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`, or says that it could not; half-random octets are never used.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

/// The system's random source failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's random source failed")]
pub struct EntropyError;
