//! What goes on behind the requests: delivering mail, writing down last uses, sweeping up.

use std::{
    num::NonZero,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_web::web;
use auth_domain::{Clock, Courier, OutboxBell, Store, StoreError};
use tokio::{
    sync::{Notify, watch},
    task::{JoinError, JoinHandle, JoinSet},
    time::{Instant, sleep, timeout},
};
use tracing::{error, info, warn};

use crate::{error_chain::chain, service::Service};

/// How often the outbox is looked at when nobody rings: mails that were deferred, or owed by another process.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// An attempt that takes longer has failed; shorter than the lease, so that nobody else has begun by then.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(25);
/// How long mails being handed over get when the service stops. Those that take longer are tried again.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
/// A mail worker that has not been heard of for so long stands still.
const SILENT_AFTER: Duration = Duration::from_secs(10);
/// How often last uses are written down: what a crash can lose.
const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// How often ended sessions, codes, registrations and settled mails are swept up.
const PURGE_EVERY: Duration = Duration::from_mins(1);
/// How many rows of each kind one sweep takes, and the pause before the next: requests go in between.
const PURGE_AT_ONCE: u32 = 200;
const PURGE_PAUSE: Duration = Duration::from_millis(20);

/// Rung when a mail was queued in this process.
#[derive(Debug, Default)]
pub struct Bell(Notify);

impl OutboxBell for Bell {
    fn ring(&self) {
        self.0.notify_one();
    }
}

/// When the mail worker was last seen going round.
#[derive(Debug, Clone)]
pub struct Heartbeat(Arc<Mutex<Instant>>);

impl Heartbeat {
    /// A worker that is just starting.
    pub fn start() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Whether it was seen lately.
    pub fn is_alive(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < SILENT_AFTER
    }
}

/// The running jobs.
pub struct Jobs {
    stop: watch::Sender<bool>,
    running: Vec<(&'static str, JoinHandle<()>)>,
}

impl Jobs {
    /// Starts them all.
    pub fn start(
        service: &web::Data<Service>,
        store: Arc<dyn Store>,
        courier: Courier,
        bell: Arc<Bell>,
        senders: NonZero<u16>,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let heartbeat = service.mail_worker.clone();
        let clock = Arc::clone(&service.clock);
        let running = vec![
            (
                "mail",
                tokio::spawn(deliver_mail(Arc::new(courier), senders.get().into(), bell, heartbeat, stopped.clone())),
            ),
            ("usage", tokio::spawn(flush_usage(service.clone().into_inner(), stopped.clone()))),
            ("purge", tokio::spawn(purge(store, clock, stopped))),
        ];
        Self { stop, running }
    }

    /// Stops them: mails being handed over are finished, last uses are written.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for (name, job) in self.running {
            if let Err(panicked) = job.await {
                error!(job = name, error = %panicked, "job ended abnormally");
            }
        }
    }
}

/// Sleeps, unless it is time to stop. Returns whether to go on.
async fn pause(span: Duration, stopped: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = sleep(span) => true,
        _ = stopped.wait_for(|stop| *stop) => false,
    }
}

async fn deliver_mail(
    courier: Arc<Courier>,
    at_once: usize,
    bell: Arc<Bell>,
    heartbeat: Heartbeat,
    mut stopped: watch::Receiver<bool>,
) {
    let mut outbox_answers = true;
    let mut deliveries = JoinSet::new();
    loop {
        heartbeat.beat();
        // All that have ended, so that what replaces them is claimed together.
        while let Some(finished) = deliveries.try_join_next() {
            report_panic(finished);
        }
        let free = at_once.saturating_sub(deliveries.len());
        let claimed = if free == 0 { Ok(Vec::new()) } else { courier.claim(u32::try_from(free).unwrap_or(1)).await };
        outbox_answers = report(outbox_answers, claimed.as_ref().err());
        let claimed = claimed.unwrap_or_default();
        let may_be_more = free > 0 && claimed.len() == free;
        for mail in claimed {
            let courier = Arc::clone(&courier);
            deliveries.spawn(async move {
                match timeout(ATTEMPT_WITHIN, courier.deliver(&mail)).await {
                    Ok(Ok(_)) => {}
                    // The lease runs out and the mail is tried again: a second copy at worst, never none.
                    Ok(Err(error)) => warn!(mail.id = %mail.id, error = chain(&error), "delivery not recorded"),
                    Err(_elapsed) => warn!(mail.id = %mail.id, "delivery took too long"),
                }
            });
        }
        tokio::select! {
            Some(finished) = deliveries.join_next() => report_panic(finished),
            () = sleep(Duration::ZERO), if may_be_more => {}
            () = bell.0.notified() => {}
            () = sleep(LOOK_EVERY) => {}
            _ = stopped.wait_for(|stop| *stop) => break,
        }
    }
    let finished = timeout(FINISH_WITHIN, async { while deliveries.join_next().await.is_some() {} }).await;
    if finished.is_err() {
        warn!(mails = deliveries.len(), "stopping before the mail server answered: these mails are tried again");
    }
}

fn report_panic(finished: Result<(), JoinError>) {
    if let Err(panicked) = finished {
        error!(error = %panicked, "delivery ended abnormally");
    }
}

/// Says once that the outbox cannot be read, and once that it can again. Returns whether it can.
fn report(answered_before: bool, failure: Option<&StoreError>) -> bool {
    match (answered_before, failure) {
        (true, Some(error)) => error!(error = chain(error), "the outbox cannot be read: mails wait"),
        (false, None) => info!("the outbox can be read again"),
        _ => {}
    }
    failure.is_none()
}

async fn flush_usage(service: Arc<Service>, mut stopped: watch::Receiver<bool>) {
    loop {
        let go_on = pause(FLUSH_EVERY, &mut stopped).await;
        if let Err(error) = service.auth.flush_usage().await {
            warn!(error = chain(&error), "last uses not written: kept for the next time");
        }
        if !go_on {
            return;
        }
    }
}

async fn purge(store: Arc<dyn Store>, clock: Arc<dyn Clock>, mut stopped: watch::Receiver<bool>) {
    let mut wait = PURGE_EVERY;
    while pause(wait, &mut stopped).await {
        wait = match store.purge(clock.now(), PURGE_AT_ONCE).await {
            Ok(0) => PURGE_EVERY,
            Ok(_rows) => PURGE_PAUSE,
            Err(error) => {
                warn!(error = chain(&error), "sweeping up failed");
                PURGE_EVERY
            }
        };
    }
}
