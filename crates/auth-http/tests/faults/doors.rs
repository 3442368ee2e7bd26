//! The service as people see it: where its replicas listen, what comes by mail, and how everybody was answered.

use std::{
    net::SocketAddr,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    client::{Answer, Request},
    postbox::Postbox,
};

/// The ways into the service, one for each replica.
pub(crate) struct Doors {
    addresses: Vec<SocketAddr>,
    pub(crate) postbox: Postbox,
    counts: Mutex<Vec<Counts>>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Whether a credential is valid.
    Check,
    /// That something be done.
    Act,
}

/// How requests at one door were answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// 200 and 202.
    pub(crate) granted: usize,
    /// 401 and 404.
    pub(crate) refused: usize,
    /// 503, to checks.
    pub(crate) unknown_checks: usize,
    /// 503, to everything else.
    pub(crate) unavailable: usize,
    /// Not, or not to the end.
    pub(crate) unanswered: usize,
    /// When the last one was sent that was answered 503.
    last_unavailable: Option<Instant>,
    /// The longest time that an answer took.
    slowest: Duration,
}

impl Doors {
    pub(crate) fn at(addresses: Vec<SocketAddr>, postbox: Postbox) -> Self {
        let counts = Mutex::new(vec![Counts::default(); addresses.len()]);
        Self { addresses, postbox, counts }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.addresses.len()
    }

    /// What a request at `door` is answered; `None` when that says nothing about what has come of it: 503, or no answer.
    ///
    /// # Panics
    /// If the service says that something is wrong with itself, other than being unable to tell.
    pub(crate) fn ask(&self, door: usize, asked: Asked, request: &Request) -> Option<Answer> {
        let sent = Instant::now();
        let answer = request.send(self.addresses[door]);
        let took = sent.elapsed();
        let mut counts = self.counts();
        let counts = &mut counts[door];
        counts.slowest = counts.slowest.max(took);
        match answer {
            Some(answer) if matches!(answer.status, 200 | 202) => {
                counts.granted += 1;
                Some(answer)
            }
            Some(answer) if matches!(answer.status, 401 | 404) => {
                counts.refused += 1;
                Some(answer)
            }
            Some(Answer { status: 503, .. }) => {
                counts.last_unavailable = counts.last_unavailable.max(Some(sent));
                match asked {
                    Asked::Check => counts.unknown_checks += 1,
                    Asked::Act => counts.unavailable += 1,
                }
                None
            }
            Some(answer) => panic!("{answer:?}"),
            None => {
                counts.unanswered += 1;
                None
            }
        }
    }

    /// How many requests were answered how, at each door.
    pub(crate) fn counted(&self) -> Vec<Counts> {
        self.counts().clone()
    }

    /// How long after `moment` a request was still sent that was answered 503, at any door.
    pub(crate) fn unavailable_after(&self, moment: Instant) -> Duration {
        let last = self.counts().iter().filter_map(|counts| counts.last_unavailable).max();
        last.map_or(Duration::ZERO, |last| last.saturating_duration_since(moment))
    }

    /// Says for `test` what was counted.
    pub(crate) fn report(&self, test: &str) {
        for (door, counts) in self.counts().iter().enumerate() {
            let Counts { granted, refused, unknown_checks, unavailable, unanswered, slowest, .. } = counts;
            println!(
                "{test}: replica {door}: {granted} granted, {refused} refused, 503 to {unknown_checks} checks and \
                 {unavailable} others, {unanswered} unanswered, slowest {slowest:.1?}"
            );
        }
    }

    fn counts(&self) -> MutexGuard<'_, Vec<Counts>> {
        self.counts.lock().unwrap()
    }
}
