//! The store: one writer, several readers.

use std::{
    io,
    num::NonZero,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use auth_domain::{FactKey, KeyedLock, Network, NoMemory, Revocations, StoreError, Timeouts, UserId};
use diesel::SqliteConnection;
use tokio::time::timeout;
use tracing::{Instrument, Span, debug_span};

use crate::{
    connections::{Database, Readers},
    error::{Failure, OpenError},
    migrations::{self, check_layout, innermost},
    others,
    writer::Writer,
};

/// How the store is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqliteOptions {
    /// The longest that a call may take, the wait for other writers included: then it fails as
    /// [`Unavailable`](StoreError::Unavailable).
    pub timeout: Duration,
}

impl Default for SqliteOptions {
    /// 2.8 seconds.
    fn default() -> Self {
        Self { timeout: Timeouts::USUAL_CALL }
    }
}

/// Everything that is remembered, in one SQLite file.
///
/// Several processes may open the same file, such as the service and its command line. Dropping the store waits for
/// the write under way and closes the file.
pub struct SqliteStore {
    // Dropped before the writer, which closes the file unless a read is under way.
    /// For checks alone: no query holds up one of these.
    for_checks: Readers,
    for_queries: Arc<Readers>,
    writer: Writer,
    /// Told of what revokes or changes a credential.
    revocations: Arc<dyn Revocations>,
    /// Held by whoever works on what a caller has chosen, before they queue for the writer.
    turns: KeyedLock<FactKey>,
    timeouts: Timeouts,
}

/// Whose credentials a fact may have ended or changed.
pub(crate) type Revoked = Mutex<Vec<UserId>>;

impl SqliteStore {
    /// Opens the database in the file `path`, and brings it up to date. The file and its folder are made if need be;
    /// a new file can be read by its owner alone.
    ///
    /// Blocks while it works, and while another process brings the same database up to date.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, SqliteOptions::default())
    }

    /// The same with other options.
    pub fn open_with(path: &Path, options: SqliteOptions) -> Result<Self, OpenError> {
        let database = Database::at(path, options.timeout)?;
        migrations::prepare(&database)?;
        Self::on(database, path)
    }

    /// Opens the database in the file `path` as it is: it must exist and have the layout of this build. Nothing is made and
    /// nothing migrated.
    pub fn open_existing(path: &Path, options: SqliteOptions) -> Result<Self, OpenError> {
        let database = Database::at(path, options.timeout)?;
        // SQLite's own words for it would be that it is unable to open the file.
        path.metadata().map_err(OpenError::io(path))?;
        let check = || check_layout(&mut database.connect_reader()?);
        check().map_err(|failure| OpenError::inaccessible(path, &innermost(&failure.into())))?;
        Self::on(database, path)
    }

    fn on(database: Database, path: &Path) -> Result<Self, OpenError> {
        let timeouts = database.timeouts();
        let connection = database.connect().map_err(|error| OpenError::inaccessible(path, &error))?;
        let writer = Writer::start(database.clone(), connection).map_err(OpenError::io(path))?;
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        // Checks read on the thread that asks, so as many are under way at once as there are threads.
        let for_checks = Readers::open(database.clone(), at_most(threads))
            .map_err(|error| OpenError::inaccessible(path, &innermost(&error)))?;
        // A query waits for the disk now and then, so that twice as many keep all processors busy; more would only take
        // turns.
        let for_queries = Arc::new(Readers::new(database, at_most(threads.saturating_mul(2))));
        let (revocations, turns) = (Arc::new(NoMemory), KeyedLock::default());
        Ok(Self { for_checks, for_queries, writer, revocations, turns, timeouts })
    }

    /// Brings the database in the file `path` up to date, as [`open`](Self::open) does. Returns the names of the
    /// migrations that were applied now, oldest first.
    pub fn migrate(path: &Path) -> Result<Vec<String>, OpenError> {
        migrations::prepare(&Database::at(path, SqliteOptions::default().timeout)?)
    }

    /// The same store, which tells `revocations` of everything that may make a remembered credential wrong: what it does
    /// itself at once, and what other processes do to the file, such as the command line, within a fraction of a second.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn telling(mut self, revocations: Arc<dyn Revocations>) -> io::Result<Self> {
        self.revocations = Arc::clone(&revocations);
        others::watch(&self.writer, revocations)?;
        Ok(self)
    }

    /// Runs `fact` on the writer, in a transaction of its own.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        fact: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.in_turn(None, fact, |_outcome| {}).instrument(part(|| debug_span!("store.write"))).await
    }

    /// Runs a fact that may revoke or change credentials: before it writes anything it says whose, and that is told before anybody
    /// is answered, whatever came of it.
    ///
    /// Of those with one key, one at a time queues for the writer: many who ask for the same leave it to everybody else.
    pub(crate) async fn carry_out(
        &self,
        turn: Option<(FactKey, Option<Network>)>,
        fact: impl FnOnce(&mut SqliteConnection, &Revoked) -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), StoreError> {
        let (revocations, revoked) = (Arc::clone(&self.revocations), Arc::<Revoked>::default());
        let said = Arc::clone(&revoked);
        let tell = move |_outcome: &Result<(), StoreError>| {
            for user in revoked.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                revocations.forget_user(*user);
            }
        };
        let fact = move |conn: &mut SqliteConnection| fact(conn, &said);
        self.in_turn(turn, fact, tell).instrument(part(|| debug_span!("store.fact"))).await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        turn: Option<(FactKey, Option<Network>)>,
        fact: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
        then: impl FnOnce(&Result<T, StoreError>) + Send + 'static,
    ) -> Result<T, StoreError> {
        let writing = async {
            let turn = match turn {
                Some((key, asker)) => Some(
                    timeout(self.timeouts.turn(), self.turns.lock(key, asker))
                        .await
                        .map_err(|_elapsed| StoreError::unavailable("no turn in time: others ask for the same"))?
                        .map_err(StoreError::unavailable)?,
                ),
                None => None,
            };
            let then = move |outcome: &Result<T, StoreError>| {
                then(outcome);
                // Not before it is committed, whether or not anybody still waits for the answer.
                drop(turn);
            };
            self.writer.write(fact, then).await
        };
        match timeout(self.timeouts.call(), writing).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(StoreError::unavailable("the writer did not answer in time")),
        }
    }

    /// Runs `query` on a reader, off the runtime's threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let reading = Arc::clone(&self.for_queries).read(query);
        reading.instrument(part(|| debug_span!("store.read"))).await
    }

    /// Runs `query` on a reader, on the thread that asks: for reads that take less time than changing threads.
    ///
    /// Where more threads ask at once than there are readers for it, the others ask as everybody else does: no thread waits.
    pub(crate) async fn read_here<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.for_checks.read_here(query) {
            Ok(answer) => answer,
            // Rare, so in a place of its own: no other check pays for the space that it takes.
            Err(query) => Box::pin(self.read(query)).await,
        }
    }
}

