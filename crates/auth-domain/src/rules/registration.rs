use crate::AddressKey;

/// Who holds the alias that a registration asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AliasHolder {
    /// An account.
    Account,
    /// A registration that nobody completed yet, real or decoy.
    Registration {
        /// The address it was made for.
        address: AddressKey,
        /// Whether a code for that address could still be redeemed.
        has_living_code: bool,
    },
}

/// Whether a registration can have its alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasVerdict {
    /// It is free.
    Free,
    /// A registration holds it that this one replaces: one for the same address, or one that has ended.
    Replace,
    /// It is taken.
    Taken,
}

/// Judges the alias of a registration for `address`.
///
/// An uncompleted registration holds its alias as long as one of its address's codes is alive: then it is gone.
/// Real and decoy registrations are judged alike, so that the answer tells of the alias and nothing else.
pub fn judge_alias(holder: Option<&AliasHolder>, address: &AddressKey) -> AliasVerdict {
    match holder {
        None => AliasVerdict::Free,
        Some(AliasHolder::Account) => AliasVerdict::Taken,
        Some(AliasHolder::Registration { address: theirs, has_living_code }) => {
            if theirs == address || !has_living_code { AliasVerdict::Replace } else { AliasVerdict::Taken }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_judged_by_the_table() {
        let mine = AddressKey::from_stored("me@example.org".to_owned());
        let theirs = AddressKey::from_stored("them@example.org".to_owned());
        let registration = |address: &AddressKey, has_living_code| {
            Some(AliasHolder::Registration { address: address.clone(), has_living_code })
        };
        for (holder, expected) in [
            (None, AliasVerdict::Free),
            (Some(AliasHolder::Account), AliasVerdict::Taken),
            (registration(&mine, true), AliasVerdict::Replace),
            (registration(&mine, false), AliasVerdict::Replace),
            (registration(&theirs, true), AliasVerdict::Taken),
            (registration(&theirs, false), AliasVerdict::Replace),
        ] {
            assert_eq!(judge_alias(holder.as_ref(), &mine), expected, "{holder:?}");
        }
    }
}
