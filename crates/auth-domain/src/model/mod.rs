//! The words of the domain: values that are valid because they exist, and the things that stores remember.

mod caller;
mod client;
mod code;
mod email;
mod email_address;
mod ids;
mod key_pair;
mod language;
mod mail;
mod mail_content;
mod names;
mod session;
mod time;
mod user;

pub use caller::Caller;
pub use client::{Client, Network};
pub use code::{CodeGuess, CodeHash, CodePurpose, CodeState, LivingCode, NewCode};
pub use email::{Email, EmailAddition, EmailChange, EmailRenewal};
pub use email_address::{AddressKey, EmailAddress};
pub use ids::{CodeId, CredentialId, EmailId, KeyPairId, MailId, SessionId, UserId, mint_uuid};
pub use key_pair::{KeyLife, KeyName, KeyPair, LiveKeyPair, NewKeyPair, PendingKeyPair};
pub use language::Language;
pub use mail::{ClaimedMail, Mail, MailClass, QueuedMail, SealedMail, Settlement};
pub use mail_content::{CodeMail, MailContent, Notice};
pub use names::{Alias, FullName};
pub use session::{LiveSession, NewSession, PendingSignIn, Session, SessionKind, SessionOwner};
pub use time::Timestamp;
pub use user::{KnownAddress, Registration, Standing, User};
