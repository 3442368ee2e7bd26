use crate::{AddressKey, AuthError, Email, EmailId, Standing};

/// How many addresses of one account can wait for their verification.
pub const UNVERIFIED_AT_MOST: usize = 10;

/// What asking to add an address comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addition {
    /// It is added.
    New,
    /// It stands there already, unverified: it gets a new code.
    Again(EmailId),
}

/// Whether a sign-in with an address can lead to somebody for whom it is stored: to who owns it, or to who registers with it and
/// can still do so. Registrations `live` as long as a code for their address.
///
/// If there are several, an owner goes before a registration, and the newest registration before others.
pub fn is_led_to(is_owned: bool, standing: Standing, registrations_live: bool) -> bool {
    is_owned || (standing == Standing::Pending && registrations_live)
}

/// Judges whether `address` can be added to an account that has `own` addresses.
///
/// # Errors
/// [`AuthError::AddressVerified`] for one's own verified address, [`AuthError::TooManyAddresses`] beyond
/// [`UNVERIFIED_AT_MOST`].
pub fn judge_addition(own: &[Email], address: &AddressKey) -> Result<Addition, AuthError> {
    match own.iter().find(|email| email.address.key() == *address) {
        Some(email) if email.verified => Err(AuthError::AddressVerified),
        Some(email) => Ok(Addition::Again(email.id)),
        None if own.iter().filter(|email| !email.verified).count() >= UNVERIFIED_AT_MOST => {
            Err(AuthError::TooManyAddresses)
        }
        None => Ok(Addition::New),
    }
}

/// Judges whether the address `id` can be the preferred one of an account that has `own` addresses.
///
/// # Errors
/// [`AuthError::NotFound`] when it is not among them, [`AuthError::AddressUnverified`].
pub fn judge_preference(own: &[Email], id: EmailId) -> Result<(), AuthError> {
    let email = own.iter().find(|email| email.id == id).ok_or(AuthError::NotFound)?;
    if email.verified { Ok(()) } else { Err(AuthError::AddressUnverified) }
}

/// Judges whether the address `id` can be removed from an account that has `own` addresses.
///
/// # Errors
/// [`AuthError::NotFound`] when it is not among them; [`AuthError::AddressNeeded`] for the preferred one and for the last
/// verified one, without which nobody could sign in.
pub fn judge_removal(own: &[Email], id: EmailId) -> Result<(), AuthError> {
    let email = own.iter().find(|email| email.id == id).ok_or(AuthError::NotFound)?;
    let last_verified = email.verified && own.iter().filter(|email| email.verified).count() == 1;
    if email.preferred || last_verified { Err(AuthError::AddressNeeded) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::EmailAddress;

    fn id(n: u128) -> EmailId {
        EmailId::from(Uuid::from_u128(n))
    }

    fn email(n: u128, verified: bool, preferred: bool) -> Email {
        let address = EmailAddress::parse(&format!("ada{n}@example.org")).unwrap();
        Email { id: id(n), address, verified, vouched: false, preferred }
    }

    fn key(n: u128) -> AddressKey {
        email(n, false, false).address.key()
    }

    #[test]
    fn an_address_is_added_asked_for_again_or_a_conflict() {
        let own = [email(1, true, true), email(2, false, false)];
        assert_eq!(judge_addition(&own, &key(3)), Ok(Addition::New));
        assert_eq!(judge_addition(&own, &key(2)), Ok(Addition::Again(id(2))));
        assert_eq!(judge_addition(&own, &key(1)), Err(AuthError::AddressVerified));
    }

    #[test]
    fn ten_addresses_can_wait_and_the_eleventh_is_a_conflict() {
        let own: Vec<_> = (1..=10).map(|n| email(n, false, false)).collect();
        assert_eq!(judge_addition(&own[1..], &key(11)), Ok(Addition::New));
        assert_eq!(judge_addition(&own, &key(11)), Err(AuthError::TooManyAddresses));
        assert_eq!(judge_addition(&own, &key(10)), Ok(Addition::Again(id(10))));
    }

    #[test]
    fn only_a_verified_address_of_ones_own_can_be_preferred() {
        let own = [email(1, true, true), email(2, false, false), email(3, true, false)];
        assert_eq!(judge_preference(&own, id(1)), Ok(()));
        assert_eq!(judge_preference(&own, id(3)), Ok(()));
        assert_eq!(judge_preference(&own, id(2)), Err(AuthError::AddressUnverified));
        assert_eq!(judge_preference(&own, id(4)), Err(AuthError::NotFound));
    }

    #[test]
    fn the_preferred_and_the_last_verified_address_stay() {
        let own = [email(1, true, true), email(2, false, false), email(3, true, false)];
        assert_eq!(judge_removal(&own, id(1)), Err(AuthError::AddressNeeded));
        assert_eq!(judge_removal(&own, id(2)), Ok(()));
        assert_eq!(judge_removal(&own, id(3)), Ok(()));
        assert_eq!(judge_removal(&own, id(4)), Err(AuthError::NotFound));
        let last = [email(1, false, true), email(2, true, false)];
        assert_eq!(judge_removal(&last, id(2)), Err(AuthError::AddressNeeded));
    }

    #[test]
    fn whom_a_sign_in_leads_to_is_judged_by_the_table() {
        for (is_owned, standing, registrations_live, expected) in [
            (true, Standing::Account, false, true),
            (true, Standing::Account, true, true),
            (false, Standing::Account, true, false),
            (false, Standing::Pending, true, true),
            (false, Standing::Pending, false, false),
            (false, Standing::Decoy, true, false),
            (false, Standing::Decoy, false, false),
        ] {
            let judged = is_led_to(is_owned, standing, registrations_live);
            assert_eq!(judged, expected, "{is_owned} {standing:?} {registrations_live}");
        }
    }
}
