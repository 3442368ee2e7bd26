use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use super::crowd::Place;

/// How often it is looked for how long a client has kept us waiting. Everything below is up to one of these longer.
const TICK: Duration = Duration::from_secs(5);
/// Ticks for the rest of a request, from its first octet to its answer: longer than the library gives the first head of a
/// connection (5 s) and than extractors give a body (10 s), which have an answer of their own.
const FOR_A_REST: u8 = 4;
/// Ticks for reading what was answered.
const FOR_READING: u8 = 12;
/// Ticks for another request: longer than the library keeps an idle connection (75 s), for those that it does not end.
const FOR_ANOTHER: u8 = 16;
/// The same when most connections are taken.
const FOR_ANOTHER_IN_A_CROWD: u8 = 1;

/// A connection that is given up when its client keeps us waiting.
///
/// The HTTP library limits how long the first head of a connection takes and how long nothing is sent between requests. It
/// does not limit later heads, bodies that nobody reads, and answers that the client does not take: with any of these, a
/// client could hold a connection for ever, for next to nothing.
pub(super) struct Patience<Io> {
    io: Io,
    waiting: WaitingFor,
    /// How many ticks it has been so; no clock is asked on the way of a request.
    ticks: u8,
    tick: Pin<Box<Sleep>>,
    place: Place,
}

/// What the client could do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaitingFor {
    /// Nothing is begun; it may ask for something.
    Request,
    /// It has begun a request that is not answered; the rest of it is to come.
    Rest,
    /// It has not taken all that was answered.
    Reader,
}

impl<Io> Patience<Io> {
    /// With the connection on `io`, which has this place among all of them.
    pub(super) fn with(io: Io, place: Place) -> Self {
        Self { io, waiting: WaitingFor::Request, ticks: 0, tick: Box::pin(sleep(TICK)), place }
    }

    fn waits(&mut self, waiting: WaitingFor) {
        (self.waiting, self.ticks) = (waiting, 0);
    }

    /// Ready when the client has kept us waiting for too long.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.tick.as_mut().poll(context).is_ready() {
            self.ticks += 1;
            let at_most = match self.waiting {
                WaitingFor::Request if self.place.is_in_a_crowd() => FOR_ANOTHER_IN_A_CROWD,
                WaitingFor::Request => FOR_ANOTHER,
                WaitingFor::Rest => FOR_A_REST,
                WaitingFor::Reader => FOR_READING,
            };
            if self.ticks > at_most {
                return Poll::Ready(());
            }
            self.tick.as_mut().reset(Instant::now() + TICK);
        }
        Poll::Pending
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Patience<Io> {
    /// A client that has said nothing for too long counts as gone; one that owes the rest of a request is
    /// [`io::ErrorKind::TimedOut`]. While it does not take its answers, nothing is read.
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = if this.waiting == WaitingFor::Reader {
            // Being able to write wakes the library, and it comes back here.
            Poll::Pending
        } else {
            Pin::new(&mut this.io).poll_read(context, buffer)
        };
        if read.is_pending() {
            return this.poll_end(context).map(|()| match this.waiting {
                WaitingFor::Request => Ok(()),
                WaitingFor::Rest | WaitingFor::Reader => Err(io::ErrorKind::TimedOut.into()),
            });
        }
        if this.waiting == WaitingFor::Request && buffer.filled().len() > before {
            this.waits(WaitingFor::Rest);
        }
        read
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Patience<Io> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.io).poll_write(context, octets);
        if written.is_pending() {
            if this.waiting != WaitingFor::Reader {
                this.waits(WaitingFor::Reader);
            }
            return this.poll_end(context).map(|()| Err(io::ErrorKind::TimedOut.into()));
        }
        if this.waiting != WaitingFor::Reader {
            this.waits(WaitingFor::Request);
        }
        written
    }

    /// Asked for once all of an answer is written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        if flushed.is_ready() && self.waiting == WaitingFor::Reader {
            self.waits(WaitingFor::Request);
            // Nothing was read meanwhile, so nothing that comes in would wake the library.
            context.waker().wake_by_ref();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::{super::crowd::Crowd, *};

    /// A connection among `most`, and its client.
    fn connection(most: usize) -> (Patience<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(64);
        (Patience::with(ours, Crowd::of_at_most(most).enter()), theirs)
    }

    /// How long it takes until reading ends, and whether it ends well.
    async fn reading(patience: &mut Patience<DuplexStream>) -> (u64, bool) {
        let begun = Instant::now();
        let mut all = Vec::new();
        let ended_well = patience.read_to_end(&mut all).await.is_ok();
        (begun.elapsed().as_secs(), ended_well)
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_is_let_go() {
        let (mut patience, _client) = connection(100);
        assert_eq!(reading(&mut patience).await, (85, true));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_in_a_crowd_is_let_go_soon() {
        let (mut patience, _client) = connection(1);
        assert_eq!(reading(&mut patience).await, (10, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_trickles_in_is_given_up() {
        let (mut patience, mut client) = connection(100);
        let trickling = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        assert_eq!(reading(&mut patience).await, (25, false));
        drop(patience);
        trickling.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn each_answer_begins_a_new_wait() {
        let (mut patience, mut client) = connection(100);
        for _ in 0..20 {
            client.write_all(b"request").await.unwrap();
            sleep(Duration::from_secs(4)).await;
            patience.read_exact(&mut [0; 7]).await.unwrap();
            patience.write_all(b"answer").await.unwrap();
            patience.flush().await.unwrap();
            client.read_exact(&mut [0; 6]).await.unwrap();
            sleep(Duration::from_mins(1)).await;
        }
    }

    #[tokio::test]
    async fn nothing_is_read_from_who_does_not_read() {
        let (mut patience, mut client) = connection(100);
        client.write_all(b"another").await.unwrap();
        let mut context = Context::from_waker(Waker::noop());
        while Pin::new(&mut patience).poll_write(&mut context, b"answer").is_ready() {}
        let mut octets = [0; 10];
        assert!(Pin::new(&mut patience).poll_read(&mut context, &mut ReadBuf::new(&mut octets)).is_pending());
        client.read_exact(&mut [0; 64]).await.unwrap();
        patience.flush().await.unwrap();
        assert_eq!(patience.read(&mut octets).await.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_reads_is_given_up() {
        let (mut patience, _client) = connection(100);
        let begun = Instant::now();
        let error = patience.write_all(&[b'x'; 1000]).await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed().as_secs()), (io::ErrorKind::TimedOut, 65));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_read_a_little_at_a_time_is_given_up_too() {
        let (mut patience, mut client) = connection(100);
        let sipping = tokio::spawn(async move {
            while client.read_exact(&mut [0; 8]).await.is_ok() {
                sleep(Duration::from_secs(3)).await;
            }
        });
        assert!(patience.write_all(&[b'x'; 1000]).await.is_err());
        drop(patience);
        sipping.await.unwrap();
    }
}
