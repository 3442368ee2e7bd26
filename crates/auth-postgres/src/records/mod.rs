//! Whole rows, to records and back. A row has every column of its table, in the table's order: one that is added to the
//! schema does not compile until it is here.

mod accounts;
mod credentials;
mod limits;
mod mails;

use auth_domain::StoreError;
use uuid::Uuid;

pub(crate) use accounts::{EmailRow, UserRow};
pub(crate) use credentials::{KeyPairRow, SessionRow};
pub(crate) use limits::{FailureRow, KnownNetworkRow, ThrottleRow};
pub(crate) use mails::{AttemptRow, CodeRow, MailRow};

use crate::{audit::EventRow, error::corrupt};

/// A row as it is stored.
pub(crate) trait Row {
    /// Whether one of its texts has a character that PostgreSQL's do not.
    fn holds_nul(&self) -> bool;
}

impl Row for EventRow {
    fn holds_nul(&self) -> bool {
        any_nul([&self.detail])
    }
}

fn any_nul<'a>(texts: impl IntoIterator<Item = &'a String>) -> bool {
    texts.into_iter().any(|text| text.contains('\0'))
}

fn octets(table: &'static str, row: Uuid, column: &[u8]) -> Result<[u8; 32], StoreError> {
    column.try_into().map_err(damage(table, row))
}

/// What does not parse, in a column of `table`, whose row is `row`.
fn damage<E: std::fmt::Display>(table: &'static str, row: Uuid) -> impl FnOnce(E) -> StoreError {
    move |reason| corrupt(table, row, reason)
}
