use std::collections::BTreeMap;

use crate::{Hanging, KeyId, KeyInUse, KeyRole};

/// Why a server key stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyStays {
    /// There is none with this id.
    #[error("there is no such key")]
    Unknown,
    /// It is the one that signs, and perhaps the last one.
    #[error("this key signs: rotate first")]
    Signs,
}

/// The keys that there are, the signing one first, then those that are gone and that something hangs on.
pub fn keys_in_use(keys: impl IntoIterator<Item = KeyId>, hanging: Vec<(KeyId, Hanging)>) -> Vec<KeyInUse> {
    let mut hanging: BTreeMap<KeyId, Hanging> = hanging.into_iter().collect();
    let roles = std::iter::once(KeyRole::Signs).chain(std::iter::repeat(KeyRole::Verifies));
    let mut in_use: Vec<_> = keys
        .into_iter()
        .zip(roles)
        .map(|(id, role)| KeyInUse { id, role, hanging: hanging.remove(&id).unwrap_or_default() })
        .collect();
    in_use.extend(hanging.into_iter().map(|(id, hanging)| KeyInUse { id, role: KeyRole::Gone, hanging }));
    in_use
}

/// Whether the key `id` may go.
///
/// # Errors
/// Why it stays.
pub fn judge_key_removal(keys: impl IntoIterator<Item = KeyId>, id: KeyId) -> Result<(), KeyStays> {
    match keys.into_iter().position(|key| key == id) {
        None => Err(KeyStays::Unknown),
        Some(0) => Err(KeyStays::Signs),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> KeyId {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_key_signs_the_others_verify_and_what_is_gone_comes_last() {
        let some = |sessions| Hanging { sessions, ..Hanging::default() };
        let hanging = vec![(id("0c"), some(3)), (id("0b"), some(2)), (id("0a"), some(1))];
        let expected = [
            ("0d", KeyRole::Signs, 0),
            ("0a", KeyRole::Verifies, 1),
            ("0b", KeyRole::Gone, 2),
            ("0c", KeyRole::Gone, 3),
        ]
        .map(|(key, role, sessions)| KeyInUse { id: id(key), role, hanging: some(sessions) });
        assert_eq!(keys_in_use([id("0d"), id("0a")], hanging), expected);
    }

    #[test]
    fn a_key_may_go_once_another_one_signs() {
        let keys = [id("0a"), id("0b")];
        assert_eq!(judge_key_removal(keys, id("0a")), Err(KeyStays::Signs));
        assert_eq!(judge_key_removal(keys, id("0b")), Ok(()));
        assert_eq!(judge_key_removal(keys, id("0c")), Err(KeyStays::Unknown));
        assert_eq!(judge_key_removal([id("0a")], id("0a")), Err(KeyStays::Signs), "the last one");
    }
}
