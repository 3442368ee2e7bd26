use std::{sync::OnceLock, time::Duration};

use actix_web::http::{Method, StatusCode};
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};

use super::seconds;

/// The route of a request that none is for.
const UNMATCHED: &str = "unmatched";
/// A method that a route does not answer, or a status that none is meant to have: clients must not be able to make labels.
const OTHER: &str = "other";
/// The statuses that are told apart, the frequent ones first.
const STATUSES: [(StatusCode, &str); 13] = [
    (StatusCode::OK, "200"),
    (StatusCode::UNAUTHORIZED, "401"),
    (StatusCode::ACCEPTED, "202"),
    (StatusCode::FORBIDDEN, "403"),
    (StatusCode::SERVICE_UNAVAILABLE, "503"),
    (StatusCode::BAD_REQUEST, "400"),
    (StatusCode::NOT_FOUND, "404"),
    (StatusCode::METHOD_NOT_ALLOWED, "405"),
    (StatusCode::CONFLICT, "409"),
    (StatusCode::PAYLOAD_TOO_LARGE, "413"),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "415"),
    (StatusCode::TOO_MANY_REQUESTS, "429"),
    (StatusCode::INTERNAL_SERVER_ERROR, "500"),
];

/// Counts the requests of one route. Each worker has its own, which count together.
///
/// A series is made when it is counted in for the first time, and held on to: from then on it is found without looking its
/// labels up.
pub(crate) struct RouteMeter {
    route: String,
    methods: Vec<MethodMeter>,
    others: MethodMeter,
    answers: Option<Answers>,
    requests: IntCounterVec,
    durations: HistogramVec,
}

struct MethodMeter {
    method: &'static str,
    /// In the order of [`STATUSES`], and one for all others.
    statuses: [OnceLock<IntCounter>; STATUSES.len() + 1],
    duration: OnceLock<Histogram>,
}

/// The answers that a check has.
struct Answers {
    valid: IntCounter,
    invalid: IntCounter,
    unknown: IntCounter,
}

impl RouteMeter {
    pub(super) fn new(
        route: &str,
        methods: &[&'static str],
        requests: &IntCounterVec,
        durations: &HistogramVec,
    ) -> Self {
        Self {
            route: route.to_owned(),
            methods: methods.iter().copied().map(MethodMeter::of).collect(),
            others: MethodMeter::of(OTHER),
            answers: None,
            requests: requests.clone(),
            durations: durations.clone(),
        }
    }

    /// For requests that have no route.
    pub(super) fn of_unmatched(requests: &IntCounterVec, durations: &HistogramVec) -> Self {
        Self::new(UNMATCHED, &["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"], requests, durations)
    }

    /// The same for a route that is a check of this kind, whose answers are counted too.
    pub(super) fn with_answers(self, check: Option<(&str, &IntCounterVec)>) -> Self {
        let answers = check.map(|(kind, checks)| {
            let counter = |answer| checks.with_label_values(&[kind, answer]);
            Answers { valid: counter("valid"), invalid: counter("invalid"), unknown: counter("unknown") }
        });
        Self { answers, ..self }
    }

    /// Counts a request that was answered with `status` after so much time.
    pub(crate) fn count(&self, method: &Method, status: StatusCode, took: Duration) {
        let meter = self.methods.iter().find(|meter| meter.method == method.as_str()).unwrap_or(&self.others);
        let place = STATUSES.iter().position(|(known, _)| *known == status);
        let label = place.and_then(|place| STATUSES.get(place)).map_or(OTHER, |(_, label)| label);
        // There is one more of these than there are statuses.
        if let Some(series) = meter.statuses.get(place.unwrap_or(STATUSES.len())) {
            let make = || self.requests.with_label_values(&[self.route.as_str(), meter.method, label]);
            series.get_or_init(make).inc();
        }
        let make = || self.durations.with_label_values(&[self.route.as_str(), meter.method]);
        meter.duration.get_or_init(make).observe(seconds(took));
        if let Some(answers) = self.answers.as_ref().filter(|_| matches!(*method, Method::GET | Method::HEAD)) {
            answers.count(status);
        }
    }
}

impl MethodMeter {
    fn of(method: &'static str) -> Self {
        Self { method, statuses: Default::default(), duration: OnceLock::new() }
    }
}

impl Answers {
    /// A 403 is what somebody gets whose credential is valid and who lacks a role. Any other status says nothing of the
    /// credential: such a request could not be used.
    fn count(&self, status: StatusCode) {
        match status {
            StatusCode::OK | StatusCode::FORBIDDEN => self.valid.inc(),
            StatusCode::UNAUTHORIZED => self.invalid.inc(),
            StatusCode::SERVICE_UNAVAILABLE => self.unknown.inc(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{HistogramOpts, Opts, core::Collector};

    use super::*;

    #[test]
    fn however_odd_the_requests_are_there_are_no_more_series_than_there_are_labels() {
        let requests = IntCounterVec::new(Opts::new("requests", "-"), &["route", "method", "status"]).unwrap();
        let durations = HistogramVec::new(HistogramOpts::new("durations", "-"), &["route", "method"]).unwrap();
        let meter = RouteMeter::new("/here", &["GET"], &requests, &durations);
        for number in 100..1000 {
            let status = StatusCode::from_u16(number).unwrap();
            for method in ["GET", "POST", "BREW", &format!("X{number}")] {
                meter.count(&method.parse().unwrap(), status, Duration::from_millis(1));
            }
        }
        let series = |collector: &dyn Collector| collector.collect().first().unwrap().get_metric().len();
        assert_eq!(series(&requests), 2 * (STATUSES.len() + 1));
        assert_eq!(series(&durations), 2);
        assert_eq!(requests.with_label_values(&["/here", "GET", "200"]).get(), 1);
        assert_eq!(requests.with_label_values(&["/here", OTHER, "200"]).get(), 3);
    }

    #[test]
    fn a_check_is_counted_by_its_answer_and_what_shares_its_path_is_not() {
        let metrics = super::super::Metrics::new(Box::new(Default::default));
        let meter = metrics.route("/session", &["GET", "HEAD", "POST"], Some("session"));
        let answered = |method: Method, status: u16| {
            meter.count(&method, StatusCode::from_u16(status).unwrap(), Duration::ZERO);
        };
        for status in [200, 200, 403, 401, 503, 400, 500] {
            answered(Method::GET, status);
        }
        answered(Method::HEAD, 200);
        answered(Method::POST, 202);
        answered(Method::POST, 503);
        let count = |answer| metrics.checks.with_label_values(&["session", answer]).get();
        assert_eq!((count("valid"), count("invalid"), count("unknown")), (4, 1, 1));
    }
}
