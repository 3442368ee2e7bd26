//! The store port of `auth-domain` on PostgreSQL: for any number of processes that share one database.
//!
//! | module | what it holds |
//! |---|---|
//! | `store` | [`PostgresStore`]: the pool, the runtime its connections live on, and the way a fact is carried out |
//! | `options`, `tls`, `connections` | where the database is, how connections are encrypted, made and pooled |
//! | `migrations` | bringing the layout up to date, one process at a time |
//! | `error` | what PostgreSQL's failures mean to the domain |
//! | `users`, `accounts`, `emails`, `sessions`, `key_pairs`, `redeeming`, `lockouts`, `audit`, `outbox`, `upkeep` | one trait of the port each; every method is one function of a connection |
//! | `changes`, `closing`, `sign_ins`, `usage` | facts of theirs that fill a file |
//! | `lane`, `queue` | look-ups for checks, those that wait together asked together |
//! | `revocations`, `listening`, `lag` | telling every process what a fact has revoked, hearing it, and how long that takes |
//! | `limits` | what requests are measured by, and what the database's functions say of those they refuse |
//! | `locks`, `registrations`, `claims`, `codes`, `paging`, `calls` | what several of those share |
//! | `archive` | [`PostgresArchive`]: writing everything that another kind of store keeps |
//! | `schema`, `rows` | the tables, and the way back from their rows to the domain's types |
//!
//! The layout itself, with the reasons for it, stands in `migrations/postgres`.
//!
//! # Example
//!
//! ```no_run
//! use auth_domain::Upkeep;
//! use auth_postgres::{PoolOptions, PostgresStore};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let url = "postgres://auth:secret@localhost/auth?sslmode=verify-full".parse()?;
//! let store = PostgresStore::new(url, PoolOptions::default())?;
//! store.migrate().await?;
//! store.check_ready().await?;
//! # Ok(())
//! # }
//! ```

mod accounts;
mod archive;
mod audit;
mod calls;
mod changes;
mod claims;
mod closing;
mod codes;
mod connections;
mod emails;
mod error;
mod key_pairs;
mod lag;
mod lane;
mod limits;
mod listening;
mod lockouts;
mod locks;
mod losses;
mod migrations;
mod options;
mod outbox;
mod paging;
mod queue;
mod redeeming;
mod registrations;
mod revocations;
mod rows;
mod schema;
mod server_keys;
mod sessions;
mod sign_ins;
mod store;
mod tls;
mod upkeep;
mod usage;
mod users;

pub use archive::PostgresArchive;
pub use lag::RevocationLag;
pub use migrations::MigrateError;
pub use options::{InvalidUrl, PostgresUrl};
pub use store::{PoolOptions, PoolUse, PostgresStore};
pub use tls::InvalidAuthorities;
