//! What the checks answer, made once for each credential and remembered.

use std::array::from_fn;

use actix_web::{
    HttpResponse,
    http::header::{self, HeaderValue},
    web::Bytes,
};
use auth_domain::{LiveKeyPair, LiveSession, User};
use memchr::memchr;
use serde::Serialize;

use super::{key_pair, session};

/// The answers to checks of one credential.
///
/// There are as many of these in memory as credentials in use, so they are small: one run of text and nothing else.
#[derive(Debug)]
pub struct Checked {
    /// Alias, roles, groups, and the answer to the check of its own kind as JSON, separated by [`BETWEEN`]; roles and groups
    /// are lists with commas.
    text: Box<str>,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Stands in none of the four.
const BETWEEN: u8 = b'\n';

impl Checked {
    /// What is answered to whoever holds this session.
    pub fn of_session(live: &LiveSession) -> Self {
        Self::new(&session::Check::from(live), &live.user, &live.user.roles)
    }

    /// What is answered to whoever holds this key pair.
    pub fn of_key_pair(live: &LiveKeyPair) -> Self {
        Self::new(&key_pair::Check::from(live), &live.user, &live.roles())
    }

    fn new(check: &impl Serialize, user: &User, roles: &[String]) -> Self {
        // Text, numbers and lists of text always serialise.
        let body = serde_json::to_string(check).unwrap_or_default();
        let text = [user.alias.as_str(), &roles.join(","), &user.groups.join(","), &body].join("\n");
        Self { text: text.into() }
    }

    /// The answer to the check of its own kind.
    pub(crate) fn answer(&self) -> HttpResponse {
        let [.., body] = self.parts();
        HttpResponse::Ok().insert_header((header::CONTENT_TYPE, JSON)).body(Bytes::copy_from_slice(body.as_bytes()))
    }

    /// The user's alias, what the credential may do, and what the user belongs to; the last two with commas between.
    pub(crate) fn identity(&self) -> (&str, &str, &str) {
        let [alias, roles, groups, _body] = self.parts();
        (alias, roles, groups)
    }

    fn parts(&self) -> [&str; 4] {
        let mut rest = self.text.as_ref();
        let [alias, roles, groups] = from_fn(|_| {
            let (part, behind) = memchr(BETWEEN, rest.as_bytes()).map_or((rest, ""), |end| {
                (rest.get(..end).unwrap_or_default(), rest.get(end + 1..).unwrap_or_default())
            });
            rest = behind;
            part
        });
        [alias, roles, groups, rest]
    }
}

/// The names in a list with commas.
pub(super) fn listed(names: &str) -> impl Iterator<Item = &str> {
    names.split(',').filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use auth_domain::{Alias, FullName, Timestamp};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_identity_comes_back_as_it_was_whatever_is_empty() {
        let checked = |roles: &[&str], groups: &[&str]| {
            let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            let user = User {
                id: Uuid::from_u128(1).into(),
                alias: Alias::parse("ada").unwrap(),
                full_name: FullName::parse("Ada").unwrap(),
                verified: true,
                enabled: true,
                roles: names(roles),
                groups: names(groups),
                created_at: Timestamp::from_unix_millis(0),
            };
            Checked::new(&(), &user, &user.roles)
        };
        for (roles, groups) in [(&["a", "b"][..], &["c"][..]), (&[], &["c"]), (&["a"], &[]), (&[], &[])] {
            let checked = checked(roles, groups);
            assert_eq!(checked.identity(), ("ada", roles.join(",").as_str(), groups.join(",").as_str()));
            assert_eq!(listed(checked.identity().1).collect::<Vec<_>>(), roles);
        }
    }
}
