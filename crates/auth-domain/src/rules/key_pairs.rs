use crate::{
    AuthError, Caller, LiveKeyPair, Timestamp,
    archive::{CodeRecord, KeyPairRecord},
};

/// Whether a key pair that was found may be used at `now`: verified, not expired, its user verified and enabled.
///
/// Decided at every check, on a remembered row too.
pub fn key_pair_is_accepted(found: &LiveKeyPair, now: Timestamp) -> bool {
    let LiveKeyPair { key_pair, user } = found;
    key_pair.verified && now < key_pair.expires_at && user.verified && user.enabled
}

/// Whether a key pair has not ended at `now`: by its time, or because none of its `codes` can verify it any more.
pub fn key_pair_stands(key_pair: &KeyPairRecord, codes: &[CodeRecord], now: Timestamp) -> bool {
    let can_be_verified = || codes.iter().any(|code| code.is_living_at(now));
    now < key_pair.expires_at && (key_pair.verified_at.is_some() || can_be_verified())
}

/// The roles of a key pair for which `asked` are wanted, by an owner who has `owned`: sorted, each once.
///
/// # Errors
/// [`AuthError::RoleLacking`] when one of them is not the owner's.
pub fn judge_roles(owned: &[String], asked: Vec<String>) -> Result<Vec<String>, AuthError> {
    let mut roles = asked;
    roles.sort();
    roles.dedup();
    if roles.iter().all(|role| owned.contains(role)) { Ok(roles) } else { Err(AuthError::RoleLacking) }
}

/// Whether `caller` may change the user that the credential acts for. A key pair that was narrowed does what its roles allow, and
/// nothing to its owner: whoever narrowed it meant it for something else.
///
/// # Errors
/// [`AuthError::KeyPairNarrowed`] when it was.
pub fn judge_narrowing(caller: &Caller) -> Result<(), AuthError> {
    match caller {
        Caller::KeyPair(live) if live.key_pair.roles.is_some() => Err(AuthError::KeyPairNarrowed),
        Caller::KeyPair(_) | Caller::Session(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{Alias, ApiKey, FullName, KeyName, KeyPair, KeyPairId, User, UserId};

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn live(roles: Option<&[&str]>) -> LiveKeyPair {
        let user_id = UserId::from(Uuid::from_u128(1));
        LiveKeyPair {
            key_pair: KeyPair {
                id: KeyPairId::from(Uuid::from_u128(2)),
                user_id,
                name: KeyName::parse("ci").unwrap(),
                api_key: ApiKey::from_stored("auk_".to_owned()),
                roles: roles.map(names),
                verified: true,
                created_at: Timestamp::from_unix_millis(0),
                expires_at: Timestamp::from_unix_millis(10),
                last_used_at: None,
            },
            user: User {
                id: user_id,
                alias: Alias::parse("ada").unwrap(),
                full_name: FullName::parse("Ada").unwrap(),
                verified: true,
                enabled: true,
                roles: names(&["admin", "user"]),
                groups: vec![],
                created_at: Timestamp::from_unix_millis(0),
            },
        }
    }

    #[test]
    fn a_key_pair_is_accepted_only_while_everything_about_it_holds() {
        let (before, end) = (Timestamp::from_unix_millis(9), Timestamp::from_unix_millis(10));
        let good = live(None);
        assert!(key_pair_is_accepted(&good, before));
        assert!(!key_pair_is_accepted(&good, end), "expired");
        for spoil in [
            (|live: &mut LiveKeyPair| live.key_pair.verified = false) as fn(&mut LiveKeyPair),
            |live| live.user.enabled = false,
            |live| live.user.verified = false,
        ] {
            let mut bad = good.clone();
            spoil(&mut bad);
            assert!(!key_pair_is_accepted(&bad, before), "{bad:?}");
        }
    }

    #[test]
    fn a_narrowed_key_carries_what_it_was_given_as_long_as_its_owner_has_it() {
        assert_eq!(live(None).roles(), ["admin", "user"]);
        assert_eq!(live(Some(&["user"])).roles(), ["user"]);
        assert_eq!(live(Some(&["user", "root"])).roles(), ["user"], "a role that was taken from the owner");
        assert!(live(Some(&[])).roles().is_empty());
    }

    #[test]
    fn a_narrowed_key_changes_nothing_of_its_owner_whatever_roles_it_was_left() {
        let judged = |roles| judge_narrowing(&Caller::KeyPair(live(roles)));
        assert_eq!(judged(None), Ok(()));
        for roles in [[].as_slice(), &["user"], &["admin", "user"]] {
            assert_eq!(judged(Some(roles)), Err(AuthError::KeyPairNarrowed), "{roles:?}");
        }
    }

    #[test]
    fn nobody_hands_on_a_role_they_lack() {
        let owned = names(&["admin", "user"]);
        assert_eq!(judge_roles(&owned, names(&["user", "admin", "user"])), Ok(names(&["admin", "user"])));
        assert_eq!(judge_roles(&owned, vec![]), Ok(vec![]));
        assert_eq!(judge_roles(&owned, names(&["user", "root"])), Err(AuthError::RoleLacking));
    }
}
