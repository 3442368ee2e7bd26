use std::time::Duration;

use crate::{AuthError, Caller, Lifetimes, LiveSession, Session, Timestamp};

/// Whether a session that was found may be used at `now`: verified, not expired, its user verified and enabled.
///
/// Decided at every check, on a remembered row too.
pub fn session_is_accepted(found: &LiveSession, now: Timestamp) -> bool {
    let LiveSession { session, user } = found;
    session.is_verified() && now < session.expires_at && user.verified && user.enabled
}

/// When a session ends if it is extended at `now`: a lifetime from now, never past its maximum age, never earlier
/// than it would have ended anyway.
///
/// `lifetimes` is `None` when the session's kind is no longer offered; such a session runs out.
///
/// # Errors
/// [`AuthError::SessionAtMaximumAge`] when there is nothing left to extend.
pub fn extended_expiry(
    session: &Session,
    lifetimes: Option<Lifetimes>,
    now: Timestamp,
) -> Result<Timestamp, AuthError> {
    let lifetimes = lifetimes.ok_or(AuthError::SessionAtMaximumAge)?;
    let latest = session.created_at.plus(lifetimes.maximum);
    if session.expires_at >= latest {
        return Err(AuthError::SessionAtMaximumAge);
    }
    Ok(now.plus(lifetimes.lifetime).min(latest).max(session.expires_at))
}

/// Whether `caller` has signed in within the last `fresh_for`, which is what changing how an account is reached takes; no
/// limit if that is `None`.
///
/// A key pair is never fresh: nobody need have been there when it was used.
///
/// # Errors
/// [`AuthError::StepUpRequired`] when the caller has to sign in anew.
pub fn judge_freshness(caller: &Caller, fresh_for: Option<Duration>, now: Timestamp) -> Result<(), AuthError> {
    let Some(fresh_for) = fresh_for else { return Ok(()) };
    let verified_at = match caller {
        Caller::Session(live) => live.session.verified_at,
        Caller::KeyPair(_) => None,
    };
    let is_fresh = verified_at.is_some_and(|verified_at| now < verified_at.plus(fresh_for));
    if is_fresh { Ok(()) } else { Err(AuthError::StepUpRequired) }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, time::Duration};

    use uuid::Uuid;

    use super::*;
    use crate::{Alias, Client, FullName, SessionId, SessionKind, User, UserId};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1000)
    }

    fn live(expires_at: i64) -> LiveSession {
        let user_id = UserId::from(Uuid::from_u128(1));
        LiveSession {
            session: Session {
                id: SessionId::from(Uuid::from_u128(2)),
                user_id,
                kind: SessionKind::standard(),
                verified_at: Some(at(1)),
                created_at: at(0),
                expires_at: at(expires_at),
                last_used_at: None,
                client: Client::new(IpAddr::from([127, 0, 0, 1]), ""),
            },
            user: User {
                id: user_id,
                alias: Alias::parse("ada").unwrap(),
                full_name: FullName::parse("Ada").unwrap(),
                verified: true,
                enabled: true,
                roles: vec![],
                groups: vec![],
                created_at: at(0),
            },
        }
    }

    #[test]
    fn a_session_is_accepted_only_while_everything_about_it_holds() {
        let good = live(10);
        assert!(session_is_accepted(&good, at(9)));
        assert!(!session_is_accepted(&good, at(10)), "expired");
        let mut unverified = good.clone();
        unverified.session.verified_at = None;
        assert!(!session_is_accepted(&unverified, at(9)));
        let mut disabled = good.clone();
        disabled.user.enabled = false;
        assert!(!session_is_accepted(&disabled, at(9)));
        let mut unverified_user = good;
        unverified_user.user.verified = false;
        assert!(!session_is_accepted(&unverified_user, at(9)));
    }

    #[test]
    fn extending_moves_the_end_up_to_the_maximum_age() {
        let lifetimes = Lifetimes { lifetime: Duration::from_secs(10), maximum: Duration::from_secs(25) };
        for (expires_at, now, expected) in [
            (10, 4, Ok(at(14))),
            (14, 13, Ok(at(23))),
            (23, 22, Ok(at(25))),
            (25, 22, Err(AuthError::SessionAtMaximumAge)),
            (30, 4, Err(AuthError::SessionAtMaximumAge)),
            (20, 4, Ok(at(20))),
        ] {
            let session = live(expires_at).session;
            assert_eq!(extended_expiry(&session, Some(lifetimes), at(now)), expected, "{expires_at} at {now}");
        }
    }

    #[test]
    fn a_session_is_fresh_for_a_while_after_its_code_was_redeemed() {
        let caller = Caller::Session(live(1000));
        let fresh = |fresh_for: Option<u64>, now| judge_freshness(&caller, fresh_for.map(Duration::from_secs), at(now));
        assert_eq!(fresh(Some(10), 10), Ok(()));
        assert_eq!(fresh(Some(10), 11), Err(AuthError::StepUpRequired));
        assert_eq!(fresh(None, 999), Ok(()), "without a setting it is as fresh as ever");
    }

    #[test]
    fn a_session_of_a_kind_no_longer_offered_runs_out() {
        assert_eq!(extended_expiry(&live(10).session, None, at(4)), Err(AuthError::SessionAtMaximumAge));
    }
}
