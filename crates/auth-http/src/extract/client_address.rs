use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use serde::Deserialize;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The header that trusted proxies tell the client's address in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Where a client's address is read from.
///
/// It is the peer's, unless the peer is a trusted proxy. Then the configured header is read from right to left, the
/// way it was written: each entry is what one proxy saw, and the first one that is no trusted proxy is the client.
/// What stands left of it is the client's own claim and counts for nothing.
#[derive(Debug, Clone, Default)]
pub struct ClientAddress {
    /// The proxies that are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The header they write. The other one is ignored.
    pub header: ForwardedHeader,
}

impl ClientAddress {
    /// The address of the client whose request came from `peer` with `headers`.
    pub fn of(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut address = peer.to_canonical();
        let mut hops = self.hops(headers);
        while self.trusts(address) {
            match hops.next() {
                Some(Some(previous)) => address = previous.to_canonical(),
                // A proxy that hides or garbles what it saw is the last one known.
                Some(None) | None => break,
            }
        }
        address
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }

    /// The addresses in the header, nearest first; `None` for an entry that is not an address.
    fn hops(&self, headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
        let (header, name) = match self.header {
            ForwardedHeader::XForwardedFor => (self.header, X_FORWARDED_FOR),
            ForwardedHeader::Forwarded => (self.header, header::FORWARDED),
        };
        let lines: Vec<_> = headers.get_all(name).map(HeaderValue::as_bytes).collect();
        lines.into_iter().rev().flat_map(move |line| Entries { rest: Some(line), header }).map(move |entry| {
            // One that is no text is no address. The others in its line may be: it need not be whoever wrote them.
            let entry = std::str::from_utf8(entry).unwrap_or_default();
            match header {
                ForwardedHeader::XForwardedFor => node_address(entry.trim()),
                ForwardedHeader::Forwarded => forwarded_for(entry).and_then(node_address),
            }
        })
    }
}

/// The entries of one line, the last one first.
///
/// They are told apart from the right as well: what is read was written by trusted proxies and is well-formed, but a client
/// that sends a quotation mark and never closes it would hide what a proxy writes behind it from whoever begins at the left.
struct Entries<'a> {
    rest: Option<&'a [u8]>,
    header: ForwardedHeader,
}

impl<'a> Iterator for Entries<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let line = self.rest.take()?;
        let comma = match self.header {
            ForwardedHeader::XForwardedFor => line.iter().rposition(|octet| *octet == b','),
            ForwardedHeader::Forwarded => last_comma_unquoted(line),
        };
        let Some((rest, entry)) = comma.and_then(|comma| line.split_at_checked(comma)) else { return Some(line) };
        self.rest = Some(rest);
        entry.get(1..)
    }
}

/// The `for` of one element of a `Forwarded` header (RFC 7239 §4), its quotes removed.
fn forwarded_for(element: &str) -> Option<&str> {
    let pairs = pairs(element).filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, value)| value.trim());
    let value = values.next()?;
    Some(value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value))
}

/// The address of a node (RFC 7239 §6), with or without its port; `None` for `unknown` and hidden ones.
fn node_address(node: &str) -> Option<IpAddr> {
    let bracketed = node.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(address, _port)| address);
    let plain = || node.parse().ok();
    let with_port = || node.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    match bracketed {
        Some(address) => address.parse().ok(),
        None => plain().or_else(with_port),
    }
}

/// Where the last comma is outside of quoted strings (RFC 9110 §5.6.4).
fn last_comma_unquoted(line: &[u8]) -> Option<usize> {
    let mut quoted = false;
    line.iter().enumerate().rev().find_map(|(at, octet)| match octet {
        b',' => (!quoted).then_some(at),
        b'"' => {
            let before = line.get(..at).unwrap_or_default();
            let backslashes = before.iter().rev().take_while(|octet| **octet == b'\\').count();
            quoted ^= !(quoted && backslashes % 2 == 1);
            None
        }
        _ => None,
    })
}

