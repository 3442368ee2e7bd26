//! Spans, sent to a collector over OTLP, if there is one (`telemetry.otlp`).
//!
//! Sent are the spans of our own crates and the log lines in them, which hold no secret and no e-mail address, whatever the log's
//! filter lets through. Names and attributes are listed in `docs/operations.md`. Checks have no span: they are counted.
//!
//! Ended spans wait in memory for a thread of their own, which sends them every few seconds; those that find no room
//! there are dropped. No request waits for a collector.

mod collector;

use std::time::Duration;

use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::{Subscriber, level_filters::LevelFilter, warn};
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use collector::Collector;
pub use collector::{CollectorUrl, InvalidCollector};

/// Whose spans are sent.
const OURS: [&str; 5] = ["auth_http", "auth_domain", "auth_sqlite", "auth_postgres", "auth_smtp"];
/// How long the last spans get when the service stops.
const SENT_WITHIN: Duration = Duration::from_secs(3);

/// Where spans go, and as whose.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// Where they go.
    pub collector: CollectorUrl,
    /// What this service is called there.
    pub service_name: String,
}

/// Spans on their way to a collector.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Sends spans to a collector, which may be away.
    ///
    /// # Errors
    /// When what OpenTelemetry itself reads from the environment (`OTEL_…`) makes no sense.
    pub fn start(telemetry: Telemetry) -> Result<Self, ExporterBuildError> {
        let endpoint = telemetry.collector.to_string();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::at(telemetry.collector))
            .with_endpoint(endpoint)
            .with_protocol(Protocol::HttpBinary)
            .build()?;
        let resource = Resource::builder()
            .with_service_name(telemetry.service_name)
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
    }

    /// What spans are to be told to.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let of_ours = OURS.into_iter().map(|name| (name, LevelFilter::DEBUG));
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("auth-http"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(Targets::new().with_targets(of_ours))
    }

    /// Sends what is left. Blocks, for three seconds at most.
    pub fn stop(self) {
        if let Err(error) = self.0.shutdown_with_timeout(SENT_WITHIN) {
            warn!(%error, "the last spans were not sent");
        }
    }
}
