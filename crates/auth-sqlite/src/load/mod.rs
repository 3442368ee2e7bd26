//! Reading what a fact is decided by.
//!
//! Nothing is locked for it: the transaction of a fact holds the write lock from its beginning.
//!
//! | file | what it reads |
//! |---|---|
//! | `address` | an address, and whoever holds an alias |
//! | `owned` | users, and what is theirs |
//! | `limits` | what was asked for and guessed wrong |

mod address;
mod limits;
mod owned;

use auth_domain::{Scope, State};
use diesel::SqliteConnection;

use crate::error::Failure;

/// What is stored in a scope.
pub(crate) fn load(conn: &mut SqliteConnection, scope: &Scope) -> Result<State, Failure> {
    let mut state = State::default();
    let (mut session, mut key_pair, mut email) = (scope.session, scope.key_pair, scope.email);
    if let Some(id) = scope.code {
        state.code = owned::code(conn, id)?;
        if let Some(code) = &state.code {
            (session, key_pair, email) =
                (session.or(code.session_id), key_pair.or(code.key_pair_id), email.or(code.email_id));
        }
    }
    let of_code = state.code.as_ref().map(|code| code.address_key.clone());
    if let Some(key) = scope.address.clone().or(of_code) {
        state.address = Some(address::address(conn, key, scope)?);
    }
    if let Some(alias) = &scope.alias {
        state.alias = address::alias(conn, alias)?;
    }
    if scope.administrators {
        state.administrators = owned::administrators(conn)?;
    }
    if let Some(id) = scope.user {
        (state.user, state.emails) = (owned::user(conn, id)?, owned::emails(conn, id)?);
        if scope.sessions {
            state.sessions = owned::sessions(conn, id)?;
        }
    }
    if let Some(id) = session {
        state.session = owned::session(conn, id)?;
    }
    if let Some(id) = key_pair {
        state.key_pair = owned::key_pair(conn, id)?;
    }
    if let Some(id) = scope.key_pair {
        state.key_pair_codes = owned::key_pair_codes(conn, id)?;
    }
    if let Some(id) = email {
        state.email = owned::email(conn, id)?;
    }
    if let Some(network) = scope.network {
        state.network = limits::throttles_of_network(conn, network)?;
    }
    Ok(state)
}
