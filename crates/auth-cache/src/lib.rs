//! The check from memory: what a look-up has found is remembered, and forgotten when the store tells that it may be wrong.
//!
//! | module | what it holds |
//! |---|---|
//! | `checks` | [`CachedChecks`]: the check of [`Auth`](auth_domain::Auth), asking the store only for what is not remembered |
//! | `memory` | [`Memory`]: what is remembered, how much at most, and whether it may be believed |
//! | `shard` | one part of it: two generations, of which the older one goes |
//! | `flights` | look-ups under way, each shared by all who want the same |
//! | `forgotten` | whose credentials were forgotten, and since when |
//! | `last_use` | when a credential was last used, in few octets |
//! | `counts` | what the memory was good for |
//!
//! # What is promised
//!
//! A credential that was revoked is refused at once by the process that revoked it: its store tells the memory before it
//! answers. Any other process refuses it within [`DEAF_AFTER`]: it believes its memory only as long as it has proof of
//! having heard everything up to a moment that is no older. Whether a credential has ended by its time, and whether it and
//! its user are what the rules ask for, is judged at every check, remembered or not.
//!
//! Only what was found good is remembered, under the digest of what was shown, and until the server keys are replaced: what is
//! found need not be recognised again. An invented token is not found and then refused by arithmetic; one that was real once is
//! asked for each time.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use auth_cache::{CachedChecks, Hearing, Memory};
//! use auth_domain::{Client, Language, Policy};
//! use auth_testkit::World;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let world = World::new();
//! let memory = Arc::new(Memory::new(100_000, Hearing::InProcess));
//! world.store.tell(memory.clone());
//! let auth = Arc::new(world.auth(Policy::default()));
//! let checks = CachedChecks::new(auth, memory, |live| live.user.alias.clone(), |live| live.user.alias.clone());
//! assert!(checks.check_session("aub_invented").await.is_err());
//! # });
//! ```

mod checks;
mod counts;
mod flights;
mod forgotten;
mod last_use;
mod memory;
mod shard;

pub use checks::{CachedChecks, Recalled, Recognised};
pub use counts::Counts;
pub use memory::{DEAF_AFTER, Hearing, Memory, Remembered};
