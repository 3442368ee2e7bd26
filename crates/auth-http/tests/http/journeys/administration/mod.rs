//! What administrators do, with a bearer and with a key pair.

mod access;
mod addresses;
mod invitations;
mod key_pairs;
mod last_administrator;
mod memberships;
mod sessions;
mod users;

use serde_json::Value;

use super::{ADA, BOB, INVALID, LACKING, MISSING, ROOT, app, journeys};

/// The moment at which every journey begins, in Unix seconds.
const BEGINNING: i64 = 1_795_478_400;

const PAGES: &str = "pages are counted from 1 and hold 1 to 100 items";
const PARAMETER: &str = "a query parameter is missing or malformed";
const INACTIVE: &str = "the user is not verified, or disabled";

/// The path of something of a user's, or of the user.
fn of_user(user: &str, what: &str) -> String {
    format!("/admin/user/{user}{what}")
}

/// The text in a field.
fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap()
}

/// The names of an object's fields, in order.
fn fields(value: &Value) -> Vec<&str> {
    let mut fields: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    fields
}
