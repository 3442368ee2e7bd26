use std::{collections::BTreeMap, time::Duration};

use crate::{GroupName, InvalidInput, Limits, RoleName, SessionKind};

/// What the operator decides. The numbers that security rests on (tries, the life of codes) are not among it.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Whether people can register themselves.
    pub registration_open: bool,
    /// The kinds of session on offer, and how long each lives. `standard` is always among them.
    pub session_kinds: SessionKinds,
    /// The roles of new users.
    pub new_user_roles: Vec<RoleName>,
    /// The groups of new users.
    pub new_user_groups: Vec<GroupName>,
    /// How long after a sign-in its session may change how the account is reached; `None` for as long as it lives.
    pub fresh_for: Option<Duration>,
    /// How much is let through; `None` for everything, a code's own tries aside.
    pub limits: Option<Limits>,
}

/// The kinds of session on offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionKinds {
    standard: Lifetimes,
    others: BTreeMap<SessionKind, Lifetimes>,
}

/// How long a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// From its creation, and again from each extension.
    pub lifetime: Duration,
    /// From its creation, however often it is extended.
    pub maximum: Duration,
}

/// The lifetimes of `kind` make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sessions of kind {kind}: the lifetime must be at least a minute and at most the maximum lifetime")]
pub struct ImpossibleLifetimes {
    /// The kind.
    pub kind: SessionKind,
}

impl Default for Policy {
    /// Registration open, `standard` sessions only, new users with role `user` in group `public`, no step-up, the
    /// usual limits.
    fn default() -> Self {
        Self {
            registration_open: true,
            session_kinds: SessionKinds::default(),
            new_user_roles: RoleName::parse("user").into_iter().collect(),
            new_user_groups: GroupName::parse("public").into_iter().collect(),
            fresh_for: None,
            limits: Some(Limits::default()),
        }
    }
}

impl Default for SessionKinds {
    /// `standard` alone: 24 hours, at most 30 days.
    fn default() -> Self {
        let standard = Lifetimes { lifetime: Duration::from_hours(24), maximum: Duration::from_hours(30 * 24) };
        Self { standard, others: BTreeMap::new() }
    }
}

impl SessionKinds {
    /// These kinds; `standard` keeps its default unless it is among them.
    pub fn new(kinds: impl IntoIterator<Item = (SessionKind, Lifetimes)>) -> Result<Self, ImpossibleLifetimes> {
        let mut all = Self::default();
        for (kind, lifetimes) in kinds {
            if lifetimes.lifetime < Duration::from_mins(1) || lifetimes.lifetime > lifetimes.maximum {
                return Err(ImpossibleLifetimes { kind });
            }
            if kind == SessionKind::standard() {
                all.standard = lifetimes;
            } else {
                all.others.insert(kind, lifetimes);
            }
        }
        Ok(all)
    }

    /// The names of the kinds on offer, `standard` first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once("standard").chain(self.others.keys().map(SessionKind::as_str))
    }

    /// The lifetimes of `kind`, or `None` when it is not on offer.
    pub fn lifetimes(&self, kind: &SessionKind) -> Option<Lifetimes> {
        if *kind == SessionKind::standard() { Some(self.standard) } else { self.others.get(kind).copied() }
    }

    /// The kind called `name`, `standard` if none is named.
    ///
    /// # Errors
    /// [`InvalidInput::SessionKind`] when it is not on offer.
    pub fn choose(&self, name: Option<&str>) -> Result<(SessionKind, Lifetimes), InvalidInput> {
        let kind = name.map_or_else(|| Ok(SessionKind::standard()), SessionKind::parse)?;
        let lifetimes = self.lifetimes(&kind).ok_or(InvalidInput::SessionKind)?;
        Ok((kind, lifetimes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_is_always_on_offer() {
        let kinds = SessionKinds::new([]).unwrap();
        let (kind, lifetimes) = kinds.choose(None).unwrap();
        assert_eq!(kind.as_str(), "standard");
        assert_eq!(lifetimes.lifetime, Duration::from_hours(24));
        assert_eq!(lifetimes.maximum, Duration::from_hours(720));
    }

    #[test]
    fn a_kind_not_on_offer_is_invalid_input() {
        for name in ["kiosk", "", "Standard", "a b"] {
            assert_eq!(SessionKinds::default().choose(Some(name)), Err(InvalidInput::SessionKind));
        }
    }

    #[test]
    fn impossible_lifetimes_are_refused() {
        for (lifetime, maximum) in [(0, 100), (59, 100), (100, 99)] {
            let lifetimes =
                Lifetimes { lifetime: Duration::from_secs(lifetime), maximum: Duration::from_secs(maximum) };
            assert!(SessionKinds::new([(SessionKind::standard(), lifetimes)]).is_err());
        }
    }
}
