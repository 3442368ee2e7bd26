//! What every request handler is given.

use std::{sync::Arc, time::Duration};

use actix_web::web;
use auth_cache::CachedChecks;
use auth_domain::{Auth, Clock, Language, StoreError};
use tracing::warn;
use uuid::Uuid;

use crate::{
    RequestIds,
    answer::{RefusedChecks, ResponsePacer},
    error_chain::chain,
    extract::ClientAddress,
    jobs::Heartbeat,
    metrics::Metrics,
    routes::Checked,
};

/// How long a readiness probe waits for the store.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// How long the page of metrics waits for the store. Whoever asks has a time limit too, mostly of ten seconds.
const MEASURED_WITHIN: Duration = Duration::from_millis(1500);

/// The use cases, and what the HTTP side needs besides.
pub struct Service {
    /// The use cases.
    pub auth: Arc<Auth>,
    /// The checks, answered from memory where that can be believed.
    pub checks: CachedChecks<Checked>,
    /// The time, for request ids.
    pub clock: Arc<dyn Clock>,
    /// What requests are named with.
    pub request_ids: RequestIds,
    /// Where client addresses are read from.
    pub client_address: ClientAddress,
    /// The API's description, as [`openapi::description`](crate::openapi::description) writes it.
    pub description: web::Bytes,
    /// The languages that mails can be written in.
    pub languages: Vec<Language>,
    /// Whether the mail worker is alive.
    pub mail_worker: Heartbeat,
    /// Hides how long the work of answers about addresses took.
    pub pacer: ResponsePacer,
    /// Which refused checks are logged one by one.
    pub refused_checks: RefusedChecks,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Why the service is not ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// The store does not answer, or has another layout.
    #[error("the store is not ready")]
    Store(#[from] StoreError),
    /// The store takes too long to answer.
    #[error("the store does not answer in time")]
    Slow(#[from] tokio::time::error::Elapsed),
    /// The mail worker has not been heard of.
    #[error("the mail worker stands still")]
    MailWorker,
}

impl Service {
    /// A new id for a request.
    pub fn new_request_id(&self) -> Uuid {
        self.request_ids.next_at(self.clock.now())
    }

    /// Whether requests can be served: the store answers in time and the mail worker lives. A mail server out of
    /// reach does not matter here, since requests do not notice it.
    pub async fn check_ready(&self) -> Result<(), NotReady> {
        tokio::time::timeout(READY_WITHIN, self.auth.check_ready()).await??;
        if self.mail_worker.is_alive() { Ok(()) } else { Err(NotReady::MailWorker) }
    }

    /// All that is counted and measured, as text. While the store is away, without what only the store knows.
    pub async fn measure(&self) -> String {
        let backlog = match tokio::time::timeout(MEASURED_WITHIN, self.auth.backlog()).await {
            Ok(Ok(backlog)) => Some(backlog),
            Ok(Err(error)) => {
                warn!(error = chain(&error), "the store does not tell what is to be done");
                None
            }
            Err(_elapsed) => {
                warn!("the store does not tell in time what is to be done");
                None
            }
        };
        self.metrics.page(self, backlog, self.clock.now())
    }
}
