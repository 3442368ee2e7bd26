use std::{
    cell::Cell,
    io,
    mem::{self, MaybeUninit},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use actix_web::web::Bytes;
use memchr::memchr_iter;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::spawn_local,
};

/// The most that is read at once, in bytes, and how much may be read before it is seen what became of it.
const HELPING: usize = 2 * 1024;
/// Heads that are handed on at once: each takes six kilobytes once taken apart.
const HEADS_AT_ONCE: usize = 16;
/// Heads are not looked for in what is shorter: those that a client sends one after the other cost nothing.
const SHORT: usize = 512;
/// Heads that may be read while a request is handled.
const HEADS_AHEAD: usize = 64;

/// A connection on which hardly more is read than is answered.
///
/// Of requests that are sent in one go, the HTTP library takes apart as many as it has the octets of. It has up to 128 KiB of
/// them, which are five thousand small requests and twenty megabytes once taken apart: kept while one of them is handled or
/// an answer is not taken, for each connection. Here it gets a few at a time, and no more as long as it has something to do,
/// except what can be the body of the request that is handled.
pub(super) struct Helpings<Io> {
    io: Io,
    handling: Handling,
    /// Octets that were read since the library was last seen to have nothing to do.
    ahead: usize,
    /// Ends of heads in those of them that were read while a request was handled.
    heads: usize,
    is_at_start_of_line: bool,
    /// What was read and is not handed on yet.
    held: Bytes,
    /// The client takes no answer at the moment.
    is_blocked: bool,
    /// The library has looked at what was read, and has perhaps written something.
    turn: Turn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Over { wrote: bool },
    Reading { octets: usize, wrote: bool },
}

/// What a connection and whoever handles its requests tell each other.
#[derive(Clone, Default)]
pub(super) struct Handling(Rc<State>);

#[derive(Default)]
struct State {
    /// A request is being handled.
    is_handled: Cell<bool>,
    /// A request has been handled since the runtime last turned to this connection.
    had_its_turn: Cell<bool>,
    /// A request waits for others to have their turn.
    lets_others_go_first: Cell<bool>,
    /// Whoever is to read on once the request is handled.
    reader: Cell<Option<Waker>>,
}

impl Handling {
    /// Handles a request by `handle`, after every other connection that has something to do if this one has just had its turn.
    ///
    /// The HTTP library handles all requests that it has read without giving way: ninety small ones that were sent in one go,
    /// for each of many connections, would keep a client that sends one waiting for all of them.
    ///
    /// # Panics
    /// Outside of a `LocalSet`, which the HTTP library's workers are.
    pub(super) async fn fairly<T>(self, handle: impl Future<Output = T>) -> T {
        self.0.is_handled.set(true);
        if self.0.had_its_turn.replace(true) {
            // A task that is queued behind all that are ready now. To yield would not do: that ends when this connection is
            // woken, and it is for other reasons as well.
            self.0.lets_others_go_first.set(true);
            let _ended = spawn_local(async {}).await;
            self.0.lets_others_go_first.set(false);
            self.0.had_its_turn.set(true);
            // The request may wait for its body, which nobody has read meanwhile.
            self.wake_reader();
        }
        let handled = handle.await;
        self.0.is_handled.set(false);
        self.wake_reader();
        handled
    }

    fn wake_reader(&self) {
        if let Some(reader) = self.0.reader.take() {
            reader.wake();
        }
    }

    /// Wakes whoever reads once the request is handled.
    fn wakes_when_handled(&self, reader: &Waker) {
        self.0.reader.set(Some(reader.clone()));
    }

    fn is_handled(&self) -> bool {
        self.0.is_handled.get()
    }

    /// The library reads before it handles anything.
    fn begin_turn(&self) {
        self.0.had_its_turn.set(false);
    }
}

impl<Io> Helpings<Io> {
    /// From `io`, by what `handling` says.
    pub(super) fn of(io: Io, handling: Handling) -> Self {
        let turn = Turn::Over { wrote: false };
        Self {
            io,
            handling,
            ahead: 0,
            heads: 0,
            is_at_start_of_line: false,
            held: Bytes::new(),
            is_blocked: false,
            turn,
        }
    }

    /// For whoever handles its requests.
    pub(super) fn handling(&self) -> &Handling {
        &self.handling
    }

