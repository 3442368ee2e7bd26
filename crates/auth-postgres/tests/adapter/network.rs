use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A network that can swallow everything without a sign of it.
pub(crate) struct Network {
    /// Where it is entered.
    pub(crate) address: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_cut: AtomicBool,
    connections: AtomicUsize,
    swallowed: AtomicUsize,
}

impl Network {
    /// The network before the server at `server`.
    pub(crate) async fn before(server: &str) -> Self {
        let (listener, server) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), server.to_owned());
        let (address, state) = (listener.local_addr().unwrap().to_string(), Arc::<State>::default());
        let known = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                known.connections.fetch_add(1, Ordering::SeqCst);
                let far = TcpStream::connect(&server).await.unwrap();
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(carry(near_in, far_out, Arc::clone(&known)));
                tokio::spawn(carry(far_in, near_out, Arc::clone(&known)));
            }
        });
        Self { address, state }
    }

    /// Whether octets are swallowed from now on.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.state.is_cut.store(is_cut, Ordering::SeqCst);
    }

    /// How many connections have been made.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// How often something was swallowed.
    pub(crate) fn swallowed(&self) -> usize {
        self.state.swallowed.load(Ordering::SeqCst)
    }
}

/// Carries octets one way, but for those that come while the network is cut: they are gone.
async fn carry(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, state: Arc<State>) {
    let mut octets = Vec::with_capacity(4096);
    while let Ok(1..) = from.read_buf(&mut octets).await {
        if state.is_cut.load(Ordering::SeqCst) {
            state.swallowed.fetch_add(1, Ordering::SeqCst);
        } else if to.write_all(&octets).await.is_err() {
            break;
        }
        octets.clear();
    }
}
