use auth_domain::{
    AddressKey, AddressState, Alias, AliasState, Claim, CodePurpose, Scope, StoreError,
    archive::{CodeRecord, KnownNetworkRecord},
};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl, SqliteConnection, Table, dsl::auto_type};

use super::{limits, owned};
use crate::{
    error::Failure,
    rows::{self, EmailRow, UserRow, all, one},
    schema::{codes, emails, known_networks, users},
};

/// What the scope wants of an address. The same statements, whoever has it: what they cost tells nothing.
pub(super) fn address(conn: &mut SqliteConnection, key: AddressKey, scope: &Scope) -> Result<AddressState, Failure> {
    let limits = scope.limits;
    Ok(AddressState {
        claims: if scope.claims { all(with_address(key.as_str()).load(conn), claim)? } else { Vec::new() },
        codes: if scope.codes { codes(conn, &key)? } else { Vec::new() },
        known_networks: if limits { known_networks(conn, &key)? } else { Vec::new() },
        failures: if limits { limits::failures(conn, &key)? } else { Vec::new() },
        throttles: if limits { limits::throttles_of_address(conn, &key)? } else { Vec::new() },
        key,
    })
}

/// Whoever holds an alias.
pub(super) fn alias(conn: &mut SqliteConnection, alias: &Alias) -> Result<Option<AliasState>, Failure> {
    let Some(user) = one(with_alias(&alias.key()).get_result(conn), rows::user)? else { return Ok(None) };
    let address = owned::emails(conn, user.user.id)?.into_iter().next().map(|email| email.address_key);
    let codes = match &address {
        Some(address) => codes(conn, address)?,
        None => Vec::new(),
    };
    Ok(Some(AliasState { user, address, codes }))
}

fn codes(conn: &mut SqliteConnection, address: &AddressKey) -> Result<Vec<CodeRecord>, Failure> {
    all(sign_in_codes(address.as_str()).load(conn), rows::code)
}

fn known_networks(conn: &mut SqliteConnection, address: &AddressKey) -> Result<Vec<KnownNetworkRecord>, Failure> {
    all(known_to(address.as_str()).load(conn), rows::known_network)
}

fn claim((email, user): (EmailRow, UserRow)) -> Result<Claim, StoreError> {
    Ok(Claim { email: rows::email(email)?, user: rows::user(user)? })
}

#[auto_type(no_type_alias)]
fn with_address<'a>(address: &'a str) -> _ {
    emails::table.inner_join(users::table).filter(emails::address_key.eq(address))
}

#[auto_type(no_type_alias)]
fn with_alias<'a>(key: &'a str) -> _ {
    users::table.filter(users::alias_key.eq(key))
}

/// The codes that have not been used or replaced: there may be many others.
#[auto_type(no_type_alias)]
fn sign_in_codes<'a>(address: &'a str) -> _ {
    let sign_in: &'static str = CodePurpose::SignIn.as_str();
    codes::table
        .filter(codes::address_key.eq(address))
        .filter(codes::ended.eq(false))
        .filter(codes::purpose.eq(sign_in))
}

#[auto_type(no_type_alias)]
fn known_to<'a>(address: &'a str) -> _ {
    let columns: <known_networks::table as Table>::AllColumns = known_networks::all_columns;
    known_networks::table.inner_join(emails::table).filter(emails::address_key.eq(address)).select(columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;

    #[test]
    fn what_is_known_of_an_address_is_found_by_it() {
        let by_address = "SEARCH emails USING INDEX emails_address_key (address_key=?)";
        let address = "ada@example.org";
        assert_eq!(
            plan(&with_address(address)),
            [by_address, "SEARCH users USING INDEX sqlite_autoindex_users_1 (id=?)"]
        );
        let codes = "SEARCH codes USING INDEX codes_address_key (address_key=? AND ended=?)";
        assert_eq!(plan(&sign_in_codes(address)), [codes]);
        let networks = "SEARCH known_networks USING PRIMARY KEY (email_id=?)";
        assert_eq!(plan(&known_to(address)), [by_address, networks]);
    }

    #[test]
    fn whoever_holds_an_alias_is_found_by_it() {
        assert_eq!(plan(&with_alias("ada")), ["SEARCH users USING INDEX sqlite_autoindex_users_2 (alias_key=?)"]);
    }
}