/// How many readers of a kind there are at most, if `wanted` would suffice.
///
/// Each takes up to 8 MiB for its cache and has two files open. Of the 256 files that the service keeps for everything that is
/// no client's, 2 × 32 readers and the writer take 130, on however large a machine. Fewer than 4 would let a few slow
/// queries hold up everybody else's on a small one.
fn at_most(wanted: usize) -> usize {
    wanted.clamp(4, 32)
}

/// A span for work on the store, as a part of whatever it is done for. What the jobs ask for all the time is part of nothing
/// and gets none.
fn part(make: fn() -> Span) -> Span {
    if Span::current().is_disabled() { Span::none() } else { make() }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::{Mutex, mpsc::channel},
        task::Poll,
        time::Instant,
    };

    use auth_domain::{EventKind, Outcome, Registration, Sessions, Store, UserChange};
    use auth_testkit::{
        samples::{at, event, registration, right_guess},
        waiting::PATIENCE,
    };
    use diesel::connection::SimpleConnection;

    use super::*;

    /// Whom it was told to forget; `None` for everybody.
    #[derive(Default)]
    struct Memory(Mutex<Vec<Option<UserId>>>);

    impl Memory {
        fn told(&self) -> Vec<Option<UserId>> {
            std::mem::take(&mut *self.0.lock().unwrap())
        }
    }

    impl Revocations for Memory {
        fn forget_user(&self, user: UserId) {
            self.0.lock().unwrap().push(Some(user));
        }

        fn forget_everything(&self) {
            self.0.lock().unwrap().push(None);
        }

        fn heard_until(&self, _moment: Instant) {}
    }

    /// A store with the account of ada, who is live in one session, and the memory that it tells.
    async fn telling() -> (SqliteStore, Registration, Arc<Memory>, tempfile::TempDir) {
        let (folder, memory) = (tempfile::tempdir().unwrap(), Arc::new(Memory::default()));
        let mut store = SqliteStore::open(&folder.path().join("auth.db")).unwrap();
        store.revocations = Arc::clone(&memory) as Arc<dyn Revocations>;
        let (ada, facts) = (registration("ada", "ada@example.org", at(0)), &store as &dyn Store);
        assert_eq!(facts.register_user(&ada).await.unwrap(), Outcome::Done(()));
        let _redeemed = facts.redeem_code(&right_guess(&ada.sign_in.code, at(0))).await.unwrap();
        assert_eq!(memory.told(), [], "nothing was revoked");
        (store, ada, memory, folder)
    }

    #[tokio::test]
    async fn whose_credentials_a_fact_revokes_is_told_once_it_happened_and_not_if_it_did_not() {
        let (store, ada, memory, _folder) = telling().await;
        let store = &store as &dyn Store;
        let told = event(EventKind::UserDisabled, at(1));
        let changed = store.change_user(ada.user_id, &UserChange::Disable, &told).await;
        assert_eq!((changed.unwrap(), memory.told()), (Outcome::Done(()), vec![Some(ada.user_id)]));
        let changed = store.change_user(ada.user_id, &UserChange::Disable, &told).await;
        assert_eq!((changed.unwrap(), memory.told()), (Outcome::Unchanged, vec![]));
    }

    #[tokio::test]
    async fn whose_credentials_a_fact_would_have_revoked_is_told_when_it_failed_on_the_way() {
        let (store, ada, memory, _folder) = telling().await;
        let fail = "CREATE TRIGGER kept BEFORE DELETE ON users BEGIN SELECT RAISE(ABORT, 'on purpose'); END";
        store.write(|conn| Ok(conn.batch_execute(fail)?)).await.unwrap();
        let deleted = (&store as &dyn Store).delete_user(ada.user_id, &event(EventKind::UserDeleted, at(1))).await;
        assert!(matches!(deleted, Err(StoreError::Unavailable(_))), "{deleted:?}");
        assert_eq!(memory.told(), [Some(ada.user_id)]);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_told_all_the_same() {
        let (store, ada, memory, _folder) = telling().await;
        let ((say, begun), (end, ended)) = (channel(), channel());
        let mut slow = Box::pin(store.carry_out(None, move |_, revoked| {
            revoked.lock().unwrap().push(ada.user_id);
            say.send(()).unwrap();
            ended.recv_timeout(PATIENCE).unwrap();
            Ok(())
        }));
        std::future::poll_fn(|context| {
            assert!(slow.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        begun.recv_timeout(PATIENCE).unwrap();
        drop(slow);
        end.send(()).unwrap();
        // Behind it in the queue.
        store.write(|_| Ok(())).await.unwrap();
        assert_eq!(memory.told(), [Some(ada.user_id)]);
    }

    #[tokio::test]
    async fn a_check_waits_for_nobodys_query() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("auth.db")).unwrap();
        let ada = registration("ada", "ada@example.org", at(0));
        assert_eq!((&store as &dyn Store).register_user(&ada).await.unwrap(), Outcome::Done(()));
        let _held = store.for_queries.hold_all();
        let mut query = pin!(store.list_sessions(ada.user_id, at(1)));
        let mut check = pin!(store.find_session(&ada.sign_in.session.digest));
        std::future::poll_fn(|context| {
            assert!(query.as_mut().poll(context).is_pending());
            let Poll::Ready(found) = check.as_mut().poll(context) else { panic!("it waits") };
            assert!(found.unwrap().is_some());
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn checks_on_more_threads_than_have_readers_are_answered_too() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("auth.db")).unwrap();
        let ada = registration("ada", "ada@example.org", at(0));
        assert_eq!((&store as &dyn Store).register_user(&ada).await.unwrap(), Outcome::Done(()));
        let _held = store.for_checks.hold_all();
        assert!(store.find_session(&ada.sign_in.session.digest).await.unwrap().is_some());
    }

    #[test]
    fn readers_are_few_on_any_machine() {
        for (wanted, given) in [(1, 4), (4, 4), (16, 16), (32, 32), (1024, 32)] {
            assert_eq!(at_most(wanted), given, "{wanted}");
        }
    }
}
