//! Measures full sign-ins a second, from the question for a code to the session that it opens, on each store, with limits on that
//! hold nobody back and without HTTP: `cargo run --release -p auth-http --example sign_ins [postgres|sqlite]`.
//!
//! The figures mean something beside those of another version on the same machine, taken in turn.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot be made has failed")]

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use auth_domain::{
    Alias, Auth, Client, Courier, EmailAddress, FullName, Language, Limits, NoBell, Policy, Ports, Rate, ServerKeys,
    SignUp, Store,
    system::{SystemClock, SystemEntropy},
};
use auth_postgres::{PoolOptions, PostgresStore};
use auth_sqlite::SqliteStore;
use auth_testkit::{RecordingMailer, postgres::Cluster};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

/// How many sign in at a time, each from a network of their own and again and again with addresses of their own.
const AT_ONCE: u32 = 64;
/// Addresses of each.
const ADDRESSES: u32 = 8;
const ROUNDS: usize = 4;
const ROUND: Duration = Duration::from_secs(5);

/// Sign-in, and whoever waits for a mail.
struct Service {
    auth: Auth,
    courier: Courier,
    mailer: Arc<RecordingMailer>,
    waiting: Mutex<HashMap<String, oneshot::Sender<String>>>,
}

impl Service {
    fn on(store: Arc<dyn Store>) -> Arc<Self> {
        let often = |times| Rate::new(times, Duration::from_secs(1000)).unwrap();
        let limits = Limits {
            mails_per_address: often(1_000_000),
            mails_per_network: often(1_000_000),
            sign_ups_per_network: often(1_000_000),
            requests_per_network: often(1_000_000),
            ..Limits::default()
        };
        let keys = Arc::new(ServerKeys::new([[7; 32]]).unwrap());
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let ports =
            Ports { store: store.clone(), clock: clock.clone(), entropy: entropy.clone(), bell: Arc::new(NoBell) };
        let policy = Policy { limits: Some(limits), ..Policy::default() };
        let mailer = Arc::new(RecordingMailer::default());
        let courier = Courier { store, mailer: mailer.clone(), keys: keys.clone(), clock, entropy };
        Arc::new(Self { auth: Auth::new(ports, policy, keys), courier, mailer, waiting: Mutex::default() })
    }

    /// Delivers mails for as long as this is polled.
    async fn deliver(&self) {
        loop {
            let claimed = self.courier.claim(64).await.unwrap();
            if claimed.is_empty() {
                sleep(Duration::from_millis(1)).await;
            }
            let delivered = claimed.iter().map(|mail| self.courier.deliver(mail));
            futures_util::future::try_join_all(delivered).await.unwrap();
            for mail in self.mailer.take() {
                if let Some(waiting) = self.waiting.lock().unwrap().remove(&mail.to) {
                    let _gone = waiting.send(mail.code);
                }
            }
        }
    }

    fn mail_to(&self, address: &EmailAddress) -> oneshot::Receiver<String> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().unwrap().insert(address.as_str().to_owned(), sender);
        receiver
    }

    async fn sign_up(&self, name: &str, client: &Client) {
        let email = EmailAddress::parse(&format!("{name}@example.org")).unwrap();
        let mail = self.mail_to(&email);
        let full_name = FullName::parse("A Sample").unwrap();
        let sign_up = SignUp { email, full_name, alias: Alias::parse(name).unwrap() };
        let opened = self.auth.sign_up(sign_up, client, &Language::default()).await.unwrap();
        self.auth.redeem_sign_in_code(opened.code_id, &mail.await.unwrap(), client).await.unwrap();
    }

    async fn sign_in(&self, name: &str, client: &Client) {
        let email = EmailAddress::parse(&format!("{name}@example.org")).unwrap();
        let mail = self.mail_to(&email);
        let opened = self.auth.sign_in(&email, None, client, &Language::default()).await.unwrap();
        self.auth.redeem_sign_in_code(opened.code_id, &mail.await.unwrap(), client).await.unwrap();
    }
}

async fn measure(name: &str, store: Arc<dyn Store>) {
    let service = Service::on(store);
    let delivering = {
        let service = service.clone();
        tokio::spawn(async move { service.deliver().await })
    };
    let client = |person: u32| Client::new(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + (person << 8))), "Sample/1.0");
    let everybody =
        |work: fn(Arc<Service>, u32, Client, Arc<AtomicU32>) -> futures_util::future::BoxFuture<'static, ()>| {
            let (service, done) = (service.clone(), Arc::new(AtomicU32::new(0)));
            async move {
                let people = (0..AT_ONCE)
                    .map(|person| tokio::spawn(work(service.clone(), person, client(person), done.clone())));
                futures_util::future::try_join_all(people).await.unwrap();
                done.load(Ordering::Relaxed)
            }
        };
    everybody(|service, person, client, _done| {
        Box::pin(async move {
            for address in 0..ADDRESSES {
                service.sign_up(&format!("p{person}a{address}"), &client).await;
            }
        })
    })
    .await;
    for _ in 0..ROUNDS {
        let signed_in = everybody(|service, person, client, done| {
            Box::pin(async move {
                let until = Instant::now() + ROUND;
                for address in (0..ADDRESSES).cycle() {
                    if Instant::now() >= until {
                        break;
                    }
                    service.sign_in(&format!("p{person}a{address}"), &client).await;
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .await;
        println!("{name}: {:.0} sign-ins a second", f64::from(signed_in) / ROUND.as_secs_f64());
    }
    delivering.abort();
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let wanted = std::env::args().nth(1);
    let is_wanted = |name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
    if is_wanted("postgres") {
        let cluster = Cluster::start_with(|_| "fsync = on\nfull_page_writes = on".to_owned());
        let options = PoolOptions { size: 16, wait: Duration::from_secs(2), ..PoolOptions::default() };
        let store = PostgresStore::new(cluster.url("postgres").parse().unwrap(), options).unwrap();
        store.migrate().await.unwrap();
        measure("postgres", Arc::new(store)).await;
    }
    if is_wanted("sqlite") {
        let folder = tempfile::tempdir().unwrap();
        measure("sqlite", Arc::new(SqliteStore::open(&folder.path().join("auth.db")).unwrap())).await;
    }
}
