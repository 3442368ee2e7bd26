//! What an address's state says: who owns it, whom a sign-in leads to, which of its codes are alive.

use std::collections::BTreeSet;

use crate::{
    Change, Changes, Claim, CodeId, EmailId, Limits, LivingCode, Network, NewCode, PendingSignIn, SessionOwner,
    Standing, State, StoreError, Timestamp, UserId,
    archive::{CodeRecord, UserRecord},
    ports::AddressState,
    rules::{is_led_to, network_is_known, superseded},
};

use super::records::Opens;

impl State {
    /// The address that the scope covers.
    pub(super) fn address(&self) -> Result<&AddressState, StoreError> {
        self.address.as_ref().ok_or_else(|| StoreError::unavailable("the store has not read the address of a fact"))
    }

    /// The account that the scope covers, if it is one.
    pub(super) fn account(&self) -> Option<&UserRecord> {
        self.user.as_ref().filter(|user| user.standing == Standing::Account)
    }
}

impl Claim {
    /// Whether it is the owner's.
    pub(super) fn is_owned(&self) -> bool {
        self.email.verified || self.email.vouched
    }

    fn is_registration(&self) -> bool {
        self.user.standing != Standing::Account
    }
}

impl AddressState {
    /// Who owns it.
    pub(super) fn owner(&self) -> Option<UserId> {
        self.claims.iter().find(|claim| claim.is_owned()).map(|claim| claim.email.user_id)
    }

    /// Whether somebody other than `user` owns it.
    pub(super) fn is_foreign_to(&self, user: UserId) -> bool {
        self.claims.iter().any(|claim| claim.is_owned() && claim.email.user_id != user)
    }

    /// The registrations with it, real and decoy.
    pub(super) fn registrations(&self) -> impl Iterator<Item = UserId> {
        self.claims.iter().filter(|claim| claim.is_registration()).map(|claim| claim.email.user_id)
    }

    /// The registrations with it that have ended: all of them, once no code of its is alive.
    pub(super) fn ended_registrations(&self, now: Timestamp) -> BTreeSet<UserId> {
        if self.living_codes(now).next().is_some() { BTreeSet::new() } else { self.registrations().collect() }
    }

    /// Whom a sign-in leads to at `now`, when the registrations of `gone` are.
    pub(super) fn led_to(&self, now: Timestamp, gone: &BTreeSet<UserId>) -> Option<&Claim> {
        let registrations_live = self.living_codes(now).next().is_some();
        let claims = self.claims.iter().filter(|claim| !gone.contains(&claim.email.user_id));
        claims
            .filter(|claim| is_led_to(claim.is_owned(), claim.user.standing, registrations_live))
            .max_by_key(|claim| (claim.is_owned(), claim.email.created_at, claim.email.id))
    }

    /// Whether its owner has signed in from `network` lately.
    pub(super) fn knows(&self, network: Network, limits: &Limits, now: Timestamp) -> bool {
        let sign_ins = self.known_networks.iter().filter(|known| known.network == network);
        let last = sign_ins.map(|known| known.last_signed_in_at).max();
        network_is_known(last, limits.networks_known_for, now)
    }

    fn living_codes(&self, now: Timestamp) -> impl Iterator<Item = &CodeRecord> {
        self.codes.iter().filter(move |code| code.is_living_at(now))
    }

    /// The sign-in codes that end when `new` is asked for, when the registrations of `gone` are.
    fn superseded_by(&self, new: &NewCode, gone: &BTreeSet<UserId>) -> Vec<CodeId> {
        let gone: Vec<EmailId> = self
            .claims
            .iter()
            .filter(|claim| gone.contains(&claim.email.user_id))
            .map(|claim| claim.email.id)
            .collect();
        let stay = |code: &&CodeRecord| code.email_id.is_none_or(|email| !gone.contains(&email));
        let living: Vec<LivingCode> = self
            .living_codes(new.created_at)
            .filter(stay)
            .map(|code| LivingCode { id: code.id, network: code.network, created_at: code.created_at })
            .collect();
        superseded(&living, new.network)
    }
}

/// Stores a sign-in for `owner`, or for nobody, and ends the codes that its code supersedes.
pub(super) fn store_sign_in(
    address: &AddressState,
    gone: &BTreeSet<UserId>,
    sign_in: &PendingSignIn,
    owner: Option<SessionOwner>,
    changes: &mut Changes,
) {
    for code in address.superseded_by(&sign_in.code, gone) {
        changes.push(Change::EndCode(code));
    }
    changes.insert_session(&sign_in.session, owner.map(|owner| owner.user_id), None);
    let opens = Opens::Session(sign_in.session.id);
    changes.insert_code(&sign_in.code, opens, owner.map(|owner| owner.email_id));
    changes.queue([sign_in.mail.clone()]);
}
