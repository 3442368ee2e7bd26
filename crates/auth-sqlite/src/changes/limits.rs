use auth_domain::{
    AddressKey, EmailId, Network, ThrottleKey, Timestamp,
    archive::{FailureRecord, KnownNetworkRecord, ThrottleRecord},
};
use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl, SqliteConnection};

use crate::{
    rows::bytes_of,
    schema::{failures, known_networks, throttles},
};

pub(super) fn put_known_network(conn: &mut SqliteConnection, record: &KnownNetworkRecord) -> QueryResult<usize> {
    diesel::replace_into(known_networks::table)
        .values((
            known_networks::email_id.eq(bytes_of(record.email_id.uuid())),
            known_networks::network.eq(Network::to_stored(Some(record.network))),
            known_networks::last_signed_in_at.eq(record.last_signed_in_at.unix_millis()),
        ))
        .execute(conn)
}

pub(super) fn delete_known_network(
    conn: &mut SqliteConnection,
    email: EmailId,
    network: Network,
) -> QueryResult<usize> {
    let row = known_networks::table.find((bytes_of(email.uuid()), Network::to_stored(Some(network))));
    diesel::delete(row).execute(conn)
}

pub(super) fn put_failures(conn: &mut SqliteConnection, record: &FailureRecord) -> QueryResult<usize> {
    let FailureRecord { address_key, network, failures } = record;
    diesel::replace_into(failures::table)
        .values((
            failures::address_key.eq(address_key.as_str()),
            failures::network.eq(Network::to_stored(*network)),
            failures::day_began_at.eq(failures.day_began_at.unix_millis()),
            failures::of_day.eq(i64::from(failures.of_day)),
            failures::in_a_row.eq(i64::from(failures.in_a_row)),
            failures::last_at.eq(failures.last_at.unix_millis()),
            failures::told_at.eq(failures.told_at.map(Timestamp::unix_millis)),
            failures::owner_told_at.eq(failures.owner_told_at.map(Timestamp::unix_millis)),
        ))
        .execute(conn)
}

pub(super) fn delete_failures(
    conn: &mut SqliteConnection,
    address: &AddressKey,
    network: Option<Network>,
) -> QueryResult<usize> {
    diesel::delete(failures::table.find((address.as_str(), Network::to_stored(network)))).execute(conn)
}

pub(super) fn put_throttle(conn: &mut SqliteConnection, record: &ThrottleRecord) -> QueryResult<usize> {
    let ThrottleKey { kind, address, network } = &record.key;
    diesel::replace_into(throttles::table)
        .values((
            throttles::kind.eq(kind.as_str()),
            throttles::address_key.eq(address.as_ref().map_or("", |address| address.as_str())),
            throttles::network.eq(Network::to_stored(*network)),
            throttles::full_at.eq(record.full_at.unix_millis()),
            throttles::told_at.eq(record.told_at.map(Timestamp::unix_millis)),
        ))
        .execute(conn)
}
