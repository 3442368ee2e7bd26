//! What goes on behind the requests: delivering mail, telling owners of lockouts, writing down last uses, sweeping up.

use std::{
    num::NonZero,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use actix_web::web;
use auth_domain::{Auth, AuthError, ClaimedMail, Clock, Courier, MailClass, OutboxBell, Purge, Store, StoreError};
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::{JoinError, JoinHandle, JoinSet},
    time::{Instant, sleep, timeout},
};
use tracing::{error, info, warn};

use crate::{error_chain::chain, metrics::Metrics, service::Service};

/// How often the outbox is looked at when nobody rings: mails that were deferred, or owed by another process.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Of so many senders, one is kept for codes.
const KEPT_FOR_CODES: usize = 4;
/// An attempt that takes longer has failed; shorter than the lease, so that nobody else has begun by then.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(25);
/// How long mails being handed over get when the service stops. Those that take longer are tried again.
const FINISH_WITHIN: Duration = Duration::from_secs(5);
/// A mail worker that has not been heard of for so long stands still.
const SILENT_AFTER: Duration = Duration::from_secs(10);
/// How often last uses are written down: what a crash can lose.
const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// How often it is looked for addresses at which too much was guessed wrong, and how many are dealt with at once.
const LOOK_FOR_LOCKOUTS_EVERY: Duration = Duration::from_secs(5);
const LOCKOUTS_AT_ONCE: u32 = 50;
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

/// What the jobs work with.
pub struct Work {
    /// What is kept.
    pub store: Arc<dyn Store>,
    /// What delivers the mail.
    pub courier: Courier,
    /// What wakes it.
    pub bell: Arc<Bell>,
    /// How many mails are handed over at once.
    pub senders: NonZero<u16>,
    /// How long things are kept that do not end by themselves.
    pub kept: Kept,
}

/// How long things are kept that do not end by themselves.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// The audit log.
    pub events: Duration,
    /// Networks from which nobody has signed in again.
    pub networks: Duration,
}

