use async_trait::async_trait;

use crate::Mail;

/// Hands mails to whatever carries them on.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands over one mail and returns what the other side answered, for the record.
    ///
    /// A mail may be handed over twice, when the answer to the first time was lost: its id is the same both times.
    async fn deliver(&self, mail: &Mail) -> Result<String, MailError>;
}

/// Why a mail could not be handed over. The texts are kept with the mail and logged: no secret belongs in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// It may work later: the server is away, busy, or said 4xx.
    #[error("mail not delivered yet: {0}")]
    Transient(String),
    /// It will never work: the server said 5xx.
    #[error("mail refused: {0}")]
    Permanent(String),
}
