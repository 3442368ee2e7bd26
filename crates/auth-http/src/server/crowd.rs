use std::{
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Open files that are not connections of clients: the database, mail, the log, the listener.
const OTHER_FILES: u64 = 256;

/// How many connections are open, and how many there can be.
#[derive(Debug)]
pub(super) struct Crowd {
    open: AtomicUsize,
    most: usize,
}

/// A connection's place in a crowd, which it leaves when this is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Crowd>);

impl Crowd {
    /// Nobody yet, of `most` at most.
    pub(super) fn of_at_most(most: usize) -> Arc<Self> {
        Arc::new(Self { open: AtomicUsize::new(0), most })
    }

    /// One more. Whether there is room is the listener's business.
    pub(super) fn enter(self: &Arc<Self>) -> Place {
        self.open.fetch_add(1, Ordering::Relaxed);
        Place(Arc::clone(self))
    }
}

impl Place {
    /// Whether more than three quarters of the places are taken.
    pub(super) fn is_in_a_crowd(&self) -> bool {
        self.0.open.load(Ordering::Relaxed) > self.0.most / 4 * 3
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lets this process open as many files as it may, and returns how many connections there is room for: `wanted`, or fewer.
///
/// A process that runs out of files accepts nobody at all until some are closed, honest clients included.
pub(super) fn room_for(wanted: NonZero<u32>) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let files = if raised.is_ok() { maximum } else { current };
    let wanted = u64::from(wanted.get());
    // No limit at all is `None`.
    let room = files.map_or(wanted, |files| files.saturating_sub(OTHER_FILES).clamp(1, wanted));
    if room < wanted {
        warn!(connections = room, wanted, "this process may not open as many files as http.connections takes");
    }
    usize::try_from(room).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_crowded_when_more_than_three_quarters_of_the_places_are_taken() {
        let crowd = Crowd::of_at_most(8);
        let mut places: Vec<_> = (0..6).map(|_| crowd.enter()).collect();
        assert!(!places[0].is_in_a_crowd());
        places.push(crowd.enter());
        assert!(places[0].is_in_a_crowd());
        places.pop();
        assert!(!places[0].is_in_a_crowd());
    }
}
