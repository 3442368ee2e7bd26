//! What a store waits for, and how long at most: each part of a call for less than the call.

use std::time::Duration;

/// How long a call may take, and what that leaves for its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    call: Duration,
}

impl Timeouts {
    /// What a call may take where nobody says otherwise.
    pub const USUAL_CALL: Duration = Duration::from_millis(2800);

    /// Those of calls that may take as long as `call`.
    pub const fn of_a_call(call: Duration) -> Self {
        Self { call }
    }

    /// Until a caller is answered, all waiting included.
    pub fn call(self) -> Duration {
        self.call
    }

    /// For a statement, and for a lock that it waits for. Less than for a call, so that it is the database that gives up.
    pub fn statement(self) -> Duration {
        self.call * 9 / 10
    }

    /// For making a connection, name resolution and encryption included. A server that has not answered in five seconds is not about to:
    /// whoever has more time tries again.
    pub fn connecting(self) -> Duration {
        (self.call * 7 / 10).min(Duration::from_secs(5))
    }

    /// For asking about checks, connecting included. Who finds a dead connection is not the last one to do so, and who comes next
    /// should be answered within two seconds of the database's return.
    pub fn look_up(self) -> Duration {
        self.call / 2
    }

    /// For the turn of whoever asks for what others ask for too: what is begun afterwards has time to end.
    pub fn turn(self) -> Duration {
        self.call / 3
    }

    /// For a transaction in which nothing is asked, until it loses its locks. Its process is gone or cannot be heard, and others
    /// wait for what it holds: less than they do.
    pub fn idle_in_transaction(self) -> Duration {
        self.call / 3
    }
}
