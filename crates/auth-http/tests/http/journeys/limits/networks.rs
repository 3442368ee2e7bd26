//! Which network is held back: that of whoever asks, whatever they claim.

use auth_domain::Limits;
use auth_http::{ClientAddress, ForwardedHeader};

use super::{
    super::journeys, ELSEWHERE, FAR_AWAY, HOUR, NOBODY, asking, each_hour, held_back, setup, signing_up, wide_open,
};
use crate::app::{Backend, Call, HERE, Setup, TestApp};

journeys![forged_addresses_share_the_limits_of_whoever_forges_them, a_network_is_a_24_or_a_48,];

async fn forged_addresses_share_the_limits_of_whoever_forges_them(backend: Backend) {
    let limits = Limits { mails_per_network: each_hour(4), ..wide_open() };
    let claims = |call: Call, n: u32| {
        call.header("X-Forwarded-For", &format!("198.51.{n}.1")).header("Forwarded", &format!("for=198.51.{n}.2"))
    };
    let direct = TestApp::on(backend, setup(limits)).await;
    for n in 0..4 {
        direct.send(claims(asking(HERE, &format!("ada{n}@example.org")), n)).await.accepted();
    }
    held_back(&direct.send(claims(asking(HERE, NOBODY), 200)).await, HOUR / 4);

    // Behind a proxy that adds what it sees, the same.
    let client_address = ClientAddress {
        trusted_proxies: vec!["192.0.2.0/24".parse().unwrap()],
        header: ForwardedHeader::XForwardedFor,
    };
    let behind = TestApp::on(backend, Setup { client_address, ..setup(limits) }).await;
    let seen_by_proxy = |n: u32, claim: &str, client: &str| {
        let call = asking(HERE, &format!("ada{n}@example.org"));
        call.header("X-Forwarded-For", &format!("{claim}, {client}"))
    };
    for (n, claim) in (0..).zip(["198.51.100.1", "\"", "198.51.100.2, unknown", "[2001:db8::1]"]) {
        behind.send(seen_by_proxy(n, claim, ELSEWHERE)).await.accepted();
    }
    held_back(&behind.send(seen_by_proxy(4, "198.51.100.9", ELSEWHERE)).await, HOUR / 4);
    behind.send(seen_by_proxy(5, ELSEWHERE, FAR_AWAY)).await.accepted();
}

async fn a_network_is_a_24_or_a_48(backend: Backend) {
    let limits = Limits { sign_ups_per_network: each_hour(2), ..wide_open() };
    let app = TestApp::on(backend, setup(limits)).await;
    for (n, peer, has_room) in [
        (0, "2001:db8:1:1::1", true),
        (1, "2001:db8:1:ffff:ffff::", true),
        (2, "2001:db8:1::2", false),
        (3, "2001:db8:2::1", true),
        (4, "203.0.113.1", true),
        (5, "::ffff:203.0.113.200", true),
        (6, "203.0.113.255", false),
        (7, "203.0.112.1", true),
    ] {
        let answer = app.send(signing_up(peer, &format!("ada{n}"), &format!("ada{n}@example.org"))).await;
        assert_eq!(answer.status, if has_room { 202 } else { 429 }, "{peer}");
    }
}
