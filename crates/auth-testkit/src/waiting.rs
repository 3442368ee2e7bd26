//! Waiting for what happens, however long a machine takes for it, and time that passes only when a test lets it.

use std::{
    sync::mpsc::{Sender, channel},
    thread,
    time::{Duration, Instant},
};

use tokio::task::spawn_blocking;

/// How long anything is waited for that never comes: then a test fails, where it would never end. Nothing that is as it should
/// be takes so long on any machine.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Patience with something, which ends at some time.
pub struct Patience {
    what: String,
    began: Instant,
}

impl Patience {
    /// Patience with `what` from now on.
    #[expect(clippy::disallowed_methods, reason = "it ends also where a test has stopped time")]
    pub fn with(what: impl Into<String>) -> Self {
        Self { what: what.into(), began: Instant::now() }
    }

    /// Waits a moment of real time, also where a test has stopped it. Panics once patience has ended.
    pub async fn moment(&self) {
        self.check();
        let _slept = spawn_blocking(|| thread::sleep(Duration::from_millis(1))).await;
    }

    /// The same for a thread of its own.
    pub fn block_for_a_moment(&self) {
        self.check();
        thread::sleep(Duration::from_millis(20));
    }

    fn check(&self) {
        assert!(self.began.elapsed() < PATIENCE, "{}: it does not come", self.what);
    }
}

/// Waits until something is so.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let patience = Patience::with(what);
    while !is_so() {
        patience.moment().await;
    }
}

/// Keeps time where it is: nothing runs out but what a test lets run out, however long the machine takes for everything else.
///
/// Tokio's paused clock leaps to the next moment that somebody waits for as soon as there is nothing to do, even if a socket is
/// about to have something. It does not while a blocking task is under way, and this is one.
///
/// To be made first thing in a test with `start_paused = true`; `tokio::time::advance` lets time pass.
pub struct StoppedTime {
    // The task ends when this is dropped.
    held: Option<Sender<()>>,
}

impl StoppedTime {
    /// Stops time until this is dropped.
    pub fn begin() -> Self {
        Self { held: Some(hold()) }
    }

    /// Does `work` while time leaps: for what nothing but time ends.
    pub async fn leaping<T>(&mut self, work: impl Future<Output = T>) -> T {
        self.held = None;
        let outcome = work.await;
        self.held = Some(hold());
        outcome
    }
}

fn hold() -> Sender<()> {
    let (held, ended) = channel();
    // A test that waits for what time alone would bring fails on it in the end.
    spawn_blocking(move || ended.recv_timeout(PATIENCE));
    held
}
