//! What one operation answers and another one takes.

use utoipa::openapi::{RefOr, link::Link, path::Operation};

/// An operation, the id in its answer, and the operation whose path takes that id.
const LINKS: [(&str, &str, &str); 19] = [
    ("checkSession", "userID", "publicUser"),
    ("checkSession", "sessionID", "closeSession"),
    ("checkKeyPair", "userID", "publicUserById"),
    ("addEmail", "emailID", "deleteEmail"),
    ("createKeyPair", "keyID", "deleteKeyPair"),
    ("adminCreateUser", "userID", "adminGetUser"),
    ("adminCreateUser", "userID", "adminGrantRole"),
    ("adminCreateUser", "userID", "adminGrantGroup"),
    ("adminCreateUser", "userID", "adminOpenSession"),
    ("adminCreateUser", "userID", "adminCreateKeyPair"),
    ("adminCreateUser", "userID", "adminAddEmail"),
    ("adminCreateUser", "userID", "adminDisableUser"),
    ("adminCreateUser", "userID", "adminDeleteUser"),
    ("adminOpenSession", "sessionID", "adminVerifySession"),
    ("adminOpenSession", "sessionID", "adminCloseSession"),
    ("adminCreateKeyPair", "keyID", "adminVerifyKeyPair"),
    ("adminCreateKeyPair", "keyID", "adminDeleteKeyPair"),
    ("adminAddEmail", "emailID", "adminVerifyEmail"),
    ("adminAddEmail", "emailID", "adminDeleteEmail"),
];

/// Adds to an operation's answers where to go from there.
pub(super) fn complete(operation: &mut Operation) {
    for (from, id, to) in LINKS {
        if operation.operation_id.as_deref() != Some(from) {
            continue;
        }
        for (status, response) in &mut operation.responses.responses {
            if let RefOr::T(response) = response
                && status.starts_with('2')
            {
                let link = Link::builder().operation_id(to).parameter("id", format!("$response.body#/{id}"));
                response.links.insert(to.to_owned(), link.build().into());
            }
        }
    }
}