    /// How many octets have been read since the library last looked.
    fn begin_or_go_on(&mut self) -> usize {
        match self.turn {
            Turn::Reading { octets, .. } => octets,
            Turn::Over { wrote } => {
                if !wrote && !self.handling.is_handled() {
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

    /// Takes note of what the library gets.
    fn handed_on(&mut self, bytes: &[u8]) {
        if self.ahead >= HELPING {
            self.count_heads(bytes);
        }
        self.ahead += bytes.len();
        if let Turn::Reading { octets, .. } = &mut self.turn {
            *octets += bytes.len();
        }
    }

    /// Keeps what the library gets once it has nothing else to do.
    fn hold(&mut self, later: Bytes) {
        if !later.is_empty() {
            self.ahead = self.ahead.max(HELPING);
        }
        self.held = later;
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

/// The first heads in `bytes`, as many as are handed on at once, and what follows them.
fn first_heads(bytes: &[u8]) -> (&[u8], &[u8]) {
    if bytes.len() <= SHORT {
        return (bytes, &[]);
    }
    let (mut heads, mut line) = (0, 0);
    for end in memchr_iter(b'\n', bytes) {
        let is_blank = matches!(bytes.get(line..end), Some([] | [b'\r'])) && line > 0;
        line = end + 1;
        heads += usize::from(is_blank);
        if heads == HEADS_AT_ONCE {
            return bytes.split_at_checked(line).unwrap_or((bytes, &[]));
        }
    }
    (bytes, &[])
}

impl<Io: AsyncRead + Unpin> AsyncRead for Helpings<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.handling.begin_turn();
        let octets = this.begin_or_go_on();
        let is_handled = this.handling.is_handled();
        if this.ahead >= HELPING {
            if octets > 0 || !is_handled {
                // The library shall look first, or write what it still has. Where nothing can be written, whoever takes it wakes
                // the library, and nobody else should: it would ask again without end.
                this.end();
                if !this.is_blocked {
                    context.waker().wake_by_ref();
                }
                return Poll::Pending;
            }
            if this.heads >= HEADS_AHEAD || this.handling.0.lets_others_go_first.get() {
                this.handling.wakes_when_handled(context.waker());
                this.end();
                return Poll::Pending;
            }
        }
        if this.held.is_empty() {
            let mut helping = [const { MaybeUninit::uninit() }; HELPING];
            let mut helping = ReadBuf::uninit(helping.get_mut(..buffer.remaining().min(HELPING)).unwrap_or_default());
            let read = Pin::new(&mut this.io).poll_read(context, &mut helping);
            if read.is_pending() {
                this.end();
            }
            ready!(read)?;
            let (now, later) = first_heads(helping.filled());
            buffer.put_slice(now);
            this.handed_on(now);
            this.hold(Bytes::copy_from_slice(later));
        } else {
            let mut held = mem::take(&mut this.held);
            let (now, _later) = first_heads(&held);
            let now = held.split_to(now.len().min(buffer.remaining()));
            buffer.put_slice(&now);
            this.handed_on(&now);
            this.hold(held);
        }
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Helpings<Io> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.wrote();
        let written = Pin::new(&mut self.io).poll_write(context, octets);
        self.is_blocked = written.is_pending();
        written
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
    use std::{
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
    };

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        task::LocalSet,
    };

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
    async fn of_many_requests_that_are_sent_at_once_a_few_are_handed_on_at_a_time_and_all_in_the_end() {
        let sending = (0..200).map(|number| format!("GET /{number:03} HTTP/1.1\r\n\r\n")).collect::<Vec<_>>().concat();
        let (mut helpings, client) = sent(sending.as_bytes()).await;
        drop(client);
        let (mut received, mut context) = (Vec::new(), Context::from_waker(Waker::noop()));
        loop {
            tokio::task::yield_now().await;
            let mut octets = [0; 8192];
            let mut buffer = ReadBuf::new(&mut octets);
            if Pin::new(&mut helpings).poll_read(&mut context, &mut buffer).is_ready() {
                if buffer.filled().is_empty() {
                    break;
                }
                assert!(buffer.filled().len() <= SHORT, "{}", buffer.filled().len());
                received.extend_from_slice(buffer.filled());
            }
        }
        assert_eq!(received, sending.as_bytes());
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
        helpings.handling().0.is_handled.set(true);
        let body: usize = reads(&mut helpings, 100).await.iter().sum();
        assert_eq!(body, 60_000);

        let (mut helpings, _client) = sent(&b"GET / HTTP/1.1\nHost:\n\n".repeat(5_000)).await;
        helpings.handling().0.is_handled.set(true);
        let ahead: usize = reads(&mut helpings, 100).await.iter().sum();
        assert_eq!(ahead, (HEADS_AT_ONCE + HEADS_AHEAD) * 22);
        helpings.handling().0.is_handled.set(false);
        write(&mut helpings);
        let next = reads(&mut helpings, 2).await;
        assert!(next[0] == 0 && (1..SHORT + HEADS_AT_ONCE * 22).contains(&next[1]), "{next:?}");
    }

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn who_stops_reading_ahead_reads_on_once_the_request_is_handled() {
        let (mut helpings, _client) = sent(&b"GET / HTTP/1.1\nHost:\n\n".repeat(5_000)).await;
        let handling = helpings.handling().clone();
        let library = Arc::new(Woken::default());
        let woken = || library.0.load(Ordering::Relaxed);
        let reads_ahead = async {
            while read(&mut helpings).await > 0 {}
            let (waker, mut bytes) = (Waker::from(Arc::clone(&library)), [0; 100]);
            let mut context = Context::from_waker(&waker);
            assert!(Pin::new(&mut helpings).poll_read(&mut context, &mut ReadBuf::new(&mut bytes)).is_pending());
            woken()
        };
        assert_eq!((handling.fairly(reads_ahead).await, woken()), (0, 1));
    }

    #[tokio::test]
    async fn of_requests_that_were_read_at_once_each_lets_others_go_first_but_the_first_one() {
        let (mut helpings, _client) = sent(b"many requests").await;
        let handling = helpings.handling().clone();
        let requests = async {
            assert_eq!(read(&mut helpings).await, 13);
            let others = Rc::new(Cell::new(0));
            let another_one_is_ready = || {
                let others = Rc::clone(&others);
                spawn_local(async move { others.set(others.get() + 1) });
            };
            for expected in 0..3 {
                assert_eq!(handling.clone().fairly(async { others.get() }).await, expected);
                another_one_is_ready();
            }
            assert_eq!(read(&mut helpings).await, 0);
            another_one_is_ready();
            assert_eq!(handling.fairly(async { others.get() }).await, 3, "this is the first one of another turn");
        };
        LocalSet::new().run_until(requests).await;
    }

    #[tokio::test]
    async fn a_request_that_let_others_go_first_gets_its_body() {
        let sending = [b"GET / HTTP/1.1\nHost:\n\n".repeat(40), b"x".repeat(600)].concat();
        let (mut helpings, _client) = sent(&sending).await;
        let handling = helpings.handling().clone();
        let handles = async {
            assert!(read(&mut helpings).await > 0);
            handling.clone().fairly(async {}).await;
            let library = Arc::new(Woken::default());
            let waker = Waker::from(Arc::clone(&library));
            let (mut context, mut bytes) = (Context::from_waker(&waker), [0; 100]);
            let mut handled = pin!(handling.clone().fairly(std::future::pending::<()>()));
            assert!(handled.as_mut().poll(&mut context).is_pending());
            let before = library.0.load(Ordering::Relaxed);
            assert!(Pin::new(&mut helpings).poll_read(&mut context, &mut ReadBuf::new(&mut bytes)).is_pending());
            // The others have had their turn.
            tokio::task::yield_now().await;
            assert!(handled.as_mut().poll(&mut context).is_pending());
            assert!(library.0.load(Ordering::Relaxed) > before, "it is read on");
            assert!(Pin::new(&mut helpings).poll_read(&mut context, &mut ReadBuf::new(&mut bytes)).is_ready());
        };
        LocalSet::new().run_until(handles).await;
    }

    #[tokio::test]
    async fn while_the_client_takes_no_answer_nobody_asks_again() {
        let (ours, mut client) = duplex(8192);
        let mut helpings = Helpings::of(ours, Handling::default());
        client.write_all(&[b'x'; 5000]).await.unwrap();
        assert_eq!(read(&mut helpings).await, 2048);
        let library = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&library));
        let (mut context, mut bytes) = (Context::from_waker(&waker), [0; 100]);
        let mut ask = |helpings: &mut Helpings<DuplexStream>, context: &mut Context<'_>| {
            let before = library.0.load(Ordering::Relaxed);
            assert!(Pin::new(helpings).poll_read(context, &mut ReadBuf::new(&mut bytes)).is_pending());
            library.0.load(Ordering::Relaxed) - before
        };
        assert!(Pin::new(&mut helpings).poll_write(&mut context, b"y").is_ready());
        assert_eq!(ask(&mut helpings, &mut context), 1);
        while Pin::new(&mut helpings).poll_write(&mut context, &[b'y'; 1000]).is_ready() {}
        assert_eq!(ask(&mut helpings, &mut context), 0);
        client.read_exact(&mut [0; 2000]).await.unwrap();
        assert!(Pin::new(&mut helpings).poll_write(&mut context, b"y").is_ready());
        assert_eq!(ask(&mut helpings, &mut context), 1);
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
