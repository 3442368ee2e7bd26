use crate::{AuthError, Membership, RoleName, User, UserChange};

/// Whether a user can administer users: holds the role, is enabled and is verified.
pub fn is_administrator(user: &User) -> bool {
    user.enabled && user.verified && user.roles.iter().any(|role| role == RoleName::users_admin().as_str())
}

/// What a change to a user comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeVerdict {
    /// It is made.
    Make,
    /// The user is that way already: nothing is to be done.
    Already,
    /// There is nothing to take away.
    Missing,
    /// Nobody would be left to administer users.
    LastAdministrator,
}

/// Judges a change to `user`; `None` stands for deleting them. `others` says whether somebody else administers users.
///
/// The caller holds, from before the read until the change is stored, what every fact that can cost the installation an
/// administrator holds: two administrators who remove each other at the same moment must not both succeed.
pub fn judge_change(user: &User, change: Option<&UserChange>, others: bool) -> ChangeVerdict {
    let is_so = match change {
        Some(UserChange::Enable) => user.enabled,
        Some(UserChange::Disable) => !user.enabled,
        Some(UserChange::Verify) => user.verified,
        Some(UserChange::Unverify) => !user.verified,
        Some(UserChange::Grant(membership)) => holds(user, membership),
        Some(UserChange::Revoke(membership)) if !holds(user, membership) => return ChangeVerdict::Missing,
        None | Some(UserChange::Revoke(_)) => false,
    };
    let costs_an_administrator = is_administrator(user)
        && match change {
            None | Some(UserChange::Disable | UserChange::Unverify) => true,
            Some(UserChange::Revoke(Membership::Role(role))) => *role == RoleName::users_admin(),
            Some(_) => false,
        };
    if is_so {
        ChangeVerdict::Already
    } else if costs_an_administrator && !others {
        ChangeVerdict::LastAdministrator
    } else {
        ChangeVerdict::Make
    }
}

/// Whether `user` has a role, or is in a group.
pub fn holds(user: &User, membership: &Membership) -> bool {
    let held = match membership {
        Membership::Role(_) => &user.roles,
        Membership::Group(_) => &user.groups,
    };
    held.iter().any(|name| name == membership.name())
}

/// Whether a caller with `roles` has one of those that are `asked` for; with none asked for, anybody does.
///
/// # Errors
/// [`AuthError::RoleLacking`] when they have none of them.
pub fn judge_access<R: AsRef<str>>(roles: impl IntoIterator<Item = R>, asked: &[RoleName]) -> Result<(), AuthError> {
    let is_asked_for = |held: R| asked.iter().any(|role| role.as_str() == held.as_ref());
    if asked.is_empty() || roles.into_iter().any(is_asked_for) { Ok(()) } else { Err(AuthError::RoleLacking) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Alias, FullName, GroupName, Timestamp};

    fn role(name: &str) -> Membership {
        Membership::Role(RoleName::parse(name).unwrap())
    }

    fn group(name: &str) -> Membership {
        Membership::Group(GroupName::parse(name).unwrap())
    }

    fn administrator() -> User {
        User {
            id: uuid::Uuid::from_u128(1).into(),
            alias: Alias::parse("ada").unwrap(),
            full_name: FullName::parse("Ada").unwrap(),
            verified: true,
            enabled: true,
            roles: vec!["user".to_owned(), "users_admin".to_owned()],
            groups: vec!["staff".to_owned()],
            created_at: Timestamp::from_unix_millis(0),
        }
    }

    #[test]
    fn only_an_enabled_and_verified_holder_of_the_role_counts_as_an_administrator() {
        assert!(is_administrator(&administrator()));
        assert!(!is_administrator(&User { enabled: false, ..administrator() }));
        assert!(!is_administrator(&User { verified: false, ..administrator() }));
        assert!(!is_administrator(&User { roles: vec!["user".to_owned()], ..administrator() }));
    }

    #[test]
    fn the_last_administrator_is_kept_whatever_would_cost_them() {
        let ada = administrator();
        for change in
            [None, Some(UserChange::Disable), Some(UserChange::Unverify), Some(UserChange::Revoke(role("users_admin")))]
        {
            assert_eq!(judge_change(&ada, change.as_ref(), false), ChangeVerdict::LastAdministrator, "{change:?}");
            assert_eq!(judge_change(&ada, change.as_ref(), true), ChangeVerdict::Make, "{change:?}");
            let disabled = User { enabled: false, ..ada.clone() };
            assert_ne!(judge_change(&disabled, change.as_ref(), false), ChangeVerdict::LastAdministrator, "{change:?}");
        }
    }

    #[test]
    fn what_costs_no_administrator_is_made() {
        for change in [
            UserChange::Revoke(role("user")),
            UserChange::Revoke(group("staff")),
            UserChange::Grant(role("auditor")),
            UserChange::Grant(group("users_admin")),
        ] {
            assert_eq!(judge_change(&administrator(), Some(&change), false), ChangeVerdict::Make, "{change:?}");
        }
    }

    #[test]
    fn what_is_so_already_is_not_done_and_what_is_not_held_is_missing() {
        for change in [UserChange::Enable, UserChange::Verify, UserChange::Grant(role("user"))] {
            assert_eq!(judge_change(&administrator(), Some(&change), false), ChangeVerdict::Already, "{change:?}");
        }
        for missing in [role("staff"), group("users_admin")] {
            let change = UserChange::Revoke(missing);
            assert_eq!(judge_change(&administrator(), Some(&change), true), ChangeVerdict::Missing, "{change:?}");
        }
    }

    #[test]
    fn any_of_the_roles_asked_for_is_enough() {
        let held = ["a".to_owned(), "b".to_owned()];
        let asked = |names: &[&str]| names.iter().map(|name| RoleName::parse(name).unwrap()).collect::<Vec<_>>();
        for good in [&[][..], &["b"], &["x", "a"]] {
            assert!(judge_access(&held, &asked(good)).is_ok(), "{good:?}");
        }
        assert_eq!(judge_access(&held, &asked(&["x", "y"])), Err(AuthError::RoleLacking));
    }
}
