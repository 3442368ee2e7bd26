//! What is stored about an address, and what limits know of it: all in one statement, since a statement costs more than what it
//! finds here.

use auth_domain::{CodeId, CodePurpose, Network, Scope, ThrottleKey};
use diesel::{
    QueryResult, Queryable,
    pg::Pg,
    result::Error::DeserializationError,
    sql_types::{Array, Record},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    records::{CodeRow, EmailRow, FailureRow, KnownNetworkRow, ThrottleRow, UserRow},
    schema::{codes, emails, failures, known_networks, throttles, users},
    statement::{Statement, Value},
};

/// Everybody who has an address, with their row; sign-in codes for it that have not ended; networks known to it; wrong guesses; and throttles.
/// An array of rows each.
///
/// Throttles are looked for one by one, so that the index is searched by all of the key.
const ADDRESS: &str = "SELECT \
    ARRAY(SELECT ROW(ROW(emails.id, emails.user_id, emails.address, emails.address_key, emails.verified, emails.vouched, \
                         emails.preferred, emails.created_at), \
                     ROW(claimant.id, claimant.alias, claimant.alias_key, claimant.full_name, claimant.verified, \
                         claimant.enabled, claimant.registration, claimant.roles, claimant.groups, claimant.created_at)) \
        FROM emails CROSS JOIN LATERAL (SELECT * FROM users WHERE users.id = emails.user_id OFFSET 0) AS claimant \
        WHERE emails.address_key = ?), \
    ARRAY(SELECT ROW(id, purpose, session_id, key_pair_id, email_id, address_key, network, hash, key_id, created_at, expires_at, \
                     wrong_guesses, ended) \
        FROM codes WHERE address_key = ? AND purpose = ? AND NOT ended), \
    ARRAY(SELECT ROW(email_id, network, last_signed_in_at) FROM known_networks \
        WHERE email_id = ANY (ARRAY(SELECT emails.id FROM emails WHERE emails.address_key = \
            coalesce(?, (SELECT codes.address_key FROM codes WHERE codes.id = ?))))), \
    ARRAY(SELECT ROW(address_key, network, day_began_at, of_day, in_a_row, last_at, told_at, owner_told_at) FROM failures \
        WHERE address_key = coalesce(?, (SELECT codes.address_key FROM codes WHERE codes.id = ?))), \
    ARRAY(SELECT ROW(found.kind, found.address_key, found.network, found.full_at, found.told_at) \
        FROM unnest(?, ?, ?) AS wanted (kind, address_key, network) CROSS JOIN LATERAL (\
            SELECT * FROM throttles WHERE throttles.kind = wanted.kind AND throttles.address_key = wanted.address_key \
            AND throttles.network = wanted.network OFFSET 0) AS found)";

/// An array of rows, as [`ADDRESS`] returns several.
type Rowset<ST> = Array<Record<ST>>;
/// What each of them is read as, before it is a row of the domain's.
type Fields<Row, ST> = <Row as Queryable<ST, Pg>>::Row;

/// An address that somebody has, and their row.
type Claim = (Record<emails::SqlType>, Record<users::SqlType>);
/// What [`ADDRESS`] returns.
type Sql = (
    Rowset<Claim>,
    Rowset<codes::SqlType>,
    Rowset<known_networks::SqlType>,
    Rowset<failures::SqlType>,
    Rowset<throttles::SqlType>,
);
/// The same as it is read.
type Found = (
    Vec<(Fields<EmailRow, emails::SqlType>, Fields<UserRow, users::SqlType>)>,
    Vec<Fields<CodeRow, codes::SqlType>>,
    Vec<Fields<KnownNetworkRow, known_networks::SqlType>>,
    Vec<Fields<FailureRow, failures::SqlType>>,
    Vec<Fields<ThrottleRow, throttles::SqlType>>,
);

/// What was read of an address and of limits.
#[derive(Default)]
pub(super) struct AddressRows {
    pub(super) claims: Vec<(EmailRow, UserRow)>,
    pub(super) codes: Vec<CodeRow>,
    pub(super) known_networks: Vec<KnownNetworkRow>,
    pub(super) failures: Vec<FailureRow>,
    pub(super) throttles: Vec<ThrottleRow>,
}

/// Reads as much of it as the scope wants.
pub(super) async fn address(mut conn: &AsyncPgConnection, scope: &Scope) -> QueryResult<AddressRows> {
    let limits = scope.limits || scope.network.is_some();
    if !limits && !scope.claims && !scope.codes {
        return Ok(AddressRows::default());
    }
    // What is not wanted is looked for under no address.
    let address =
        |is_wanted| Value::Text(scope.address.as_ref().filter(|_| is_wanted).map(|key| key.as_str().to_owned()));
    let code = || Value::Uuid(scope.code.filter(|_| scope.limits).map(CodeId::uuid));
    let mut values = vec![address(scope.claims), address(scope.codes), CodePurpose::SignIn.as_str().into()];
    for _known_networks_and_failures in 0..2 {
        values.extend([address(scope.limits), code()]);
    }
    values.extend(throttle_keys(scope));
    let (claims, codes, known_networks, failures, throttles): Found =
        Statement::<Sql>::new(ADDRESS, values).get_result(&mut conn).await?;
    let claim = |(email, user)| Ok((row::<_, emails::SqlType>(email)?, row::<_, users::SqlType>(user)?));
    Ok(AddressRows {
        claims: claims.into_iter().map(claim).collect::<QueryResult<_>>()?,
        codes: all::<_, codes::SqlType>(codes)?,
        known_networks: all::<_, known_networks::SqlType>(known_networks)?,
        failures: all::<_, failures::SqlType>(failures)?,
        throttles: all::<_, throttles::SqlType>(throttles)?,
    })
}

fn row<Row: Queryable<ST, Pg>, ST>(fields: Row::Row) -> QueryResult<Row> {
    Row::build(fields).map_err(DeserializationError)
}

fn all<Row: Queryable<ST, Pg>, ST>(rows: Vec<Row::Row>) -> QueryResult<Vec<Row>> {
    rows.into_iter().map(row).collect()
}

/// What a request from the network may be measured by: the parts of the keys.
fn throttle_keys(scope: &Scope) -> [Value; 3] {
    let address = scope.address.as_ref().filter(|_| scope.limits);
    let keys = scope.network.map(|network| ThrottleKey::all(address, network));
    let (mut kinds, mut addresses, mut networks) = (Vec::new(), Vec::new(), Vec::new());
    for key in keys.into_iter().flatten() {
        kinds.push(key.kind.as_str().to_owned());
        addresses.push(key.address.map_or_else(String::new, |address| address.as_str().to_owned()));
        networks.push(Network::to_stored(key.network));
    }
    [kinds, addresses, networks].map(Value::Texts)
}
