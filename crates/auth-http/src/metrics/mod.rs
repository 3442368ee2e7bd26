//! What is counted and measured, and the page that tells it (`GET /metrics`).
//!
//! | module | what it holds |
//! |---|---|
//! | `routes` | requests and checks: a meter for every route, made when the route is |
//! | `page` | all of it as text, with what is asked for at that moment |
//!
//! Counting takes a few atomic additions: labels are looked up when something is counted for the first time, and nothing
//! is written out before somebody asks. The names are a promise to whoever has a dashboard: `docs/operations.md` lists
//! them, and a test compares.

mod page;
mod routes;

use std::time::Duration;

use auth_domain::{Delivered, Limit};
use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, core::Collector};

use crate::jobs::Job;
pub use page::{PoolState, RevocationLag, StoreState};
pub(crate) use routes::RouteMeter;

/// The upper bounds of the classes that durations are counted in, in seconds.
const DURATIONS: [f64; 14] = [0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// Tells what a store knows of itself and of nobody else.
pub type Probe = Box<dyn Fn() -> StoreState + Send + Sync>;

/// Everything that is counted in this process.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    checks: IntCounterVec,
    mails: IntCounterVec,
    throttled: [(Limit, IntCounter); Limit::ALL.len()],
    purged: IntCounter,
    job_restarts: IntCounterVec,
    unmatched: RouteMeter,
    probe: Probe,
}

impl Metrics {
    /// Nothing counted yet. `probe` is asked for the state of the store whenever the page is.
    pub fn new(probe: Probe) -> Self {
        let requests = sound(IntCounterVec::new(
            Opts::new("auth_http_requests_total", "Requests answered."),
            &["route", "method", "status"],
        ));
        let durations = sound(HistogramVec::new(
            HistogramOpts::new(
                "auth_http_request_duration_seconds",
                "Time from a request's head to the head of its answer.",
            )
            .buckets(DURATIONS.to_vec()),
            &["route", "method"],
        ));
        let checks = sound(IntCounterVec::new(
            Opts::new("auth_checks_total", "Checks answered, by what was asked and whether the credential is valid."),
            &["kind", "answer"],
        ));
        let mails = sound(IntCounterVec::new(
            Opts::new("auth_mails_total", "Attempts at mails, by how they ended."),
            &["outcome"],
        ));
        let throttled = sound(IntCounterVec::new(
            Opts::new("auth_throttled_total", "Requests answered 429, by the limit that held them back longest."),
            &["limit"],
        ));
        let purged = sound(IntCounter::new("auth_purged_rows_total", "Rows swept up after they had ended."));
        let job_restarts = sound(IntCounterVec::new(
            Opts::new("auth_job_restarts_total", "Background jobs begun anew after they had panicked."),
            &["job"],
        ));

        let registry = Registry::new();
        let collectors: [Box<dyn Collector>; 7] = [
            Box::new(requests.clone()),
            Box::new(durations.clone()),
            Box::new(checks.clone()),
            Box::new(mails.clone()),
            Box::new(throttled.clone()),
            Box::new(purged.clone()),
            Box::new(job_restarts.clone()),
        ];
        for collector in collectors {
            sound(registry.register(collector));
        }
        // What can happen stands there as 0 until it does: a rate needs something to rise from.
        for outcome in [Delivered::HandedOver, Delivered::Deferred, Delivered::GivenUp, Delivered::Overtaken] {
            mails.with_label_values(&[outcome_label(outcome)]);
        }
        for job in Job::ALL {
            job_restarts.with_label_values(&[job.as_str()]);
        }
        let throttled = Limit::ALL.map(|limit| (limit, throttled.with_label_values(&[limit.as_str()])));
        let unmatched = RouteMeter::of_unmatched(&requests, &durations);
        Self { registry, requests, durations, checks, mails, throttled, purged, job_restarts, unmatched, probe }
    }

    /// Counts the requests for the route at `path`, which answers `methods`; as checks of a kind, if it is one.
    pub(crate) fn route(&self, path: &str, methods: &[&'static str], check: Option<&str>) -> RouteMeter {
        RouteMeter::new(path, methods, &self.requests, &self.durations)
            .with_answers(check.map(|kind| (kind, &self.checks)))
    }

    /// Counts requests for which there is no route: all alike, whatever they asked for.
    pub(crate) fn unmatched(&self) -> &RouteMeter {
        &self.unmatched
    }

    /// Counts an attempt at a mail, be it a code, a notice or a decoy: which one it was would tell of an address whether it is
    /// known.
    pub(crate) fn attempted(&self, outcome: Delivered) {
        self.mails.with_label_values(&[outcome_label(outcome)]).inc();
    }

    /// Counts a request that a limit refused.
    pub(crate) fn throttled(&self, limit: Limit) {
        for (_, count) in self.throttled.iter().filter(|(counted, _)| *counted == limit) {
            count.inc();
        }
    }

    /// Counts a job that has panicked and begins anew.
    pub(crate) fn job_restarted(&self, job: Job) {
        self.job_restarts.with_label_values(&[job.as_str()]).inc();
    }

    /// How often it did.
    #[cfg(test)]
    pub(crate) fn job_restarts(&self, job: Job) -> u64 {
        self.job_restarts.with_label_values(&[job.as_str()]).get()
    }

    /// Counts rows that were swept up.
    pub(crate) fn purged(&self, rows: u64) {
        self.purged.inc_by(rows);
    }
}

fn outcome_label(outcome: Delivered) -> &'static str {
    match outcome {
        Delivered::HandedOver => "handed_over",
        Delivered::Deferred => "deferred",
        Delivered::GivenUp => "given_up",
        Delivered::Overtaken => "overtaken",
    }
}

/// What was made of constants: names that are valid, each of them once.
fn sound<T>(made: prometheus::Result<T>) -> T {
    made.unwrap_or_else(|wrong| unreachable!("{wrong}"))
}

/// A span of time in seconds, as everything here is.
fn seconds(span: Duration) -> f64 {
    span.as_secs_f64()
}
