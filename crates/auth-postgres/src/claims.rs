//! Whom an address leads to. The function `open_session` of the database finds it out for those who sign in.

use auth_domain::{AddressKey, CodePurpose, KnownAddress, Standing, Timestamp};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, PgExpressionMethods, QueryDsl, SelectableHelper,
    data_types::PgTimestamp,
    dsl::{array, not},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    error::Failure,
    key_pairs::TRIES,
    rows::{EmailRow, moment},
    schema::{codes, emails, users},
};

/// One statement for every address: another one to see whether a registration has ended would tell that there is one.
pub(crate) async fn find_address(
    conn: &mut AsyncPgConnection,
    address: &AddressKey,
    now: Timestamp,
) -> Result<Option<KnownAddress>, Failure> {
    let is_owned = emails::verified.or(emails::vouched);
    let living = codes::table
        .filter(codes::address_key.eq(emails::address_key))
        .filter(codes::purpose.eq(CodePurpose::SignIn.as_str()))
        .filter(not(codes::ended))
        .filter(codes::wrong_guesses.lt(TRIES));
    // At most one is owned. Two registrations for one address replace each other, so the newest is the one.
    let claims: Vec<(EmailRow, Vec<PgTimestamp>)> = emails::table
        .inner_join(users::table)
        .filter(emails::address_key.eq(address.as_str()))
        .filter(is_owned.or(users::registration.is_not_distinct_from(Standing::Pending.as_stored())))
        .order((is_owned.desc(), emails::created_at.desc(), emails::id.desc()))
        .select((EmailRow::as_select(), array(living.select(codes::expires_at))))
        .load(conn)
        .await?;
    // A registration lives as long as a code for its address.
    let lives = |codes_end_at: &[PgTimestamp]| codes_end_at.iter().any(|ends_at| moment(*ends_at) > now);
    let known = claims.into_iter().next().filter(|(email, codes)| email.is_owned() || lives(codes));
    Ok(known.map(|(email, _)| email.into_known()).transpose()?)
}
