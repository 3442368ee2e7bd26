use std::time::Duration;

use super::names::{has_length, is_name};
use crate::{
    ApiKey, EmailId, Event, InvalidInput, KeyId, KeyPairId, NewCode, QueuedMail, Restraint, Timestamp, TokenDigest,
    User, UserId,
};

/// What its owner calls a key pair: 1 to 64 characters, of which one at least can be seen, and none that controls the text around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName(String);

/// How long a key pair lives: 1 to 3650 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLife(Duration);

/// A key pair, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The key pair's id.
    pub id: KeyPairId,
    /// Whose it is.
    pub user_id: UserId,
    /// What its owner calls it.
    pub name: KeyName,
    /// Its public half.
    pub api_key: ApiKey,
    /// The roles that it is narrowed to, sorted; `None` for all that its owner has.
    pub roles: Option<Vec<String>>,
    /// Whether its code was redeemed.
    pub verified: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was last used, as of the last batch written; of one that is used all the time, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// A key pair that a check may accept, with the user it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveKeyPair {
    /// The key pair.
    pub key_pair: KeyPair,
    /// Its user.
    pub user: User,
}

/// A key pair about to be stored.
#[derive(Debug, Clone)]
pub struct NewKeyPair {
    /// The key pair's id.
    pub id: KeyPairId,
    /// Whose it is.
    pub user_id: UserId,
    /// What its owner calls it.
    pub name: KeyName,
    /// Its public half.
    pub api_key: ApiKey,
    /// What the store will know its secret by.
    pub digest: TokenDigest,
    /// The server key that both halves hang on.
    pub key_id: KeyId,
    /// The roles that it is narrowed to, sorted; `None` for all that its owner has.
    pub roles: Option<Vec<String>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Everything that making a key pair stores, in one transaction.
#[derive(Debug, Clone)]
pub struct PendingKeyPair {
    /// The key pair.
    pub key_pair: NewKeyPair,
    /// The owner's address that the code goes to.
    pub email_id: EmailId,
    /// The code that verifies it.
    pub code: NewCode,
    /// The mail that is owed.
    pub mail: QueuedMail,
    /// What the audit log says of it.
    pub event: Event,
    /// What the request is measured by; `None` if there are no limits.
    pub restraint: Option<Restraint>,
}

impl KeyName {
    /// The name in `text`, or [`InvalidInput::KeyName`].
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        if is_name(text, 64) { Self::from_stored(text) } else { Err(InvalidInput::KeyName) }
    }

    /// The name that was written down earlier, whatever names may be now; or [`InvalidInput::KeyName`] for a control character or a wrong
    /// length.
    pub fn from_stored(text: &str) -> Result<Self, InvalidInput> {
        if has_length(text, 64) { Ok(Self(text.to_owned())) } else { Err(InvalidInput::KeyName) }
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyLife {
    /// A life of `days` days, or [`InvalidInput::KeyDays`].
    pub fn of_days(days: i64) -> Result<Self, InvalidInput> {
        match u64::try_from(days) {
            Ok(days @ 1..=3650) => Ok(Self(Duration::from_hours(24 * days))),
            _ => Err(InvalidInput::KeyDays),
        }
    }

    /// The span of time.
    pub fn span(self) -> Duration {
        self.0
    }
}

impl LiveKeyPair {
    /// What the key pair may do: its owner's roles as they stand, narrowed to its own.
    pub fn roles(&self) -> Vec<String> {
        self.key_pair.narrow(&self.user.roles)
    }
}

impl KeyPair {
    /// Those of the owner's roles that the key pair carries.
    pub fn narrow(&self, owners: &[String]) -> Vec<String> {
        let carried = |role: &&String| self.roles.as_ref().is_none_or(|own| own.contains(role));
        owners.iter().filter(carried).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_a_name_and_a_life_within_bounds() {
        assert!(KeyName::parse(&"ü".repeat(64)).is_ok());
        for bad in ["", "a\nb", &"x".repeat(65)] {
            assert_eq!(KeyName::parse(bad), Err(InvalidInput::KeyName));
        }
        assert_eq!(KeyLife::of_days(1).unwrap().span(), Duration::from_hours(24));
        assert!(KeyLife::of_days(3650).is_ok());
        for bad in [0, -1, 3651, i64::MIN, i64::MAX] {
            assert_eq!(KeyLife::of_days(bad), Err(InvalidInput::KeyDays));
        }
    }
}
