//! What tests swap in for the world: fakes that hold state, mocks that script failures, and the contract that every
//! store must keep.
//!
//! | module | what it holds |
//! |---|---|
//! | [`InMemoryStore`] | the whole store port, in memory; can be switched off to see what an outage does |
//! | [`InMemoryArchive`] | everything that is stored, to copy from and to |
//! | [`ManualClock`] | time that stands still until told |
//! | [`RecordingMailer`] | keeps what it is handed; can refuse, or be out of reach |
//! | [`CountingEntropy`] | octets that differ at every draw and are the same in every run |
//! | [`MockStore`], [`MockMailer`] | mockall mocks, to script one failure at one call |
//! | `postgres` | a throwaway PostgreSQL server, with the feature of that name |
//! | `smtp` | a mail server that misbehaves as it is told, with the feature of that name |
//! | [`samples`] | registrations and sign-ins to store |
//! | [`records`] | everything that an installation can hold, with every field of every table |
//! | [`waiting`] | waiting for what happens on a machine of any speed, and time that stands still |
//! | [`contract`] | sentences about stores; [`store_contract!`] turns them into the tests of an adapter |
//!
//! ```
//! use auth_domain::{Auth, Client, EmailAddress, Language, Policy};
//! use auth_testkit::World;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let world = World::new();
//! let auth = world.auth(Policy::default());
//! let client = Client::new([127, 0, 0, 1].into(), "a test");
//! let nobody = EmailAddress::parse("nobody@example.org").unwrap();
//! assert!(auth.sign_in(&nobody, None, &client, &Language::default()).await.is_ok(), "an unknown address is not told apart");
//! assert!(world.deliver_mail().await.is_empty(), "but nothing is mailed to it");
//! # });
//! ```
#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets something it did not expect panics"
)]

pub mod contract;
mod fakes;
mod mocks;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod records;
pub mod samples;
#[cfg(feature = "smtp")]
pub mod smtp;
pub mod waiting;
mod world;

pub use fakes::{CountingEntropy, InMemoryArchive, InMemoryStore, ManualClock, RecordingMailer, SentMail};
pub use mocks::{MockMailer, MockStore};
pub use world::World;