impl Jobs {
    /// Starts them all.
    pub fn start(service: &web::Data<Service>, work: Work) -> Self {
        let Work { store, courier, bell, senders, kept } = work;
        let (stop, stopped) = watch::channel(false);
        let heartbeat = service.mail_worker.clone();
        let clock = Arc::clone(&service.clock);
        let metrics = Arc::clone(&service.metrics);
        let deliveries = Deliveries::new(Arc::new(courier), senders.get().into(), Arc::clone(&metrics));
        let running = vec![
            ("mail", tokio::spawn(deliver_mail(deliveries, bell, heartbeat, stopped.clone()))),
            ("usage", tokio::spawn(flush_usage(service.clone().into_inner(), stopped.clone()))),
            ("lockouts", tokio::spawn(tell_of_lockouts(service.clone().into_inner(), stopped.clone()))),
            ("purge", tokio::spawn(purge(store, clock, kept, metrics, stopped))),
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
    mut deliveries: Deliveries,
    bell: Arc<Bell>,
    heartbeat: Heartbeat,
    mut stopped: watch::Receiver<bool>,
) {
    let mut outbox_answers = true;
    loop {
        heartbeat.beat();
        let begun = deliveries.begin().await;
        outbox_answers = report(outbox_answers, begun.as_ref().err());
        let may_be_more = begun.unwrap_or(false);
        tokio::select! {
            Some(ended) = deliveries.running.join_next() => report_panic(ended),
            () = sleep(Duration::ZERO), if may_be_more => {}
            () = bell.0.notified() => {}
            () = sleep(LOOK_EVERY) => {}
            _ = stopped.wait_for(|stop| *stop) => break,
        }
    }
    let mut running = deliveries.running;
    let finished = timeout(FINISH_WITHIN, async { while running.join_next().await.is_some() {} }).await;
    if finished.is_err() {
        warn!(mails = running.len(), "stopping before the mail server answered: these mails are tried again");
    }
}

/// Mails being handed over: no more than there are senders, and not all of them notices.
///
/// Where the mail server takes its time, notices would hold every sender, and people wait for codes.
struct Deliveries {
    courier: Arc<Courier>,
    senders: usize,
    /// What mails without a code have to hold while they are handed over; there is less of it than there are senders.
    for_others: Arc<Semaphore>,
    running: JoinSet<()>,
    metrics: Arc<Metrics>,
}

impl Deliveries {
    fn new(courier: Arc<Courier>, senders: usize, metrics: Arc<Metrics>) -> Self {
        let for_others = Arc::new(Semaphore::new(senders - senders / KEPT_FOR_CODES));
        Self { courier, senders, for_others, running: JoinSet::new(), metrics }
    }

    /// Claims what is due, as much as there is room for, and begins to hand it over. Returns whether more may be due
    /// and find room.
    async fn begin(&mut self) -> Result<bool, StoreError> {
        // All that have ended, so that what replaces them is claimed together.
        while let Some(ended) = self.running.try_join_next() {
            report_panic(ended);
        }
        let codes = self.claim(Courier::claim_codes, self.free()).await?;
        let others = self.claim(Courier::claim, self.free().min(self.for_others.available_permits())).await?;
        Ok(codes || others)
    }

    fn free(&self) -> usize {
        self.senders.saturating_sub(self.running.len())
    }

    async fn claim(
        &mut self,
        claim: impl AsyncFn(&Courier, u32) -> Result<Vec<ClaimedMail>, StoreError>,
        limit: usize,
    ) -> Result<bool, StoreError> {
        if limit == 0 {
            return Ok(false);
        }
        let claimed = claim(&self.courier, u32::try_from(limit).unwrap_or(u32::MAX)).await?;
        let may_be_more = claimed.len() >= limit;
        for mail in claimed {
            self.hand_over(mail);
        }
        Ok(may_be_more)
    }

    fn hand_over(&mut self, mail: ClaimedMail) {
        let (courier, metrics) = (Arc::clone(&self.courier), Arc::clone(&self.metrics));
        // There is one: no more were claimed.
        let held = (mail.class != MailClass::Code).then(|| Arc::clone(&self.for_others).try_acquire_owned());
        self.running.spawn(async move {
            let _held = held;
            match timeout(ATTEMPT_WITHIN, courier.deliver(&mail)).await {
                Ok(Ok(outcome)) => metrics.attempted(outcome),
                // The lease runs out and the mail is tried again: a second copy at worst, never none.
                Ok(Err(error)) => warn!(mail.id = %mail.id, error = chain(&error), "delivery not recorded"),
                Err(_elapsed) => warn!(mail.id = %mail.id, "delivery took too long"),
            }
        });
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

async fn tell_of_lockouts(service: Arc<Service>, mut stopped: watch::Receiver<bool>) {
    while pause(LOOK_FOR_LOCKOUTS_EVERY, &mut stopped).await {
        if let Err(error) = tell_all_of_lockouts(&service.auth).await {
            warn!(error = chain(&error), "owners of locked addresses are not told yet");
        }
    }
}

async fn tell_all_of_lockouts(auth: &Auth) -> Result<(), AuthError> {
    let at_once = usize::try_from(LOCKOUTS_AT_ONCE).unwrap_or(usize::MAX);
    while auth.tell_of_lockouts(LOCKOUTS_AT_ONCE).await? >= at_once {}
    Ok(())
}

async fn purge(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    kept: Kept,
    metrics: Arc<Metrics>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut wait = PURGE_EVERY;
    while pause(wait, &mut stopped).await {
        let now = clock.now();
        let purge = Purge {
            now,
            events_until: now.minus(kept.events),
            networks_until: now.minus(kept.networks),
            limit: PURGE_AT_ONCE,
        };
        wait = match store.purge(&purge).await {
            Ok(0) => PURGE_EVERY,
            Ok(rows) => {
                metrics.purged(rows);
                PURGE_PAUSE
            }
            Err(error) => {
                warn!(error = chain(&error), "sweeping up failed");
                PURGE_EVERY
            }
        };
    }
}
