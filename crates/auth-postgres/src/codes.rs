//! Verification codes: what keeps one alive, what ends it, and storing it. [`redeeming`](crate::redeeming) spends it.

use auth_domain::{AddressKey, CodePurpose, EmailId, KeyPairId, NewCode, Timestamp};
use diesel::{ExpressionMethods, QueryDsl, SelectableHelper};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::{
    error::Failure,
    rows::{CodeRow, as_cidr, stored},
    schema::codes,
    upkeep::is_living_at,
};

/// What a code opens that somebody who is signed in asks for, besides proving the address that it went to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Opens {
    Email,
    KeyPair(KeyPairId),
}

/// The sign-in codes for `address` that could be redeemed at `now`.
async fn living(conn: &mut AsyncPgConnection, address: &AddressKey, now: Timestamp) -> Result<Vec<CodeRow>, Failure> {
    // The conditions only spare reading old rows: the rule itself stands in the domain.
    let candidates = codes::table
        .filter(codes::address_key.eq(address.as_str()))
        .filter(codes::purpose.eq(CodePurpose::SignIn.as_str()))
        .filter(is_living_at(stored(now)))
        .select(CodeRow::as_select())
        .load(conn)
        .await?;
    let mut living = Vec::with_capacity(candidates.len());
    for code in candidates {
        if code.state()?.is_living_at(now) {
            living.push(code);
        }
    }
    Ok(living)
}

/// Whether a sign-in code for `address` could be redeemed at `now`: what keeps a registration from ending.
pub(crate) async fn any_living(
    conn: &mut AsyncPgConnection,
    address: &AddressKey,
    now: Timestamp,
) -> Result<bool, Failure> {
    Ok(!living(conn, address, now).await?.is_empty())
}

/// Ends the codes for an address that its account has added.
pub(crate) async fn end_those_for_email(conn: &mut AsyncPgConnection, email: EmailId) -> Result<(), Failure> {
    let theirs =
        codes::table.filter(codes::email_id.eq(email.uuid())).filter(codes::purpose.eq(CodePurpose::Email.as_str()));
    diesel::update(theirs).set(codes::ended.eq(true)).execute(conn).await?;
    Ok(())
}

/// Stores a code that goes to the address `email`. That of a sign-in is stored [with it](crate::sign_ins).
pub(crate) async fn insert(
    conn: &mut AsyncPgConnection,
    code: &NewCode,
    opens: Opens,
    email: EmailId,
) -> Result<(), Failure> {
    let key_pair = match opens {
        Opens::Email => None,
        Opens::KeyPair(id) => Some(id.uuid()),
    };
    diesel::insert_into(codes::table)
        .values((
            codes::id.eq(code.id.uuid()),
            codes::purpose.eq(code.purpose.as_str()),
            codes::key_pair_id.eq(key_pair),
            codes::email_id.eq(email.uuid()),
            codes::address_key.eq(code.address.as_str()),
            codes::network.eq(as_cidr(code.network)),
            codes::hash.eq(code.hash.as_bytes().as_slice()),
            codes::key_id.eq(code.key_id.to_string()),
            codes::created_at.eq(stored(code.created_at)),
            codes::expires_at.eq(stored(code.expires_at)),
        ))
        .execute(conn)
        .await?;
    Ok(())
}
