use std::{
    cell::Cell,
    io,
    mem::MaybeUninit,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most that is read at once, in octets, and how much may be read before it is seen what became of it.
const HELPING: usize = 2 * 1024;
/// Heads that may be read while a request is handled.
const HEADS_AHEAD: usize = 64;

/// A connection on which hardly more is read than is answered.
///
/// Of requests that are sent in one go, the HTTP library takes apart as many as it has the octets of. It has up to 128 KiB of
/// them, which are five thousand small requests and twenty megabytes once taken apart: kept while one of them is handled or
/// an answer is not taken, for each connection. Here it gets no more as long as it has something to do, except what can be the
/// body of the request that is handled.
pub(super) struct Helpings<Io> {
    io: Io,
    handling: Handling,
    /// Octets that were read since the library was last seen to have nothing to do.
    ahead: usize,
    /// Ends of heads in those of them that were read while a request was handled.
    heads: usize,
    is_at_start_of_line: bool,
    /// The library has looked at what was read, and has perhaps written something.
    turn: Turn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Over { wrote: bool },
    Reading { octets: usize, wrote: bool },
}

/// Whether a request on a connection is being handled.
#[derive(Debug, Clone, Default)]
pub(super) struct Handling(Rc<Cell<bool>>);

impl Handling {
    pub(super) fn set(&self, is_handled: bool) {
        self.0.set(is_handled);
    }
}

impl<Io> Helpings<Io> {
    /// From `io`, by what `handling` says.
    pub(super) fn of(io: Io, handling: Handling) -> Self {
        let turn = Turn::Over { wrote: false };
        Self { io, handling, ahead: 0, heads: 0, is_at_start_of_line: false, turn }
    }

    /// Whether a request is being handled, to be kept up to date by whoever handles it.
    pub(super) fn handling(&self) -> &Handling {
        &self.handling
    }

    /// How many octets have been read since the library last looked.
    fn begin_or_go_on(&mut self) -> usize {
        match self.turn {
            Turn::Reading { octets, .. } => octets,
            Turn::Over { wrote } => {
                if !wrote && !self.handling.0.get() {
                    // It had the opportunity to write and did not: it waits for more.
                    (self.ahead, self.heads) = (0, 0);
                }
                self.turn = Turn::Reading { octets: 0, wrote: false };
                0
            }
        }
    }

    fn wrote(&mut self) {
        self.turn = match self.turn {
            Turn::Over { .. } => Turn::Over { wrote: true },
            Turn::Reading { octets, .. } => Turn::Reading { octets, wrote: true },
        };
    }

    fn end(&mut self) {
        if let Turn::Reading { wrote, .. } = self.turn {
            self.turn = Turn::Over { wrote };
        }
    }

    fn count_heads(&mut self, octets: &[u8]) {
        for octet in octets {
            match octet {
                b'\n' => {
                    self.heads += usize::from(self.is_at_start_of_line);
                    self.is_at_start_of_line = true;
                }
                b'\r' => {}
                _ => self.is_at_start_of_line = false,
            }
        }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Helpings<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let octets = this.begin_or_go_on();
        let is_handled = this.handling.0.get();
        if this.ahead >= HELPING {
            if octets > 0 || !is_handled {
                // The library shall look first, or write what it still has.
                this.end();
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if this.heads >= HEADS_AHEAD {
                // Whoever handles the request wakes the library.
                this.end();
                return Poll::Pending;
            }
        }
        let mut helping = [const { MaybeUninit::uninit() }; HELPING];
        let mut helping = ReadBuf::uninit(helping.get_mut(..buffer.remaining().min(HELPING)).unwrap_or_default());
        let read = Pin::new(&mut this.io).poll_read(context, &mut helping);
        if read.is_pending() {
            this.end();
        }
        ready!(read)?;
        let read = helping.filled();
        buffer.put_slice(read);
        if this.ahead >= HELPING {
            this.count_heads(read);
        }
        this.ahead += read.len();
        if let Turn::Reading { octets, .. } = &mut this.turn {
            *octets += read.len();
        }
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Helpings<Io> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.wrote();
        Pin::new(&mut self.io).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// A connection on which this has been sent.
    async fn sent(octets: &[u8]) -> (Helpings<DuplexStream>, DuplexStream) {
        let (ours, mut client) = duplex(1_000_000);
        client.write_all(octets).await.unwrap();
        (Helpings::of(ours, Handling::default()), client)
    }

    /// What the library reads before it looks at it.
    async fn read(helpings: &mut Helpings<DuplexStream>) -> usize {
        // The runtime lets a task do so much at a time only.
        tokio::task::yield_now().await;
        let mut context = Context::from_waker(Waker::noop());
        let (mut octets, mut count) = ([0; 8192], 0);
        loop {
            let mut buffer = ReadBuf::new(&mut octets);
            if Pin::new(&mut *helpings).poll_read(&mut context, &mut buffer).is_pending() {
                return count;
            }
            count += buffer.filled().len();
        }
    }

    /// What the library reads in each of so many looks.
    async fn reads(helpings: &mut Helpings<DuplexStream>, count: usize) -> Vec<usize> {
        let mut reads = Vec::new();
        for _ in 0..count {
            reads.push(read(helpings).await);
        }
        reads
    }

    fn write(helpings: &mut Helpings<DuplexStream>) {
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(helpings).poll_write(&mut context, b"answer").is_ready());
    }

    #[tokio::test]
    async fn a_long_head_is_read_a_helping_at_a_time() {
        let (mut helpings, _client) = sent(&[b'x'; 5_000]).await;
        assert_eq!(reads(&mut helpings, 4).await, [2048, 2048, 904, 0]);
    }

    #[tokio::test]
    async fn as_long_as_there_is_something_to_write_nothing_is_read() {
        let (mut helpings, _client) = sent(&[b'x'; 5_000]).await;
        assert_eq!(read(&mut helpings).await, 2048);
        for _ in 0..3 {
            write(&mut helpings);
            assert_eq!(read(&mut helpings).await, 0);
        }
        assert_eq!(read(&mut helpings).await, 2048);
    }

    #[tokio::test]
    async fn a_request_that_is_handled_gets_its_body_and_not_many_requests_behind_it() {
        let (mut helpings, _client) = sent(&b" ".repeat(60_000)).await;
        helpings.handling().set(true);
        let body: usize = reads(&mut helpings, 100).await.iter().sum();
        assert_eq!(body, 60_000);

        let (mut helpings, _client) = sent(&b"GET / HTTP/1.1\nHost:\n\n".repeat(5_000)).await;
        helpings.handling().set(true);
        let ahead: usize = reads(&mut helpings, 100).await.iter().sum();
        assert_eq!(ahead, 2 * HELPING);
        helpings.handling().set(false);
        write(&mut helpings);
        assert_eq!(reads(&mut helpings, 2).await, [0, 2048]);
    }

    #[tokio::test]
    async fn a_client_that_asks_one_after_the_other_is_read_at_once() {
        let (mut helpings, mut client) = sent(b"").await;
        let mut delayed = 0;
        for _ in 0..100 {
            client.write_all(&[b'x'; 200]).await.unwrap();
            while read(&mut helpings).await == 0 {
                delayed += 1;
            }
            write(&mut helpings);
        }
        assert!(delayed <= 10, "{delayed} of 100 requests took another look");
    }
}
