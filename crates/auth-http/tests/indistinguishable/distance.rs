//! A network between the service and its database.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use tokio::time::Instant;

/// How long the way takes, there and back each.
const ONE_WAY: Duration = Duration::from_millis(5);

/// `url`, by a way that takes its time.
pub(crate) fn far_away(url: &str) -> String {
    let (scheme_and_user, rest) = url.split_once('@').unwrap();
    let (server, rest) = rest.split_once('/').unwrap();
    format!("{scheme_and_user}@{}/{rest}", forwarder(server.to_owned()))
}

/// Where everything is taken that goes to `server`.
fn forwarder(server: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for near in listener.incoming() {
            // The server ends with the last test.
            let (Ok(near), Ok(far)) = (near, TcpStream::connect(&server)) else { break };
            for (from, to) in [(&near, &far), (&far, &near)] {
                to.set_nodelay(true).unwrap();
                carry(from.try_clone().unwrap(), to.try_clone().unwrap());
            }
        }
    });
    address
}

/// Carries bytes one way. What follows closely is delayed by as much and no more.
fn carry(mut from: TcpStream, mut to: TcpStream) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            if sender.send((Instant::now() + ONE_WAY, bytes[..length].to_vec())).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (arrives, bytes) in receiver {
            thread::sleep(arrives.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _gone_already = to.shutdown(Shutdown::Write);
    });
}
