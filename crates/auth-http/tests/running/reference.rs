//! What a moment is on this machine, at this moment.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, Weak},
    thread,
    time::Duration,
};

use tokio::time::Instant;

/// How often whatever a promise is about waits for a processor, a timer or the network on its way, at most.
const STEPS: u32 = 20;

/// Measures how long a process waits for a processor, a timer and the network, over and over, until it is dropped.
///
/// A promise such as «back within two seconds» is about what the service does in this time. On a machine that is busy with
/// other things everything takes longer, and this says by how much.
pub(crate) struct Reference {
    longest: Arc<Mutex<Duration>>,
}

impl Reference {
    pub(crate) fn start() -> Self {
        let longest = Arc::new(Mutex::new(Duration::ZERO));
        let (one, other) = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (one, listener.accept().unwrap().0)
        };
        one.set_nodelay(true).unwrap();
        other.set_nodelay(true).unwrap();
        thread::spawn(move || echo(other));
        let measured = Arc::downgrade(&longest);
        thread::spawn(move || measure(one, &measured));
        Self { longest }
    }

    /// How long something may take here that takes `promised` on a machine with nothing else to do.
    pub(crate) fn allows(&self, promised: Duration) -> Duration {
        promised + *self.longest.lock().unwrap() * STEPS
    }
}

fn echo(mut stream: TcpStream) {
    let mut byte = [0];
    while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
}

fn measure(mut stream: TcpStream, measured: &Weak<Mutex<Duration>>) {
    let nap = Duration::from_millis(5);
    while let Some(longest) = measured.upgrade() {
        let begun = Instant::now();
        thread::sleep(nap);
        stream.write_all(&[0]).unwrap();
        stream.read_exact(&mut [0]).unwrap();
        let mut longest = longest.lock().unwrap();
        *longest = longest.max(begun.elapsed().saturating_sub(nap));
    }
}
