//! Measures the check and the opening of a session against `pgbench`, which sends one statement that comes to the same over the
//! same socket from sixteen connections.
//!
//! `cargo run --release -p auth-postgres --example against_pgbench [path of pgbench]`
//!
//! Only the ratios mean something: the database, `pgbench` and this program share one machine.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot be made has failed")]

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use auth_domain::{Outcome, Sessions, Store, StoreError, TokenDigest};
use auth_postgres::{PoolOptions, PostgresStore};
use auth_testkit::{
    postgres::{Cluster, execute},
    samples::{at, decoy_hash, sign_in},
};
use tokio::time::Instant;

const SESSIONS: u64 = 100_000;
const USERS: u64 = 20_000;
const ROUNDS: usize = 4;
const ROUND: Duration = Duration::from_secs(4);

const FILL: &str = "
INSERT INTO users SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'user' || n, 'user' || n, 'A Sample',
    true, true, NULL, ARRAY['user'], ARRAY['public', 'staff'], now() FROM generate_series(1, 20000) n;
INSERT INTO emails SELECT ('00000000-0000-7000-a000-' || lpad(n::text, 12, '0'))::uuid,
    ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'user' || n || '@example.org',
    'user' || n || '@example.org', true, false, true, now() FROM generate_series(1, 20000) n;
INSERT INTO sessions (id, user_id, digest, key_id, kind, verified_at, created_at, expires_at, ip, user_agent)
    SELECT ('00000000-0000-7000-9000-' || lpad(n::text, 12, '0'))::uuid,
        ('00000000-0000-7000-8000-' || lpad((n % 20000 + 1)::text, 12, '0'))::uuid,
        decode(lpad(n::text, 64, '0'), 'hex'), '0badcafe', 'standard', now(), now(), now() + interval '1 day', '192.0.2.7',
        'Sample/1.0' FROM generate_series(1, 100000) n;
VACUUM ANALYZE";

const CHECK: &str = r"\set n random(1, 100000)
SELECT sessions.id, user_id, kind, verified_at, sessions.created_at, expires_at, last_used_at, ip, user_agent, users.id, alias,
    full_name, verified, enabled, registration, roles, groups, users.created_at
FROM sessions INNER JOIN users ON sessions.user_id = users.id WHERE digest = decode(lpad(:n, 64, '0'), 'hex');
";

/// All that asking for a code stores and ends, as one statement that could do it.
const OPEN: &str =
    concat!(r"\set n random(1, 20000)", "\n", include_str!("../../auth-bench/src/measures/create_session.sql"));

fn digest(n: u64) -> TokenDigest {
    let mut octets = [0; 32];
    let mut rest = n;
    for octet in octets.iter_mut().rev() {
        let pair = u8::try_from(rest % 100).unwrap();
        *octet = pair / 10 * 16 + pair % 10;
        rest /= 100;
    }
    TokenDigest::from_stored(octets)
}

/// Transactions a second, as `pgbench` counts them.
fn pgbench(program: &str, url: &str, script: &str) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("script.sql");
    std::fs::write(&file, script).unwrap();
    let seconds = ROUND.as_secs().to_string();
    let output = Command::new(program)
        .args(["-n", "-M", "prepared", "-c", "16", "-j", "2", "-T", &seconds, "-f"])
        .arg(&file)
        .arg(url)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let line = said.lines().find_map(|line| line.strip_prefix("tps = "));
    let figure = line.unwrap_or_else(|| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)));
    figure.split_whitespace().next().unwrap().parse().unwrap()
}

/// How many calls are done in a second by so many who each wait for an answer before they call again. Each call is given a
/// random number.
async fn calls<F>(callers: u64, call: impl Fn(u64) -> F + Clone + Send + Sync + 'static) -> f64
where
    F: Future<Output = Result<(), StoreError>> + Send,
{
    let (done, until) = (Arc::new(AtomicU64::new(0)), Instant::now() + ROUND);
    let callers: Vec<_> = (1..=callers)
        .map(|seed| {
            let (call, done) = (call.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                while Instant::now() < until {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    call(random).await.unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    f64::from(u32::try_from(done.load(Ordering::Relaxed)).unwrap()) / ROUND.as_secs_f64()
}

async fn check(store: Arc<PostgresStore>, random: u64) -> Result<(), StoreError> {
    store.find_session(&digest(random % SESSIONS + 1)).await?.unwrap();
    Ok(())
}

async fn open(store: Arc<PostgresStore>, random: u64) -> Result<(), StoreError> {
    let n = random % USERS + 1;
    let pending = sign_in(&format!("user{n}@example.org"), 2, at(0));
    let store: &dyn Store = &*store;
    assert_eq!(store.open_session(&pending, &decoy_hash()).await?, Outcome::Done(()));
    Ok(())
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let program = std::env::args().nth(1).unwrap_or_else(|| "pgbench".to_owned());
    let cluster = Cluster::start_with(|_| "fsync = on\nfull_page_writes = on".to_owned());
    let url = cluster.url("postgres");
    let options = PoolOptions { size: 16, wait: Duration::from_secs(2), ..PoolOptions::default() };
    let store = Arc::new(PostgresStore::new(url.parse().unwrap(), options).unwrap());
    store.migrate().await.unwrap();
    for statement in FILL.split(';') {
        execute(&url, statement).await.unwrap();
    }
    for _ in 0..ROUNDS {
        for (name, script) in [("check", CHECK), ("open a session", OPEN)] {
            let (program, url, store) = (program.clone(), url.clone(), Arc::clone(&store));
            let theirs = tokio::task::spawn_blocking(move || pgbench(&program, &url, script)).await.unwrap();
            let ours = match script {
                CHECK => calls(128, move |random| check(Arc::clone(&store), random)).await,
                _ => calls(64, move |random| open(Arc::clone(&store), random)).await,
            };
            println!("{name}: {ours:.0}/s, pgbench: {theirs:.0}/s, ratio {:.2}", ours / theirs);
        }
    }
}
