use std::{error::Error, fmt, net::IpAddr};

/// How many bits of an IPv4 address say which network it is in.
const IPV4_PREFIX: u8 = 24;
/// How many bits of an IPv6 address do.
const IPV6_PREFIX: u8 = 48;
/// The longest user agent that is kept, in characters.
const MAX_USER_AGENT: usize = 512;

/// Who is asking, as far as the network tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The client's address.
    pub ip: IpAddr,
    /// What the client calls itself; empty when it does not say.
    pub user_agent: String,
}

impl Client {
    /// A client at `ip`. IPv4 addresses written as IPv6 are taken back to IPv4; `user_agent` is cut at 512
    /// characters and loses its control characters.
    pub fn new(ip: IpAddr, user_agent: &str) -> Self {
        let user_agent = user_agent.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT).collect();
        Self { ip: ip.to_canonical(), user_agent }
    }

    /// The network the client is in.
    pub fn network(&self) -> Network {
        Network::of(self.ip)
    }
}

/// The network that one household or office is likely to share: an IPv4 /24 or an IPv6 /48.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network of `ip`.
    pub fn of(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & (u32::MAX << (32 - IPV4_PREFIX))).into()),
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & (u128::MAX << (128 - IPV6_PREFIX))).into()),
        })
    }

    /// The network's first address: with the address family it says everything.
    pub fn first_address(self) -> IpAddr {
        self.0
    }

    /// How many bits of an address say that it is in there.
    pub fn prefix_length(self) -> u8 {
        if self.0.is_ipv4() { IPV4_PREFIX } else { IPV6_PREFIX }
    }

    /// A network as it is stored: its first address; nothing for none.
    pub fn to_stored(network: Option<Self>) -> String {
        network.map_or_else(String::new, |network| network.0.to_string())
    }

    /// What was stored as `text`.
    ///
    /// # Errors
    ///
    /// [`UnknownNetwork`] when that is neither empty nor the first address of a network.
    pub fn from_stored(text: &str) -> Result<Option<Self>, UnknownNetwork> {
        if text.is_empty() {
            return Ok(None);
        }
        let network = Some(Self::of(text.parse().map_err(|_no_address| UnknownNetwork)?));
        if Self::to_stored(network) == text { Ok(network) } else { Err(UnknownNetwork) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, self.prefix_length())
    }
}

/// What is stored is not the first address of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownNetwork;

impl fmt::Display for UnknownNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the first address of a network")
    }
}

impl Error for UnknownNetwork {}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(ip: &str) -> String {
        Network::of(ip.parse().unwrap()).to_string()
    }

    #[test]
    fn networks_are_a_24_or_a_48() {
        assert_eq!(network("192.0.2.77"), "192.0.2.0/24");
        assert_eq!(network("2001:db8:1:2:3::4"), "2001:db8:1::/48");
        assert_eq!(network("::ffff:192.0.2.77"), "192.0.2.0/24", "IPv4 in IPv6 clothes is IPv4");
    }

    #[test]
    fn a_network_is_stored_as_its_first_address_and_nothing_else_is_taken_for_one() {
        for ip in ["192.0.2.77", "2001:db8:1:2:3::4", "0.0.0.1", "::1"] {
            let network = Some(Network::of(ip.parse().unwrap()));
            assert_eq!(Network::from_stored(&Network::to_stored(network)), Ok(network));
        }
        assert_eq!(Network::to_stored(None), "");
        assert_eq!(Network::from_stored(""), Ok(None));
        for text in ["192.0.2.77", "192.0.2.0/24", "2001:DB8:1::", "::ffff:192.0.2.0", "here"] {
            assert_eq!(Network::from_stored(text), Err(UnknownNetwork), "{text}");
        }
    }

    #[test]
    fn a_user_agent_is_cut_at_512_characters_and_keeps_no_controls() {
        let client = Client::new(IpAddr::from([127, 0, 0, 1]), &format!("\t{}", "é".repeat(600)));
        assert_eq!(client.user_agent, "é".repeat(512));
    }
}
