//! What is waited for, and how long at most: each part of a call for less than the call.

use std::time::Duration;

/// How long a call may take, and what that leaves for its parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    call: Duration,
}

impl Timeouts {
    pub(crate) fn of_a_call(call: Duration) -> Self {
        Self { call }
    }

    /// Until a caller is answered, the wait for a connection included.
    pub(crate) fn call(self) -> Duration {
        self.call
    }

    /// For a statement, and for a lock that it waits for. Less than for a call, so that it is the server that gives up.
    pub(crate) fn statement(self) -> Duration {
        self.call * 9 / 10
    }

    /// For making a connection, name resolution and encryption included. A server that has not answered in five seconds is not about to:
    /// whoever has more time tries again.
    pub(crate) fn connecting(self) -> Duration {
        (self.call * 7 / 10).min(Duration::from_secs(5))
    }

    /// For asking about checks, connecting included. Who finds a dead connection is not the last one to do so, and who comes next
    /// should be answered within two seconds of the database's return.
    pub(crate) fn look_up(self) -> Duration {
        self.call / 2
    }

    /// For the turn of whoever asks for what others ask for too: what is begun afterwards has time to end.
    pub(crate) fn turn(self) -> Duration {
        self.call / 3
    }

    /// For a transaction in which nothing is asked, until it loses its locks. Its process is gone or cannot be heard, and others
    /// wait for what it holds: less than they do.
    pub(crate) fn idle_in_transaction(self) -> Duration {
        self.call / 3
    }
}
