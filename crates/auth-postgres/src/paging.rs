//! Pages of a list, and how much there is of it in all.

use auth_domain::{Page, Paged, StoreError};

/// How many rows are on the page.
pub(crate) fn size(page: Page) -> i64 {
    page.size().into()
}

/// How many rows are on the pages before it.
pub(crate) fn offset(page: Page) -> i64 {
    i64::try_from(page.offset()).unwrap_or(i64::MAX)
}

/// A page that was read, of a list of `items` rows.
pub(crate) fn paged<R, T>(
    rows: Vec<R>,
    items: i64,
    parse: impl FnMut(R) -> Result<T, StoreError>,
) -> Result<Paged<T>, StoreError> {
    let on_page = rows.into_iter().map(parse).collect::<Result<_, _>>()?;
    Ok(Paged { on_page, items: items.try_into().unwrap_or(0) })
}
