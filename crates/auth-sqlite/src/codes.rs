//! Verification codes: what keeps one alive, what ends it, and storing it. [`redeeming`](crate::redeeming) spends it.

use auth_domain::{
    AddressKey, CodePurpose, EmailId, KeyPairId, LivingCode, NewCode, SessionId, Timestamp, rules::superseded,
};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection};

use crate::{
    error::Failure,
    rows::{CodeRow, bytes_of, id},
    schema::codes,
};

/// What a code opens, besides proving the address that it went to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Opens {
    Session(SessionId),
    Email,
    KeyPair(KeyPairId),
}

/// The sign-in codes for `address` that could be redeemed at `now`.
pub(crate) fn living(
    conn: &mut SqliteConnection,
    address: &AddressKey,
    now: Timestamp,
) -> Result<Vec<CodeRow>, Failure> {
    // The conditions only spare reading old rows: the rule itself stands in the domain.
    let candidates = codes::table
        .filter(codes::address_key.eq(address.as_str()))
        .filter(codes::purpose.eq(CodePurpose::SignIn.as_str()))
        .filter(codes::ended.eq(false))
        .filter(codes::expires_at.gt(now.unix_millis()))
        .select(CodeRow::as_select())
        .load(conn)?;
    let mut living = Vec::with_capacity(candidates.len());
    for code in candidates {
        if code.state()?.is_living_at(now) {
            living.push(code);
        }
    }
    Ok(living)
}

/// Whether a sign-in code for `address` could be redeemed at `now`: what keeps a registration from ending.
pub(crate) fn any_living(conn: &mut SqliteConnection, address: &AddressKey, now: Timestamp) -> Result<bool, Failure> {
    Ok(!living(conn, address, now)?.is_empty())
}

/// Ends those of the `living` codes for its address that `new` supersedes.
pub(crate) fn end_superseded(conn: &mut SqliteConnection, new: &NewCode, living: &[CodeRow]) -> Result<(), Failure> {
    let mut rivals = Vec::with_capacity(living.len());
    for code in living {
        rivals.push(LivingCode {
            id: id("codes", &code.id, &code.id)?,
            network: code.network()?,
            created_at: Timestamp::from_unix_millis(code.created_at),
        });
    }
    for code in superseded(&rivals, new.network) {
        end(conn, &bytes_of(code.uuid()))?;
    }
    Ok(())
}

/// Ends the codes for an address that its account has added.
pub(crate) fn end_those_for_email(conn: &mut SqliteConnection, email: EmailId) -> Result<(), Failure> {
    let theirs = codes::table
        .filter(codes::email_id.eq(bytes_of(email.uuid())))
        .filter(codes::purpose.eq(CodePurpose::Email.as_str()));
    diesel::update(theirs).set(codes::ended.eq(true)).execute(conn)?;
    Ok(())
}

/// Stores a code that goes to the address `email`; a decoy's goes to nobody's.
pub(crate) fn insert(
    conn: &mut SqliteConnection,
    code: &NewCode,
    opens: Opens,
    email: Option<EmailId>,
) -> Result<(), Failure> {
    let (session, key_pair) = match opens {
        Opens::Session(id) => (Some(bytes_of(id.uuid())), None),
        Opens::Email => (None, None),
        Opens::KeyPair(id) => (None, Some(bytes_of(id.uuid()))),
    };
    diesel::insert_into(codes::table)
        .values((
            codes::id.eq(bytes_of(code.id.uuid())),
            codes::purpose.eq(code.purpose.as_str()),
            codes::session_id.eq(session),
            codes::key_pair_id.eq(key_pair),
            codes::email_id.eq(email.map(|email| bytes_of(email.uuid()))),
            codes::address_key.eq(code.address.as_str()),
            codes::network.eq(code.network.first_address().to_string()),
            codes::hash.eq(code.hash.as_bytes().as_slice()),
            codes::key_id.eq(code.key_id.to_string()),
            codes::created_at.eq(code.created_at.unix_millis()),
            codes::expires_at.eq(code.expires_at.unix_millis()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Ends one code.
pub(crate) fn end(conn: &mut SqliteConnection, code: &[u8]) -> Result<(), Failure> {
    diesel::update(codes::table.filter(codes::id.eq(code))).set(codes::ended.eq(true)).execute(conn)?;
    Ok(())
}
