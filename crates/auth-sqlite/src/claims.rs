//! Whom an address leads to.

use auth_domain::{AddressKey, Standing, rules::is_led_to};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection, sqlite::Sqlite};

use crate::{
    error::Failure,
    rows::{EmailRow, standing},
    schema::{emails, users},
};

/// What an address is to somebody.
pub(crate) struct Claim {
    pub(crate) email: EmailRow,
    pub(crate) standing: Standing,
}

impl Claim {
    pub(crate) fn is_led_to(&self, registrations_live: bool) -> bool {
        is_led_to(self.email.verified || self.email.vouched, self.standing, registrations_live)
    }
}

/// All that an address is to anybody: to its owner first, of whom there is one at most. Two registrations for one address replace
/// each other, so that the newest is the one.
pub(crate) fn claims(conn: &mut SqliteConnection, address: &AddressKey) -> Result<Vec<Claim>, Failure> {
    let found: Vec<(EmailRow, Option<String>)> = emails::table
        .inner_join(users::table)
        .filter(emails::address_key.eq(address.as_str()))
        .order((emails::verified.desc(), emails::vouched.desc(), emails::created_at.desc(), emails::id.desc()))
        .select((<EmailRow as SelectableHelper<Sqlite>>::as_select(), users::registration))
        .load(conn)?;
    let mut claims = Vec::with_capacity(found.len());
    for (email, registration) in found {
        let standing = standing(registration.as_deref(), &email.user_id)?;
        claims.push(Claim { email, standing });
    }
    Ok(claims)
}