/// The parts of one element that stand between semicolons outside of quoted strings.
fn pairs(element: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    element.split(move |c: char| {
        let ends_here = c == ';' && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && quoted && !escaped;
        ends_here
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], header: ForwardedHeader, peer: &str, lines: &[(&str, &str)]) -> String {
        let trusted_proxies = trusted.iter().map(|network| network.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        ClientAddress { trusted_proxies, header }.of(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn without_trusted_proxies_headers_change_nothing() {
        let forged = [("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=1.2.3.4")];
        for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
            assert_eq!(client(&[], header, "192.0.2.1", &forged), "192.0.2.1");
            assert_eq!(client(&["10.0.0.0/8"], header, "192.0.2.1", &forged), "192.0.2.1");
        }
    }

    #[test]
    fn x_forwarded_for_is_read_from_right_to_left_over_trusted_hops() {
        for (value, expected) in [
            ("203.0.113.9", "203.0.113.9"),
            ("1.2.3.4, 203.0.113.9", "203.0.113.9"),
            ("1.2.3.4, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
            ("203.0.113.9:4711, 10.0.0.7", "203.0.113.9"),
            ("[2001:db8::9]:4711", "2001:db8::9"),
            ("2001:db8::9", "2001:db8::9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("\", 203.0.113.9", "203.0.113.9"),
            ("\"1.2.3.4, 203.0.113.9", "203.0.113.9"),
            ("1.2.3.4\\, 203.0.113.9", "203.0.113.9"),
            (",,, 203.0.113.9", "203.0.113.9"),
            ("203.0.113.9, nonsense", "10.0.0.1"),
            ("nonsense", "10.0.0.1"),
            ("", "10.0.0.1"),
        ] {
            let seen =
                client(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor, "10.0.0.1", &[("x-forwarded-for", value)]);
            assert_eq!(seen, expected, "{value}");
        }
    }

    #[test]
    fn several_header_lines_are_one_list() {
        let lines = [("x-forwarded-for", "1.2.3.4, 203.0.113.9"), ("x-forwarded-for", "10.0.0.7")];
        assert_eq!(client(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor, "10.0.0.1", &lines), "203.0.113.9");
    }

    #[test]
    fn forwarded_is_read_with_its_quotes_ports_and_extensions() {
        for (value, expected) in [
            ("for=203.0.113.9;proto=https;by=10.0.0.1", "203.0.113.9"),
            ("For=\"203.0.113.9:4711\"; secret=\"a,b;for=1.2.3.4\"", "203.0.113.9"),
            ("for=1.2.3.4, for=\"[2001:db8::9]:4711\"", "2001:db8::9"),
            ("for=203.0.113.9, for=10.0.0.9;host=x", "203.0.113.9"),
            ("for=203.0.113.9;secret=\"a\\\"b, c\\\\\", for=10.0.0.9", "203.0.113.9"),
            ("for=\"1.2.3.4, for=203.0.113.9", "203.0.113.9"),
            ("\", for=\"[2001:db8::9]\"", "2001:db8::9"),
            ("for=\"1.2.3.4\\\", for=\"203.0.113.9\";proto=\"https\"", "203.0.113.9"),
            ("secret=\"for=1.2.3.4\\, for=203.0.113.9", "203.0.113.9"),
            ("for=unknown", "10.0.0.1"),
            ("for=_hidden", "10.0.0.1"),
            ("proto=https", "10.0.0.1"),
            ("for=\"", "10.0.0.1"),
        ] {
            let seen = client(&["10.0.0.0/8"], ForwardedHeader::Forwarded, "10.0.0.1", &[("forwarded", value)]);
            assert_eq!(seen, expected, "{value}");
        }
    }

    #[test]
    fn octets_that_are_no_text_hide_nothing_that_a_proxy_writes_behind_them() {
        for (header, name, value) in [
            (ForwardedHeader::XForwardedFor, "x-forwarded-for", "1.2.3.4\u{ae}, 203.0.113.9, 10.0.0.7"),
            (ForwardedHeader::Forwarded, "forwarded", "for=\"\u{ae}, for=203.0.113.9, for=10.0.0.7"),
        ] {
            assert_eq!(client(&["10.0.0.0/8"], header, "10.0.0.1", &[(name, value)]), "203.0.113.9");
        }
        let garbled = [("x-forwarded-for", "203.0.113.9, 10.0.0.\u{ae}")];
        assert_eq!(client(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor, "10.0.0.1", &garbled), "10.0.0.1");
    }

    #[test]
    fn only_the_configured_header_counts() {
        let both = [("x-forwarded-for", "203.0.113.1"), ("forwarded", "for=203.0.113.2")];
        assert_eq!(client(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor, "10.0.0.1", &both), "203.0.113.1");
        assert_eq!(client(&["10.0.0.0/8"], ForwardedHeader::Forwarded, "10.0.0.1", &both), "203.0.113.2");
    }
}
