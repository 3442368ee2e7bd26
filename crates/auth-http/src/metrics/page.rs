use std::time::Duration;

use auth_domain::{Backlog, Timestamp};
use prometheus::{Gauge, GaugeVec, IntCounter, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use super::{Metrics, seconds, sound};
use crate::service::Service;

/// What a store tells of itself besides what every store does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreState {
    /// Its connections, if it has a pool of them.
    pub pool: Option<PoolState>,
    /// How long it takes to hear what other processes revoke, if it measures that.
    pub revocation_lag: Option<RevocationLag>,
}

/// A pool of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolState {
    /// Connections that somebody uses.
    pub in_use: usize,
    /// Those that nobody uses.
    pub idle: usize,
    /// Calls that wait for one.
    pub waiting: usize,
}

/// How long it takes to hear what other processes revoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevocationLag {
    /// The last time.
    pub last: Duration,
    /// The longest time since the process began.
    pub maximum: Duration,
}

impl Metrics {
    /// All there is to tell at `now`, in Prometheus' text format. `backlog` is `None` when the store did not tell it: what
    /// only the store knows is left out then, rather than told as it once was.
    pub(crate) fn page(&self, service: &Service, backlog: Option<Backlog>, now: Timestamp) -> String {
        let moment = Moment(Registry::new());
        moment.labelled(
            "auth_build_info",
            "1, with the version of this build.",
            "version",
            &[(env!("CARGO_PKG_VERSION"), 1)],
        );
        moment.number("auth_store_up", "Whether the store answers: 1 or 0.", u64::from(backlog.is_some()));
        moment.cache(service);
        moment.store(&(self.probe)(), service);
        moment.pacing(service);
        if let Some(backlog) = backlog {
            moment.backlog(&backlog, now);
        }
        let mut families = self.registry.gather();
        families.extend(moment.0.gather());
        families.sort_by(|one, other| one.name().cmp(other.name()));
        sound(TextEncoder::new().encode_to_string(&families))
    }
}

/// What is asked for when the page is, and forgotten with it.
struct Moment(Registry);

impl Moment {
    fn cache(&self, service: &Service) {
        let memory = service.checks.memory();
        let counts = memory.counts();
        self.counter("auth_cache_hits_total", "Checks answered from memory.", counts.hits());
        self.counter("auth_cache_misses_total", "Checks for which the store was asked.", counts.misses());
        self.counter(
            "auth_cache_bypassed_total",
            "Checks for which the store was asked because the memory could not be believed.",
            counts.bypassed(),
        );
        self.number("auth_cache_entries", "Credentials in memory.", count(memory.len()));
    }

    fn store(&self, state: &StoreState, service: &Service) {
        // A store that does not measure it still proves now and then that it has missed nothing. Where nothing is
        // remembered, nothing needs to be heard.
        let last = state.revocation_lag.map(|lag| lag.last).or_else(|| service.checks.memory().heard_ago());
        self.duration(
            "auth_revocation_lag_seconds",
            "Time it takes to hear what another process revokes.",
            last.unwrap_or_default(),
        );
        if let Some(lag) = state.revocation_lag {
            self.duration(
                "auth_revocation_lag_max_seconds",
                "The longest such time since the process began.",
                lag.maximum,
            );
        }
        if let Some(pool) = state.pool {
            self.labelled(
                "auth_pool_connections",
                "Connections to the database server, by their state.",
                "state",
                &[("in_use", count(pool.in_use)), ("idle", count(pool.idle))],
            );
            self.number("auth_pool_waiting", "Calls that wait for a connection.", count(pool.waiting));
        }
    }

    fn pacing(&self, service: &Service) {
        let intervals = Opts::new("auth_response_pacing_seconds", "Interval at which answers leave, by what is paced.");
        let intervals = sound(GaugeVec::new(intervals, &["request"]));
        for (request, interval) in service.pacer.intervals() {
            intervals.with_label_values(&[request]).set(seconds(interval));
        }
        sound(self.0.register(Box::new(intervals)));
    }

    fn backlog(&self, backlog: &Backlog, now: Timestamp) {
        // Together: whether a code, a notice or a decoy was owed would tell of an address whether it is known.
        let owed = backlog.codes.saturating_add(backlog.notices).saturating_add(backlog.decoys);
        self.number("auth_outbox_owed", "Mails that are owed, up to 10000 of each class.", owed);
        self.duration(
            "auth_outbox_oldest_seconds",
            "Age of the oldest mail that is owed, 0 if there is none.",
            age(backlog.owed_since, now),
        );
        self.duration(
            "auth_cleanup_lag_seconds",
            "Time since something ended that was not swept up yet, 0 if there is nothing.",
            age(backlog.ended_since, now),
        );
    }

    fn counter(&self, name: &str, help: &str, value: u64) {
        let counter = sound(IntCounter::new(name, help));
        counter.inc_by(value);
        sound(self.0.register(Box::new(counter)));
    }

    fn number(&self, name: &str, help: &str, value: u64) {
        let gauge = sound(IntGauge::new(name, help));
        gauge.set(whole(value));
        sound(self.0.register(Box::new(gauge)));
    }

    fn duration(&self, name: &str, help: &str, span: Duration) {
        let gauge = sound(Gauge::new(name, help));
        gauge.set(seconds(span));
        sound(self.0.register(Box::new(gauge)));
    }

    fn labelled(&self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) {
        let gauges = sound(IntGaugeVec::new(Opts::new(name, help), &[label]));
        for (of, value) in values {
            gauges.with_label_values(&[of]).set(whole(*value));
        }
        sound(self.0.register(Box::new(gauges)));
    }
}

fn age(since: Option<Timestamp>, now: Timestamp) -> Duration {
    let millis = since.map_or(0, |since| now.unix_millis().saturating_sub(since.unix_millis()));
    // Another process's clock may be ahead.
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

fn count(things: usize) -> u64 {
    u64::try_from(things).unwrap_or(u64::MAX)
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
