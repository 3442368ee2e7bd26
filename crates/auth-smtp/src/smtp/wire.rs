use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::{
    io::{AsyncBufRead, AsyncRead, AsyncWrite, BufReader, ReadBuf},
    net::TcpStream,
};

/// A socket to a mail server, of which no read goes beyond the end of a line.
///
/// lettre keeps what it has read when the connection becomes encrypted. Somebody in between could append lines of their
/// own to the server's answer to STARTTLS, and have them taken for answers that came encrypted (CVE-2021-38371 was the
/// same in another program). This way such lines are still here when encryption begins, and break it.
#[derive(Debug)]
pub(super) struct Wire(BufReader<TcpStream>);

impl Wire {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self(BufReader::new(socket))
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.0).poll_fill_buf(context))?;
        let line = read.split_inclusive(|octet| *octet == b'\n').next().unwrap_or_default();
        let taken = line.len().min(into.remaining());
        into.put_slice(line.get(..taken).unwrap_or_default());
        Pin::new(&mut self.0).consume(taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.0.get_mut()).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.0.get_mut()).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.0.get_mut()).poll_shutdown(context)
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().peer_addr()
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn a_read_ends_with_the_line_and_nothing_is_lost() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut wire = Wire::new(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.write_all(b"220 one\r\n250 two\r\nrest").await.unwrap();
        drop(peer);
        let mut buffer = [0; 64];
        for expected in [&b"220 one\r\n"[..], b"250 two\r\n", b"rest", b""] {
            let read = wire.read(&mut buffer).await.unwrap();
            assert_eq!(buffer.get(..read).unwrap(), expected);
        }
    }
}
