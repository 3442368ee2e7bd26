//! How long trials go on that could go on for as long as one likes.

/// What every run of the tests does, or what is done where it may take long (`scripts/test --long`).
pub(crate) fn short_or_long([short, long]: [usize; 2]) -> usize {
    let may_take_long = std::env::var_os("AUTH_TEST_LONG").is_some();
    if may_take_long { long } else { short }
}
