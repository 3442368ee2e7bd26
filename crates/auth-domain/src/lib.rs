//! Passwordless sign-in by a mailed one-time code: the rules, and the ports they need.
//!
//! Nothing in here does I/O, knows a database, a runtime or HTTP, or asks what time it is. A program hands [`Auth`] its
//! [`Ports`] and a [`Policy`] and calls use cases. What a use case does to what is stored is a [`Fact`]: it names what it is decided
//! by, decides with pure functions of [`rules`], and says what is to be written. A [`Store`] locks, reads and writes.
//!
//! | module | what it holds |
//! |---|---|
//! | `model` (re-exported here) | values that are valid because they exist, and the things that stores remember |
//! | [`rules`] | every decision, as a pure function with its table of tests |
//! | `facts` | what happens, a file per subject: methods of `dyn Store` |
//! | `ports` (re-exported here) | what the domain needs from the world: [`Store`], [`Mailer`], [`Clock`], [`Entropy`] |
//! | `secrets` (re-exported here) | bearers, codes, sealed mails and the [`ServerKeys`] they hang on |
//! | `use_cases` | the methods of [`Auth`] and [`Courier`], a file per subject |
//! | [`archive`] | everything that is stored, for moving it from one kind of store to another |
//! | [`system`] | the real clock and the real random source |
//!
//! # Example
//!
//! ```
//! use auth_domain::{EmailAddress, InvalidInput};
//!
//! let written = EmailAddress::parse("Ada@Example.org")?;
//! let typed = EmailAddress::parse("ada@example.org")?;
//! assert_eq!(written.as_str(), "Ada@Example.org"); // where mail goes
//! assert_eq!(written.key(), typed.key()); // what accounts are found by
//! # Ok::<(), InvalidInput>(())
//! ```
//!
//! The example `embed` of the crate `auth-http` signs somebody in from code to session without HTTP.

pub mod archive;
mod error;
mod facts;
mod keyed_lock;
mod model;
mod policy;
mod ports;
pub mod rules;
mod secrets;
pub mod system;
mod timeouts;
mod use_cases;

pub use error::{AuthError, InvalidInput};
pub use facts::{Conflict, Opened, Outcome, Redeemed};
pub use keyed_lock::{FactKey, KeyGuard, KeyedLock, MAX_WAITERS, TooManyWaiters};
pub use model::*;
pub use policy::{ImpossibleLifetimes, Lifetimes, Policy, SessionKinds};
pub use ports::*;
pub use secrets::{ApiKey, ApiSecret, Bearer, KeyId, NoServerKey, ServerKeys, TokenDigest, VerificationCode};
pub use timeouts::Timeouts;
pub use use_cases::{
    AccountWish, AddedEmail, Auth, Courier, CreatedAccount, CreatedKeyPair, Delivered, GivenSession, KeyPairWish,
    ListedSession, OpenedSession, Ports, SignUp, Welcome,
};
