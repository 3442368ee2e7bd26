//! The store port of `auth-domain` on PostgreSQL: for any number of processes that share one database.
//!
//! | module | what it holds |
//! |---|---|
//! | `store` | [`PostgresStore`]: the pool, the runtime its connections live on, and the way anything is carried out |
//! | `options`, `tls`, `connections` | where the database is, how connections are encrypted, made and pooled |
//! | `migrations` | bringing the layout up to date, one process at a time |
//! | `error` | what PostgreSQL's failures mean to the domain |
//! | `facts` | what the domain decides: locked, read and written |
//! | `accounts`, `sessions`, `key_pairs`, `lockouts`, `audit`, `outbox`, `upkeep` | the other traits of the port, one each |
//! | `lane`, `queue` | look-ups for checks, those that wait together asked together |
//! | `revocations`, `listening`, `lag` | telling every process what a fact has revoked, hearing it, and how long that takes |
//! | `server_keys`, `usage`, `paging`, `losses` | parts of those |
//! | `archive` | [`PostgresArchive`]: writing everything that another kind of store keeps |
//! | `schema`, `records`, `rows`, `statement` | the tables, whole rows as records and back, rows as the check reads them, and statements that are written out |
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
mod connections;
mod error;
mod facts;
mod key_pairs;
mod lag;
mod lane;
mod listening;
mod lockouts;
mod losses;
mod migrations;
mod options;
mod outbox;
mod paging;
mod queue;
mod records;
mod revocations;
mod rows;
mod schema;
mod server_keys;
mod sessions;
mod statement;
mod store;
mod tls;
mod upkeep;
mod usage;

pub use archive::PostgresArchive;
pub use lag::RevocationLag;
pub use migrations::MigrateError;
pub use options::{InvalidUrl, PostgresUrl};
pub use store::{PoolOptions, PoolUse, PostgresStore};
pub use tls::InvalidAuthorities;
