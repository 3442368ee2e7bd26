//! Headers in which proxies tell whom they speak for.

use std::net::IpAddr;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use auth_http::{ClientAddress, ForwardedHeader};

const PROXY: &str = "10.0.0.1";
const INNER_PROXY: &str = "10.0.0.2";
const CLIENTS: [&str; 3] = ["203.0.113.9", "2001:db8::9", "198.51.100.77"];

/// Whatever a client claims, its address is what the first proxy in front of it saw; and without a proxy, the peer's.
pub(crate) fn addresses(input: &[u8]) {
    let (claim, behind) = input.split_at(input.len() / 2);
    let Ok(claim) = HeaderValue::from_bytes(claim) else { return };
    let client: IpAddr = CLIENTS[input.len() % CLIENTS.len()].parse().unwrap();
    for header in [ForwardedHeader::XForwardedFor, ForwardedHeader::Forwarded] {
        let trusting = ClientAddress { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], header };
        let name = HeaderName::from_static(match header {
            ForwardedHeader::XForwardedFor => "x-forwarded-for",
            ForwardedHeader::Forwarded => "forwarded",
        });
        let entry = |address: IpAddr| match (header, address) {
            (ForwardedHeader::XForwardedFor, address) => address.to_string(),
            (ForwardedHeader::Forwarded, IpAddr::V4(address)) => format!("for={address};proto=https"),
            (ForwardedHeader::Forwarded, IpAddr::V6(address)) => format!("proto=https;for=\"[{address}]:4711\""),
        };
        let of = |peer: &str, lines: &[HeaderValue]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(name.clone(), line.clone());
            }
            trusting.of(peer.parse().unwrap(), &headers)
        };
        // Somebody who is no proxy claims it.
        assert_eq!(of(&client.to_string(), std::slice::from_ref(&claim)), client);
        // A proxy adds what it sees, to the same line or in another one; and so does one behind it.
        let inner = entry(PROXY.parse().unwrap());
        for added in [entry(client), format!("{}, {inner}", entry(client))] {
            let peer = if added.contains(PROXY) { INNER_PROXY } else { PROXY };
            let same = HeaderValue::from_bytes(&[claim.as_bytes(), b", ", added.as_bytes()].concat()).unwrap();
            let other = HeaderValue::from_str(&added).unwrap();
            assert_eq!(of(peer, &[same]), client, "{header:?}, in the same line");
            assert_eq!(of(peer, &[claim.clone(), other]), client, "{header:?}, in another line");
        }
        // A proxy that garbles what it saw is believed nothing but itself, or what is an address in there.
        if let Ok(garbled) = HeaderValue::from_bytes(behind) {
            let _some_address = of(PROXY, &[claim.clone(), garbled]);
        }
    }
    lists(input);
}

/// A list without anything odd in it, against going through it by hand.
fn lists(input: &[u8]) {
    let known = [PROXY, INNER_PROXY, CLIENTS[0], CLIENTS[1], "::ffff:10.9.9.9", "192.0.2.200"];
    let list: Vec<&str> = input.iter().take(12).map(|octet| known[usize::from(*octet) % known.len()]).collect();
    let is_trusted = |address: &IpAddr| matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 10);
    let mut expected: IpAddr = PROXY.parse().unwrap();
    for address in list.iter().rev() {
        if !is_trusted(&expected) {
            break;
        }
        expected = address.parse::<IpAddr>().unwrap().to_canonical();
    }
    let mut headers = HeaderMap::new();
    headers.append(HeaderName::from_static("x-forwarded-for"), HeaderValue::from_str(&list.join(", ")).unwrap());
    let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let trusting = ClientAddress { trusted_proxies, header: ForwardedHeader::XForwardedFor };
    assert_eq!(trusting.of(PROXY.parse().unwrap(), &headers), expected, "{list:?}");
}
