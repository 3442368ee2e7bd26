use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A network that can swallow everything without a sign of it.
pub(crate) struct Network {
    /// Where it is entered.
    pub(crate) address: String,
    is_cut: Arc<AtomicBool>,
}

impl Network {
    /// The network before the server at `server`.
    pub(crate) async fn before(server: &str) -> Self {
        let (listener, server) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), server.to_owned());
        let (address, is_cut) = (listener.local_addr().unwrap().to_string(), Arc::new(AtomicBool::new(false)));
        let cut = Arc::clone(&is_cut);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(&server).await.unwrap();
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(carry(near_in, far_out, Arc::clone(&cut)));
                tokio::spawn(carry(far_in, near_out, Arc::clone(&cut)));
            }
        });
        Self { address, is_cut }
    }

    /// Whether octets are swallowed from now on.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
    }
}

/// Carries octets one way, but for those that come while the network is cut: they are gone.
async fn carry(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, is_cut: Arc<AtomicBool>) {
    let mut octets = Vec::with_capacity(4096);
    while let Ok(1..) = from.read_buf(&mut octets).await {
        if !is_cut.load(Ordering::SeqCst) && to.write_all(&octets).await.is_err() {
            break;
        }
        octets.clear();
    }
}
