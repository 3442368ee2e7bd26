//! One store with the use cases on it, and all of them side by side. What can be done is in `people` and `administrators`.

use std::{collections::BTreeMap, fmt::Debug, net::IpAddr, sync::Arc, time::Duration};

use auth_domain::{
    Alias, Auth, AuthError, Client, Clock, CodeId, CodePurpose, Courier, EmailAddress, EmailId, FullName, KeyPairId,
    LiveSession, MailError, MailId, NoBell, Policy, Ports, Purge, SessionId, Store, UserId,
    archive::{ArchiveSource, Batch, Table},
};
use auth_postgres::{PoolOptions, PostgresStore};
use auth_sqlite::{SqliteArchive, SqliteOptions, SqliteStore};
use auth_testkit::{InMemoryStore, SentMail, World, postgres, waiting::PATIENCE};
use tempfile::TempDir;

use crate::step::{Delivery, Step};

/// The stores, and what they are known to have been asked for.
pub(crate) struct Sides {
    sides: [Side; 3],
}

enum Kind {
    Fake(Arc<InMemoryStore>),
    Sqlite(TempDir),
    Postgres(Arc<PostgresStore>),
}

/// One store, in a world of its own: time and random choices are the same in all of them.
pub(crate) struct Side {
    kind: Kind,
    store: Arc<dyn Store>,
    world: World,
    pub(crate) auth: Auth,
    pub(crate) codes: Vec<(CodeId, CodePurpose)>,
    /// What the mails said, by the code's id.
    pub(crate) mailed: BTreeMap<CodeId, String>,
    pub(crate) bearers: Vec<(SessionId, String)>,
    pub(crate) pairs: Vec<(KeyPairId, String, String)>,
}

impl Sides {
    pub(crate) async fn new(policy: &Policy) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = Arc::new(
            SqliteStore::open_with(&folder.path().join("auth.db"), SqliteOptions { timeout: PATIENCE }).unwrap(),
        );
        let open = |url: &str| {
            let options = PoolOptions { size: 2, wait: PATIENCE, timeout: PATIENCE, ..PoolOptions::default() };
            Arc::new(PostgresStore::new(url.parse().unwrap(), options).unwrap())
        };
        let url = postgres::database(async |url| {
            open(&url).migrate().await.unwrap();
        })
        .await;
        let (fake, server) = (Arc::<InMemoryStore>::default(), open(&url));
        let sides = [
            (Kind::Fake(fake.clone()), fake as Arc<dyn Store>),
            (Kind::Sqlite(folder), sqlite),
            (Kind::Postgres(server.clone()), server),
        ];
        Self { sides: sides.map(|(kind, store)| Side::new(kind, store, policy)) }
    }

    /// Takes the step on every side; fails unless all have answered the same.
    pub(crate) async fn take(&mut self, step: &Step) -> Result<(), String> {
        let mut answers = Vec::new();
        for side in &mut self.sides {
            answers.push((side.name(), side.take(step).await));
        }
        agree(step, &answers)
    }

    /// Fails unless everything that is stored is the same.
    pub(crate) async fn stored(&mut self) -> Result<(), String> {
        let mut all = Vec::new();
        for side in &self.sides {
            all.push((side.name(), side.archive().await));
        }
        let (_, first) = &all[0];
        for (name, batches) in &all[1..] {
            for (these, others) in first.iter().zip(batches) {
                if these != others {
                    return Err(format!("{} differs on {name}\n{}", these.table(), differences(these, others)));
                }
            }
        }
        Ok(())
    }
}

fn agree(step: &Step, answers: &[(&str, String)]) -> Result<(), String> {
    if answers.iter().all(|(_, answer)| *answer == answers[0].1) {
        return Ok(());
    }
    let answers: Vec<_> = answers.iter().map(|(name, answer)| format!("    {name}: {answer}\n")).collect();
    Err(format!("{step:?} is answered\n{}", answers.concat()))
}

/// The records that only one of the two has.
fn differences(these: &Batch, others: &Batch) -> String {
    macro_rules! compare {
        ($($table:ident)+) => {
            match (these, others) {
                $((Batch::$table(these), Batch::$table(others)) => {
                    only("the fake has", these, others) + &only("it has", others, these)
                })+
                _ => "two tables".to_owned(),
            }
        };
    }
    compare!(Users Emails Sessions KeyPairs Codes Outbox MailAttempts KnownNetworks Failures Throttles Events)
}

fn only<R: Debug + PartialEq>(who: &str, these: &[R], others: &[R]) -> String {
    let only = these.iter().filter(|record| !others.contains(record));
    only.map(|record| format!("    {who} {record:?}\n")).collect::<Vec<_>>().concat()
}

pub(crate) fn address(number: usize) -> EmailAddress {
    // Two ways of writing one address are among them.
    let all = ["ada@example.org", "Bob@Example.org", "bob@example.org", "eve@example.org", "dan@example.org"];
    EmailAddress::parse(all[number]).unwrap()
}

pub(crate) fn alias(number: usize) -> Alias {
    Alias::parse(["ada", "Bob", "bob", "eve", "dan", "fay"][number]).unwrap()
}

pub(crate) fn client(network: usize) -> Client {
    let ip: IpAddr = ["192.0.2.7", "198.51.100.7", "2001:db8::7"][network].parse().unwrap();
    Client::new(ip, "differential/1")
}

