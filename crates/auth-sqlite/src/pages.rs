//! Pages of lists.

use auth_domain::{Page, Paged, StoreError};

use crate::error::Failure;

/// How many rows stand on pages before `page`.
pub(crate) fn offset(page: Page) -> i64 {
    page.offset().try_into().unwrap_or(i64::MAX)
}

/// The page whose rows are `rows`, of a list of `items`.
pub(crate) fn paged<Row, T>(
    rows: Vec<Row>,
    items: i64,
    parse: impl Fn(Row) -> Result<T, StoreError>,
) -> Result<Paged<T>, Failure> {
    let on_page = rows.into_iter().map(parse).collect::<Result<_, _>>()?;
    Ok(Paged { on_page, items: items.cast_unsigned() })
}
