use std::{
    io,
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll, ready},
};

use memchr::memmem::{self, Finder};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::transport::LINGER;
use crate::answer::unheard;

/// What ends every message without a body: an answer that the HTTP library made before there was a request.
const END_OF_HEAD: &[u8] = b"\r\n\r\n";
/// What every answer of ours has and none of the library's.
const OURS: &[u8] = b"cache-control: no-store\r\n";
/// Made once: making one takes longer than searching an answer with it.
static FIND_END_OF_HEAD: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(END_OF_HEAD));
static FIND_OURS: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(OURS));
/// What a client is told whose request did not arrive in time.
const REQUEST_TIMEOUT: u16 = 408;

/// A connection on which the library's own answers get what ours have.
///
/// A head that is malformed, too large or too slow is refused by the HTTP library itself: no request comes of it, so no
/// middleware sees it, and the library answers with a bare status line. That answer is the last one on its connection
/// and has no body; here, on its way to the socket, it is replaced by one that keeps the wire contract.
pub(super) struct Unheard<Io, N> {
    io: Io,
    /// Names the request that never was.
    new_id: N,
    /// The replacement, how much of it has been written, and how much it stands for.
    replacing: Option<Replacement>,
    /// Set once a refusal has gone out: how long the client may take to stop sending the head that was refused.
    lingering: Option<Pin<Box<Sleep>>>,
}

struct Replacement {
    octets: Vec<u8>,
    written: usize,
    stands_for: usize,
}

impl<Io, N> Unheard<Io, N> {
    pub(super) fn on(io: Io, new_id: N) -> Self {
        Self { io, new_id, replacing: None, lingering: None }
    }

    /// What it is on.
    pub(super) fn io(&self) -> &Io {
        &self.io
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin, N: Fn() -> uuid::Uuid + Unpin> AsyncWrite for Unheard<Io, N> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.replacing.is_none() {
            let Some(replacement) = replacement(octets, &this.new_id) else {
                return Pin::new(&mut this.io).poll_write(context, octets);
            };
            this.replacing = Some(Replacement { octets: replacement, written: 0, stands_for: octets.len() });
        }
        while let Some(replacing) = &mut this.replacing {
            let rest = replacing.octets.get(replacing.written..).unwrap_or_default();
            if rest.is_empty() {
                let stands_for = replacing.stands_for;
                this.replacing = None;
                this.lingering = Some(Box::pin(sleep(LINGER)));
                return Poll::Ready(Ok(stands_for));
            }
            let count = ready!(Pin::new(&mut this.io).poll_write(context, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            replacing.written += count;
        }
        Poll::Ready(Ok(0))
    }

    /// After a refusal, the connection counts as flushed once the client has stopped sending. The library closes it
    /// right afterwards, and closing while octets still come would reset it, and the answer with it.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(Pin::new(&mut this.io).poll_flush(context))?;
        let Some(lingering) = &mut this.lingering else { return Poll::Ready(Ok(())) };
        ready!(Pin::new(&mut this.io).poll_shutdown(context))?;
        let mut thrown_away = [0; 4096];
        while lingering.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut thrown_away);
            ready!(Pin::new(&mut this.io).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                break;
            }
        }
        this.lingering = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin, N: Fn() -> uuid::Uuid + Unpin> AsyncRead for Unheard<Io, N> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let read = ready!(Pin::new(&mut this.io).poll_read(context, buffer));
        if matches!(&read, Err(error) if error.kind() == io::ErrorKind::TimedOut)
            && let Some(answer) = unheard(REQUEST_TIMEOUT, (this.new_id)())
        {
            // Nothing has been written since the request began, so there is room for all of it; and if there is not, the
            // client has only lost the reason why the connection ends.
            let _as_much_as_fits = Pin::new(&mut this.io).poll_write(context, &answer);
        }
        Poll::Ready(read)
    }
}

/// Whether these octets are the head of one answer of ours and nothing else, as of every check by a gateway.
fn is_one_of_ours(octets: &[u8]) -> bool {
    let is_one = FIND_END_OF_HEAD.find(octets).is_some_and(|end| end + END_OF_HEAD.len() == octets.len());
    is_one && FIND_OURS.find(octets).is_some()
}

/// What to write instead of `octets`, if they end in an answer of the library's own.
fn replacement(octets: &[u8], new_id: impl Fn() -> uuid::Uuid) -> Option<Vec<u8>> {
    // Nearly every write ends in a body and is done with here.
    let head = octets.strip_suffix(END_OF_HEAD)?;
    if is_one_of_ours(octets) {
        return None;
    }
    let start = memmem::rfind(head, END_OF_HEAD).map_or(0, |end| end + END_OF_HEAD.len());
    let (before, last) = octets.split_at_checked(start)?;
    // Where a body stood before, the answer begins behind it.
    let (body_before, answer) = last.split_at_checked(memmem::rfind(last, b"HTTP/1.1 ")?)?;
    if FIND_OURS.find(answer).is_some() {
        return None;
    }
    let status = std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()?;
    let replacement = unheard(status, new_id())?;
    Some([before, body_before, &replacement].concat())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const BARE: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\ndate: x\r\n\r\n";

    async fn through(writes: &[&[u8]], pipe: usize) -> String {
        let (ours, mut theirs) = tokio::io::duplex(pipe);
        let reader = tokio::spawn(async move {
            let mut seen = String::new();
            theirs.read_to_string(&mut seen).await.unwrap();
            seen
        });
        let mut connection = Unheard::on(ours, uuid::Uuid::nil);
        for octets in writes {
            connection.write_all(octets).await.unwrap();
        }
        drop(connection);
        reader.await.unwrap()
    }

    #[tokio::test]
    async fn a_bare_refusal_is_replaced_however_slowly_it_is_written() {
        for pipe in [1, 7, 4096] {
            let seen = through(&[BARE], pipe).await;
            let (head, body) = seen.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
            for line in ["connection: close", "cache-control: no-store", "content-type: application/problem+json"] {
                assert!(head.contains(line), "{line} in {head}");
            }
            assert!(head.contains(&format!("content-length: {}", body.len())));
            assert!(body.contains("\"status\":400"));
        }
    }

    #[tokio::test]
    async fn what_stood_before_it_in_the_same_write_is_kept() {
        let first = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncache-control: no-store\r\n\r\n{}";
        let seen = through(&[&[&first[..], BARE].concat()], 4096).await;
        assert!(seen.starts_with(std::str::from_utf8(first).unwrap()));
        assert!(seen.contains("x-error: "));
    }

    #[tokio::test]
    async fn answers_of_ours_pass_untouched() {
        for ours in [
            &b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\ncache-control: no-store\r\n\r\n{}"[..],
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\ncache-control: no-store\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncache-control: no-store\r\n\r\nHTTP/1.1 401 Unauthorized\r\ncache-control: no-store\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncache-control: no-store\r\n\r\n",
        ] {
            assert_eq!(through(&[ours], 4096).await.as_bytes(), ours);
        }
    }
}
