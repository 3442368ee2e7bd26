use auth_domain::{
    AddressKey, Network, ThrottleKind,
    archive::{FailureRecord, ThrottleRecord},
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection,
    dsl::{AsSelect, Eq, Or, auto_type},
    sqlite::Sqlite,
};

use crate::{
    error::Failure,
    rows::{self, FailureRow, all},
    schema::{failures, throttles},
};

pub(super) fn failures(conn: &mut SqliteConnection, address: &AddressKey) -> Result<Vec<FailureRecord>, Failure> {
    all(failures_at(address.as_str()).load(conn), rows::failure)
}

pub(super) fn throttles_of_address(
    conn: &mut SqliteConnection,
    address: &AddressKey,
) -> Result<Vec<ThrottleRecord>, Failure> {
    all(of_address(address.as_str()).load(conn), rows::throttle)
}

/// Those that are for no address.
pub(super) fn throttles_of_network(
    conn: &mut SqliteConnection,
    network: Network,
) -> Result<Vec<ThrottleRecord>, Failure> {
    all(of_network(Network::to_stored(Some(network))).load(conn), rows::throttle)
}

#[auto_type(no_type_alias)]
fn failures_at<'a>(address: &'a str) -> _ {
    let columns: AsSelect<FailureRow, Sqlite> = FailureRow::as_select();
    failures::table.filter(failures::address_key.eq(address)).select(columns)
}

#[auto_type(no_type_alias)]
fn of_address<'a>(address: &'a str) -> _ {
    let of_any_kind: AnyKind = of_any_kind();
    throttles::table.filter(of_any_kind).filter(throttles::address_key.eq(address))
}

#[auto_type(no_type_alias)]
fn of_network(network: String) -> _ {
    let of_any_kind: AnyKind = of_any_kind();
    throttles::table.filter(of_any_kind).filter(throttles::address_key.eq("")).filter(throttles::network.eq(network))
}

type OneKind = Eq<throttles::kind, &'static str>;
type AnyKind = Or<Or<Or<Or<OneKind, OneKind>, OneKind>, OneKind>, OneKind>;

/// This leaves out nothing, but lets the primary key be searched, which begins with the kind.
fn of_any_kind() -> AnyKind {
    let [first, second, third, fourth, fifth] = ThrottleKind::ALL.map(|kind| throttles::kind.eq(kind.as_str()));
    first.or(second).or(third).or(fourth).or(fifth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;

    #[test]
    fn what_limits_remember_is_found_by_address_and_by_network() {
        let by_address = "SEARCH failures USING PRIMARY KEY (address_key=?)";
        assert_eq!(plan(&failures_at("ada@example.org")), [by_address]);
        let by_address = "SEARCH throttles USING PRIMARY KEY (kind=? AND address_key=?)";
        assert_eq!(plan(&of_address("ada@example.org")), [by_address]);
        let by_network = "SEARCH throttles USING PRIMARY KEY (kind=? AND address_key=? AND network=?)";
        assert_eq!(plan(&of_network("192.0.2.0".to_owned())), [by_network]);
    }
}
