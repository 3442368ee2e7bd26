//! The store port of `auth-domain` on one SQLite file: the embedded default, for one process and its command line.
//!
//! | module | what it holds |
//! |---|---|
//! | `store` | [`SqliteStore`]: opening it, and the way to its writer and its readers |
//! | `writer` | the one connection that writes, on a thread of its own |
//! | `connections` | how connections are set up, and the pool of those that read |
//! | `others` | noticing what other processes write |
//! | `migrations` | making the file and bringing its layout up to date |
//! | `error` | [`OpenError`], and what SQLite's failures mean to the domain |
//! | `damage` | passing over damaged rows in jobs that go through many |
//! | `facts` | carrying out what the domain decides |
//! | `load` | reading what a fact is decided by |
//! | `changes` | writing what comes of it |
//! | `accounts`, `sessions`, `key_pairs`, `lockouts`, `audit`, `outbox`, `upkeep` | the other traits of the port, one each; every method is one function of a connection |
//! | `pages`, `usage`, `server_keys` | what several of those share, and what is worth a statement of its own |
//! | `archive` | [`SqliteArchive`]: reading everything, for another kind of store |
//! | `schema`, `rows` | the tables, and the way back from their rows to records and the domain's types |
//!
//! The layout itself, with the reasons for it, stands in `migrations/sqlite`.
//!
//! SQLite is built in. How it is built for the service stands in the workspace's `.cargo/config.toml`, which a program that
//! embeds this crate does not see: with the same `LIBSQLITE3_FLAGS`, checks that are not remembered are some percent faster.
//!
//! # Example
//!
//! ```
//! use auth_domain::Upkeep;
//! use auth_sqlite::SqliteStore;
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! # let folder = tempfile::tempdir()?;
//! let store = SqliteStore::open(&folder.path().join("data/auth.db"))?;
//! store.check_ready().await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accounts;
mod archive;
mod audit;
mod changes;
mod connections;
mod damage;
mod error;
mod facts;
mod key_pairs;
mod load;
mod lockouts;
mod migrations;
mod others;
mod outbox;
mod pages;
#[cfg(test)]
mod plan;
mod rows;
mod schema;
mod server_keys;
mod sessions;
mod store;
mod upkeep;
mod usage;
mod writer;

pub use archive::SqliteArchive;
pub use error::OpenError;
pub use store::{SqliteOptions, SqliteStore};
