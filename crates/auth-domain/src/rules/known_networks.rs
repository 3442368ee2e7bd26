use std::time::Duration;

use crate::{Network, Timestamp};

/// From how many networks the owner of an address can be known to sign in.
pub const KNOWN_NETWORKS_AT_MOST: usize = 16;

/// Whether a network is known to an address whose owner has last signed in from there at `last_signed_in_at`, if ever.
pub fn network_is_known(last_signed_in_at: Option<Timestamp>, known_for: Duration, now: Timestamp) -> bool {
    last_signed_in_at.is_some_and(|last| now < last.plus(known_for))
}

/// Which of the networks that an address knows make room for `new`: the longest unused, until it fits in; none if it is
/// among them. Each comes with the last sign-in from there.
pub fn forgotten_networks(known: &[(Network, Timestamp)], new: Network) -> Vec<Network> {
    if known.iter().any(|(network, _)| *network == new) {
        return Vec::new();
    }
    let mut longest_unused_first = known.to_vec();
    longest_unused_first.sort_by_key(|(network, last_signed_in_at)| (*last_signed_in_at, *network));
    let too_many = (known.len() + 1).saturating_sub(KNOWN_NETWORKS_AT_MOST);
    longest_unused_first.into_iter().take(too_many).map(|(network, _)| network).collect()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    fn network(number: u8) -> Network {
        Network::of(IpAddr::from([192, 0, number, 7]))
    }

    #[test]
    fn a_network_is_known_for_a_while() {
        let known_for = Duration::from_millis(100);
        for (last, now, expected) in
            [(None, 0, false), (Some(0), 0, true), (Some(0), 99, true), (Some(0), 100, false), (Some(50), 0, true)]
        {
            assert_eq!(network_is_known(last.map(at), known_for, at(now)), expected, "{last:?} at {now}");
        }
    }

    #[test]
    fn a_seventeenth_network_takes_the_place_of_the_longest_unused() {
        let mut known: Vec<_> = (1..=15).map(|n| (network(n), at(1000 - i64::from(n)))).collect();
        assert!(forgotten_networks(&known, network(16)).is_empty());
        known.push((network(16), at(2000)));
        assert_eq!(forgotten_networks(&known, network(17)), [network(15)]);
        assert!(forgotten_networks(&known, network(3)).is_empty(), "it is among them");
    }
}
