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
/// How long a job that has panicked rests before it begins anew: at first, and at most after several times.
const RESTART_AFTER: Duration = Duration::from_secs(1);
const RESTART_AFTER_AT_MOST: Duration = Duration::from_mins(1);
/// A job that has run for so long has recovered from what made it panic before.
const RECOVERED_AFTER: Duration = Duration::from_mins(5);
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
    running: Vec<JoinHandle<()>>,
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
        let (service, courier) = (service.clone().into_inner(), Arc::new(courier));
        let until_stopped = || stopped.clone();
        let supervised = |job: Job| Supervisor { job, metrics: Arc::clone(&service.metrics), stopped: until_stopped() };
        let mail = {
            let (service, stopped) = (Arc::clone(&service), until_stopped());
            move || {
                let (metrics, heartbeat) = (Arc::clone(&service.metrics), service.mail_worker.clone());
                let deliveries = Deliveries::new(Arc::clone(&courier), senders.get().into(), metrics);
                deliver_mail(deliveries, Arc::clone(&bell), heartbeat, stopped.clone())
            }
        };
        let usage = {
            let (service, stopped) = (Arc::clone(&service), until_stopped());
            move || flush_usage(Arc::clone(&service), stopped.clone())
        };
        let lockouts = {
            let (service, stopped) = (Arc::clone(&service), until_stopped());
            move || tell_of_lockouts(Arc::clone(&service), stopped.clone())
        };
        let purging = {
            let (service, stopped) = (Arc::clone(&service), until_stopped());
            move || {
                let (clock, metrics) = (Arc::clone(&service.clock), Arc::clone(&service.metrics));
                purge(Arc::clone(&store), clock, kept, metrics, stopped.clone())
            }
        };
        let running = vec![
            tokio::spawn(supervised(Job::Mail).run(mail)),
            tokio::spawn(supervised(Job::Usage).run(usage)),
            tokio::spawn(supervised(Job::Lockouts).run(lockouts)),
            tokio::spawn(supervised(Job::Purge).run(purging)),
        ];
        Self { stop, running }
    }

    /// Stops them: mails being handed over are finished, last uses are written.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for supervisor in self.running {
            if let Err(panicked) = supervisor.await {
                error!(error = %panicked, "the supervisor of a job ended abnormally");
            }
        }
    }
}

/// What goes on behind the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    Mail,
    Usage,
    Lockouts,
    Purge,
}

impl Job {
    pub(crate) const ALL: [Self; 4] = [Self::Mail, Self::Usage, Self::Lockouts, Self::Purge];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Usage => "usage",
            Self::Lockouts => "lockouts",
            Self::Purge => "purge",
        }
    }
}

/// Keeps a job running: one that has panicked begins anew, later each time. A process that looks well does all of its work.
struct Supervisor {
    job: Job,
    metrics: Arc<Metrics>,
    stopped: watch::Receiver<bool>,
}

impl Supervisor {
    /// Runs what `job` makes until it ends by itself, or until it is time to stop and it has panicked.
    async fn run<F: Future<Output = ()> + Send + 'static>(mut self, job: impl Fn() -> F) {
        let mut wait = RESTART_AFTER;
        loop {
            let begun = Instant::now();
            let Err(panicked) = tokio::spawn(job()).await else { return };
            if begun.elapsed() >= RECOVERED_AFTER {
                wait = RESTART_AFTER;
            }
            let (name, wait_s) = (self.job.as_str(), wait.as_secs());
            error!(job = name, wait_s, error = %panicked, "a job panicked: it begins anew");
            self.metrics.job_restarted(self.job);
            if !pause(wait, &mut self.stopped).await {
                return;
            }
            wait = (wait * 2).min(RESTART_AFTER_AT_MOST);
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::metrics::StoreState;

    fn supervisor(stopped: watch::Receiver<bool>) -> (Supervisor, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::new(Box::new(StoreState::default)));
        (Supervisor { job: Job::Purge, metrics: Arc::clone(&metrics), stopped }, metrics)
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_panics_begins_anew_later_each_time_until_it_has_run_well_for_a_while() {
        let (_stop, stopped) = watch::channel(false);
        let (supervisor, metrics) = supervisor(stopped);
        let (begun, times) = (Instant::now(), Arc::new(Mutex::new(Vec::new())));
        let beginnings = Arc::clone(&times);
        let job = move || {
            let times = Arc::clone(&times);
            async move {
                let number = {
                    let mut times = times.lock().unwrap();
                    times.push(begun.elapsed().as_secs());
                    times.len()
                };
                match number {
                    9 => sleep(RECOVERED_AFTER).await,
                    11 => return,
                    _ => {}
                }
                panic!("on purpose");
            }
        };
        supervisor.run(job).await;
        // 1, 2, 4, 8, 16 and 32 seconds, then a minute; after five minutes without a panic it is a second again.
        assert_eq!(*beginnings.lock().unwrap(), [0, 1, 3, 7, 15, 31, 63, 123, 183, 484, 486]);
        assert_eq!(metrics.job_restarts(Job::Purge), 10);
        assert_eq!(metrics.job_restarts(Job::Mail), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_rests_after_a_panic_is_not_waited_for_when_the_service_stops() {
        let (stop, stopped) = watch::channel(false);
        let (supervisor, _metrics) = supervisor(stopped);
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let running = tokio::spawn(supervisor.run(move || {
            runs.fetch_add(1, Ordering::SeqCst);
            async { panic!("on purpose") }
        }));
        sleep(Duration::from_secs(20)).await;
        stop.send_replace(true);
        let begun = Instant::now();
        running.await.unwrap();
        assert_eq!((counted.load(Ordering::SeqCst), begun.elapsed()), (5, Duration::ZERO));
    }
}