pub(crate) fn name() -> FullName {
    FullName::parse("Ada Lovelace").unwrap()
}

/// The `number`th newest.
pub(crate) fn newest<T>(all: &[T], number: usize) -> Option<&T> {
    all.len().checked_sub(number % all.len().max(1) + 1).and_then(|at| all.get(at))
}

pub(crate) fn told<T: Debug>(outcome: &Result<T, AuthError>) -> String {
    format!("{outcome:?}")
}

impl Side {
    fn new(kind: Kind, store: Arc<dyn Store>, policy: &Policy) -> Self {
        let world = World::new();
        let ports = Ports {
            store: store.clone(),
            clock: world.clock.clone(),
            entropy: world.entropy.clone(),
            bell: Arc::new(NoBell),
        };
        let auth = Auth::new(ports, policy.clone(), world.keys.clone());
        let (codes, bearers, pairs) = (Vec::new(), Vec::new(), Vec::new());
        Self { kind, store, world, auth, codes, mailed: BTreeMap::new(), bearers, pairs }
    }

    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Fake(_) => "the fake",
            Kind::Sqlite(_) => "SQLite",
            Kind::Postgres(_) => "PostgreSQL",
        }
    }

    async fn archive(&self) -> Vec<Batch> {
        let mut source: Box<dyn ArchiveSource> = match &self.kind {
            Kind::Fake(store) => return store.archive().unwrap(),
            Kind::Sqlite(folder) => Box::new(SqliteArchive::open(&folder.path().join("auth.db")).unwrap()),
            Kind::Postgres(store) => Box::new(store.begin_archive().await.unwrap()),
        };
        let mut batches = Vec::new();
        for table in Table::ALL {
            batches.push(source.read(*table, None, 100_000).await.unwrap());
        }
        batches
    }

    /// The session that `by` stands for, as long as it is accepted.
    pub(crate) async fn caller(&self, by: usize) -> Result<LiveSession, AuthError> {
        let (_, bearer) = newest(&self.bearers, by).ok_or(AuthError::InvalidCredential)?;
        self.auth.check_session(bearer).await
    }

    async fn take(&mut self, step: &Step) -> String {
        match *step {
            Step::Wait(span) => {
                self.world.clock.advance(span);
                String::new()
            }
            Step::SetBack(span) => {
                self.world.clock.set(self.world.clock.now().minus(span));
                String::new()
            }
            Step::Administer { what, user, other } => self.administer(what, user, other).await,
            Step::Deliver(delivery) => self.deliver(delivery).await,
            Step::TellOfLockouts => told(&self.auth.tell_of_lockouts(100).await),
            Step::Purge => {
                let now = self.world.clock.now();
                let day = Duration::from_hours(24);
                let (events_until, networks_until) = (now.minus(30 * day), now.minus(30 * day));
                let purge = Purge { now, events_until, networks_until, limit: 1000 };
                told(&self.store.purge(&purge).await.map_err(AuthError::from))
            }
            Step::FlushUsage => told(&self.auth.flush_usage().await.map_err(AuthError::from)),
            _ => self.act(step).await,
        }
    }

    pub(crate) async fn email_of(&self, user: UserId, number: usize) -> Result<EmailId, AuthError> {
        let emails = self.store.list_emails(user).await?;
        newest(&emails, number).map(|email| email.id).ok_or(AuthError::NotFound)
    }

    /// Everything that is due, and what was sent.
    async fn deliver(&mut self, delivery: Delivery) -> String {
        let world = &self.world;
        world.mailer.fail_with(match delivery {
            Delivery::Taken => None,
            Delivery::PutOff => Some(MailError::Transient("451 later".to_owned())),
            Delivery::Refused => Some(MailError::Permanent("550 never".to_owned())),
        });
        let courier = Courier { store: self.store.clone(), ..world.courier() };
        let mut outcomes = Vec::new();
        let mut due = courier.claim(1000).await.unwrap();
        // Of what is due at one moment, any may come first.
        due.sort_by_key(|claimed| claimed.id);
        for claimed in due {
            outcomes.push((claimed.id, courier.deliver(&claimed).await.unwrap()));
        }
        let sent = world.mailer.take();
        let codes = self.codes_of(&sent).await;
        self.mailed.extend(codes);
        let sent: Vec<_> = sent.iter().map(|mail| (mail.id, &mail.to, mail.template)).collect();
        format!("{outcomes:?} {sent:?}")
    }

    /// Which codes these mails had, as the outbox has it.
    async fn codes_of(&self, sent: &[SentMail]) -> Vec<(CodeId, String)> {
        if sent.iter().all(|mail| mail.code.is_empty()) {
            return Vec::new();
        }
        let batches = self.archive().await;
        let owners: BTreeMap<MailId, CodeId> = batches
            .iter()
            .filter_map(|batch| if let Batch::Outbox(mails) = batch { Some(mails) } else { None })
            .flatten()
            .filter_map(|mail| Some((mail.id, mail.code_id?)))
            .collect();
        let code = |mail: &SentMail| Some((*owners.get(&mail.id)?, mail.code.clone()));
        sent.iter().filter(|mail| !mail.code.is_empty()).filter_map(code).collect()
    }
}
