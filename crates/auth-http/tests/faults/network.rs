//! A network that can be cut, and says nothing about it.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// A way to a server. While it is cut, whatever is sent is swallowed, and connections stay open that lead nowhere; those
/// that were open at that time lead nowhere ever after, as if whatever was in between had forgotten them.
pub(crate) struct Network {
    /// Where it is entered, as `host:port`.
    pub(crate) address: String,
    /// How often it was cut or mended: at odd numbers it is cut.
    changes: Arc<AtomicUsize>,
}

impl Network {
    /// The network before the server at `server`.
    pub(crate) fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, server) = (listener.local_addr().unwrap().to_string(), server.to_owned());
        let changes = Arc::new(AtomicUsize::new(0));
        let now = Arc::clone(&changes);
        thread::spawn(move || {
            // Kept, so that nobody hears of their end.
            let mut lost = Vec::new();
            for near in listener.incoming() {
                let (Ok(near), since) = (near, now.load(Ordering::SeqCst)) else { continue };
                if is_cut(since) {
                    lost.push(near);
                } else if let Ok(far) = TcpStream::connect(&server) {
                    for (from, to) in [(&near, &far), (&far, &near)] {
                        let (from, to, now) = (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(&now));
                        thread::spawn(move || carry(from, to, &now, since));
                    }
                }
            }
        });
        Self { address, changes }
    }

    /// Cuts it.
    pub(crate) fn cut(&self) {
        assert!(is_cut(self.changes.fetch_add(1, Ordering::SeqCst) + 1));
    }

    /// Mends it for connections that are made from now on.
    pub(crate) fn mend(&self) {
        assert!(!is_cut(self.changes.fetch_add(1, Ordering::SeqCst) + 1));
    }
}

fn is_cut(changes: usize) -> bool {
    changes % 2 == 1
}

/// Carries octets one way as long as nothing has changed `since` the connection was made, then swallows them.
fn carry(mut from: TcpStream, mut to: TcpStream, changes: &AtomicUsize, since: usize) {
    let mut octets = [0; 4096];
    loop {
        let read = from.read(&mut octets);
        let is_whole = changes.load(Ordering::SeqCst) == since;
        match read {
            Ok(length @ 1..) if is_whole => {
                if to.write_all(&octets[..length]).is_err() {
                    return;
                }
            }
            Ok(1..) => {}
            Ok(0) | Err(_) => {
                if is_whole {
                    let _gone_already = to.shutdown(Shutdown::Write);
                }
                return;
            }
        }
    }
}
