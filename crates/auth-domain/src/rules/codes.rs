use crate::{CodeGuess, CodeId, CodeState, LivingCode, Network, Timestamp};

/// What a guess amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// The right code of a living one: it is used up by this.
    Right,
    /// A wrong code: one try is gone.
    Wrong,
    /// Nothing to guess at: the code is used, replaced, exhausted, expired or for something else.
    Ended,
}

/// Judges a guess at a code.
///
/// The caller holds the code's address from before the read until the judgement is stored, so that guesses
/// made at the same time share one budget and a right one is accepted once.
pub fn judge(code: &CodeState, guess: &CodeGuess, now: Timestamp) -> Judgement {
    if code.purpose != guess.purpose || !code.is_living_at(now) {
        Judgement::Ended
    } else if guess.matches(&code.hash) {
        Judgement::Right
    } else {
        Judgement::Wrong
    }
}

/// Which of the codes alive for an address end when a new one is asked for from `network`.
///
/// Those asked for from the same network, and of the others the oldest, until the new one fits in. So a stranger's
/// request does not spoil the code in the owner's hand.
pub fn superseded(living: &[LivingCode], network: Network) -> Vec<CodeId> {
    let (same, mut others): (Vec<&LivingCode>, Vec<&LivingCode>) =
        living.iter().partition(|code| code.network == network);
    others.sort_by_key(|code| (code.created_at, code.id));
    let too_many = (others.len() + 1).saturating_sub(CodeState::LIVING_PER_ADDRESS);
    same.into_iter().chain(others.into_iter().take(too_many)).map(|code| code.id).collect()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use uuid::Uuid;

    use super::*;
    use crate::{Actor, CodeHash, CodePurpose};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    fn guess(hash: u8) -> CodeGuess {
        let id = CodeId::from(Uuid::from_u128(1));
        CodeGuess {
            id,
            purpose: CodePurpose::SignIn,
            hashes: vec![CodeHash::new([9; 32]), CodeHash::new([hash; 32])],
            network: Network::of(IpAddr::from([192, 0, 2, 7])),
            by: Actor { user: None, credential: None, ip: None },
            at: at(0),
            event_id: Uuid::from_u128(2).into(),
            limits: None,
        }
    }

    #[test]
    fn a_guess_is_judged_by_the_table() {
        let fresh = CodeState {
            purpose: CodePurpose::SignIn,
            hash: CodeHash::new([1; 32]),
            wrong_guesses: 0,
            expires_at: at(1000),
            ended: false,
        };
        let last_try = CodeState { wrong_guesses: 4, ..fresh.clone() };
        let exhausted = CodeState { wrong_guesses: 5, ..fresh.clone() };
        let spent = CodeState { ended: true, ..fresh.clone() };
        for (code, hash, now, expected) in [
            (&fresh, 1, 999, Judgement::Right),
            (&fresh, 2, 999, Judgement::Wrong),
            (&fresh, 1, 1000, Judgement::Ended),
            (&fresh, 2, 1000, Judgement::Ended),
            (&last_try, 1, 0, Judgement::Right),
            (&last_try, 2, 0, Judgement::Wrong),
            (&exhausted, 1, 0, Judgement::Ended),
            (&spent, 1, 0, Judgement::Ended),
        ] {
            assert_eq!(judge(code, &guess(hash), at(now)), expected, "{code:?} at {now}");
        }
    }

    fn living(id: u128, network: u8, created_at: i64) -> LivingCode {
        let network = Network::of(IpAddr::from([192, 0, network, 1]));
        LivingCode { id: CodeId::from(Uuid::from_u128(id)), network, created_at: at(created_at) }
    }

    fn ended_by(codes: &[LivingCode], network: u8) -> Vec<u128> {
        let mut ids: Vec<_> = superseded(codes, Network::of(IpAddr::from([192, 0, network, 9])))
            .into_iter()
            .map(|id| id.uuid().as_u128())
            .collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn a_new_code_ends_the_one_from_its_own_network_and_no_other() {
        assert_eq!(ended_by(&[living(1, 1, 10), living(2, 2, 20)], 2), [2]);
        assert_eq!(ended_by(&[living(1, 1, 10)], 3), Vec::<u128>::new());
    }

    #[test]
    fn a_sixth_living_code_ends_the_oldest() {
        let five: Vec<_> = (1..=5).map(|n| living(n.into(), n, 100 - i64::from(n))).collect();
        assert_eq!(ended_by(&five, 6), [5], "the oldest is the one made first, whatever its id");
        assert_eq!(ended_by(&five, 1), [1], "replacing one's own leaves room");
    }
}
