//! What cannot be asked about does not pass.

use std::{
    io::{Read, Write},
    time::Duration,
};

use auth_testkit::postgres::Cluster;

use super::{
    guarded::{Guarded, bearer, key_pair},
    proxy::Kind,
};
use crate::process::{Running, within_patience};

super::sentences!(
    both_kinds_of_credential_at_once_do_not_pass,
    a_service_that_hangs_lets_nothing_through_and_then_everything_again,
    a_service_that_is_down_lets_nothing_through_until_it_is_back,
    a_service_that_has_lost_its_store_lets_nothing_through_until_it_is_back,
);

/// What a client is answered, as the guide's table says.
struct Told {
    bad_request: u16,
    store_away: u16,
    no_answer: &'static [u16],
}

fn told(kind: Kind) -> Told {
    match kind {
        Kind::Nginx => Told { bad_request: 500, store_away: 500, no_answer: &[500] },
        Kind::Caddy => Told { bad_request: 400, store_away: 503, no_answer: &[502, 504] },
        Kind::HaProxy => Told { bad_request: 400, store_away: 503, no_answer: &[503] },
    }
}

/// Requests with a good credential: none of them passes.
fn nothing_passes(guarded: &Guarded, statuses: &[u16]) {
    let before = guarded.upstream.count();
    for (method, path, body) in [("GET", "/", ""), ("POST", "/admin/x", "{}"), ("HEAD", "/reports/x", "")] {
        let answer = guarded.send(method, path, &bearer(&guarded.ada), body);
        assert!(statuses.contains(&answer.status), "{method} {path}: {answer:?}");
    }
    assert_eq!(guarded.upstream.count(), before);
}

fn passes_again(guarded: &Guarded) {
    within_patience(|| (guarded.status("/admin/x", &bearer(&guarded.ada)) == 200).then_some(()));
}

/// Whether it takes requests and does not answer. A signal that was sent has not stopped every thread yet.
fn is_silent(service: &Running) -> bool {
    let mut stream = service.connect();
    stream.set_read_timeout(Some(Duration::from_millis(250))).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    stream.read_exact(&mut [0]).is_err()
}

fn both_kinds_of_credential_at_once_do_not_pass(kind: Kind) {
    let guarded = Guarded::by(kind);
    let pair = key_pair(&guarded.account("bob", &["user"]));
    assert_eq!(guarded.status("/", &[bearer(&guarded.ada), pair].concat()), told(kind).bad_request);
}

fn a_service_that_hangs_lets_nothing_through_and_then_everything_again(kind: Kind) {
    let guarded = Guarded::by(kind);
    passes_again(&guarded);
    guarded.service.signal("STOP");
    within_patience(|| is_silent(&guarded.service).then_some(()));
    nothing_passes(&guarded, told(kind).no_answer);
    guarded.service.signal("CONT");
    passes_again(&guarded);
}

fn a_service_that_is_down_lets_nothing_through_until_it_is_back(kind: Kind) {
    let mut guarded = Guarded::by(kind);
    passes_again(&guarded);
    let address = guarded.service.address.to_string();
    guarded.service.signal("KILL");
    guarded.service.wait();
    nothing_passes(&guarded, told(kind).no_answer);
    guarded.service = Running::start_with(guarded.folder(), &[("AUTH__HTTP__BIND", &address)]);
    passes_again(&guarded);
}

fn a_service_that_has_lost_its_store_lets_nothing_through_until_it_is_back(kind: Kind) {
    let cluster = Cluster::start();
    let (url, key) = (cluster.url("postgres"), "11".repeat(32));
    let guarded = Guarded::with(kind, &[("AUTH__DATABASE__URL", &url), ("AUTH__SECRETS__KEY", &key)]);
    passes_again(&guarded);
    cluster.kill();
    // What the service remembers counts for a second after it has heard from its database.
    within_patience(|| (guarded.status("/", &bearer(&guarded.ada)) == told(kind).store_away).then_some(()));
    nothing_passes(&guarded, &[told(kind).store_away]);
    cluster.resume();
    passes_again(&guarded);
}
