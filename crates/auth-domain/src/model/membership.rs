use std::fmt;

use crate::InvalidInput;

/// What somebody may do: 1 to 64 of `a` to `z`, `0` to `9`, `_`, `.` and `-`. Which names there are, the operator decides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleName(String);

/// What somebody belongs to; written like a [`RoleName`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(String);

/// Something that users are given and that can be taken from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// A role.
    Role(RoleName),
    /// A group.
    Group(GroupName),
}

impl RoleName {
    /// The role that administers users.
    pub fn users_admin() -> Self {
        Self("users_admin".to_owned())
    }

    /// The role in `text`, or [`InvalidInput::RoleName`].
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        if is_name(text) { Ok(Self(text.to_owned())) } else { Err(InvalidInput::RoleName) }
    }

    /// The role's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl GroupName {
    /// The group in `text`, or [`InvalidInput::GroupName`].
    pub fn parse(text: &str) -> Result<Self, InvalidInput> {
        if is_name(text) { Ok(Self(text.to_owned())) } else { Err(InvalidInput::GroupName) }
    }

    /// The group's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

impl Membership {
    /// The name of the role or group.
    pub fn name(&self) -> &str {
        match self {
            Self::Role(role) => role.as_str(),
            Self::Group(group) => group.as_str(),
        }
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_1_to_64_lower_case_letters_digits_underscores_dots_and_dashes() {
        for good in ["a", "users_admin", "billing.read-only", "0", &"x".repeat(64)] {
            assert_eq!(RoleName::parse(good).unwrap().as_str(), good);
            assert_eq!(GroupName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "Admin", "a b", "a,b", "a\n", "ä", "a/b", &"x".repeat(65)] {
            assert_eq!(RoleName::parse(bad), Err(InvalidInput::RoleName), "{bad:?}");
            assert_eq!(GroupName::parse(bad), Err(InvalidInput::GroupName), "{bad:?}");
        }
    }
}
