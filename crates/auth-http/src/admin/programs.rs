use std::io::{self, Write};

use auth_domain::{RoleName, UserId};
use serde::Serialize;
use uuid::Uuid;

use super::errand::Outcome;
use crate::routes::admin::{key_pairs, sessions, users};

/// What programs are told. Items of lists are what the REST API lists, to the letter.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Document<'a> {
    User {
        #[serde(rename = "userID")]
        user_id: Uuid,
    },
    Role {
        #[serde(rename = "userID")]
        user_id: Uuid,
        role: &'a str,
    },
    Standing {
        #[serde(rename = "userID")]
        user_id: Uuid,
        enabled: bool,
    },
    Closed {
        #[serde(rename = "userID")]
        user_id: Uuid,
        closed: u64,
    },
    Lock {
        unlocked: bool,
    },
    Users {
        users: Vec<users::Listed<'a>>,
    },
    Sessions {
        sessions: Vec<sessions::Listed<'a>>,
    },
    KeyPairs {
        key_pairs: Vec<key_pairs::Listed<'a>>,
    },
}

/// Tells programs what came of it, in one line.
pub(super) fn write(outcome: &Outcome, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Document::from(outcome))?;
    writeln!(out)
}

impl<'a> From<&'a Outcome> for Document<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        let role = |user: &UserId, role: &'a RoleName| Self::Role { user_id: user.uuid(), role: role.as_str() };
        match outcome {
            Outcome::Created(user) => Self::User { user_id: user.uuid() },
            Outcome::Granted(user, granted) => role(user, granted),
            Outcome::Revoked(user, revoked) => role(user, revoked),
            Outcome::Disabled(user) => Self::Standing { user_id: user.uuid(), enabled: false },
            Outcome::Enabled(user) => Self::Standing { user_id: user.uuid(), enabled: true },
            Outcome::SessionsRevoked(user, closed) => Self::Closed { user_id: user.uuid(), closed: *closed },
            Outcome::Unlocked(unlocked) => Self::Lock { unlocked: *unlocked },
            Outcome::Accounts(accounts) => Self::Users { users: accounts.iter().map(Into::into).collect() },
            Outcome::Sessions(sessions) => Self::Sessions { sessions: sessions.iter().map(Into::into).collect() },
            Outcome::KeyPairs(key_pairs) => Self::KeyPairs { key_pairs: key_pairs.iter().map(Into::into).collect() },
        }
    }
}
