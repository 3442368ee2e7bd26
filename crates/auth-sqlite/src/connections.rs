//! Connections: how they are opened, and the pool of those that only read.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use auth_domain::{StoreError, Timeouts};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use crate::error::{Failure, OpenError};

/// What holds for every connection.
///
/// - `synchronous`: in WAL mode, `FULL` alone syncs the log at each commit. What was acknowledged survives a power cut.
/// - `fullfsync`: on Apple's systems a plain fsync does not reach the disk; elsewhere this does nothing.
/// - `cache_size`: 8 MiB for each connection, taken as needed.
/// - `secure_delete`: deleted addresses and mails are overwritten where that costs no further write.
///
/// Nobody runs `ANALYZE` or `PRAGMA optimize` on this database: with statistics in place, SQLite plans a statement
/// anew whenever a parameter is bound, which halves the speed of the check.
const EVERY_CONNECTION: &str = "
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA foreign_keys = ON;
    PRAGMA cache_size = -8192;
    PRAGMA temp_store = MEMORY;
    PRAGMA secure_delete = FAST;
    PRAGMA journal_size_limit = 67108864;
";

/// A database file that can be connected to.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    path: PathBuf,
    uri: String,
    timeouts: Timeouts,
}

impl Database {
    /// The database in the file `path`, which is not touched yet. Calls to it may take as long as `call`.
    pub(crate) fn at(path: &Path, call: Duration) -> Result<Self, OpenError> {
        let absolute = std::path::absolute(path).map_err(OpenError::io(path))?;
        let Some(text) = absolute.to_str() else {
            return Err(OpenError::inaccessible(path, &"its path is not UTF-8"));
        };
        // As a URI (https://www.sqlite.org/uri.html) with mode=rw: a plain name would silently make a new, empty
        // database if the file were taken away while we run.
        let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let uri = format!("file:{escaped}?mode=rw");
        Ok(Self { path: absolute, uri, timeouts: Timeouts::of_a_call(call) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How long whoever uses it waits.
    pub(crate) fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// A connection that reads and writes.
    pub(crate) fn connect(&self) -> Result<SqliteConnection, StoreError> {
        let mut connection = SqliteConnection::establish(&self.uri).map_err(StoreError::unavailable)?;
        // Another process may be writing. It is waited for as long as leaves time to write.
        let busy = self.timeouts.statement().as_millis();
        let settings = format!("PRAGMA busy_timeout = {busy};{EVERY_CONNECTION}");
        connection.batch_execute(&settings).map_err(Failure::from)?;
        Ok(connection)
    }

    /// A connection on which every statement that would write fails.
    pub(crate) fn connect_reader(&self) -> Result<SqliteConnection, StoreError> {
        let mut connection = self.connect()?;
        connection.batch_execute("PRAGMA query_only = ON").map_err(Failure::from)?;
        Ok(connection)
    }
}

/// Connections that only read, up to a number. In WAL mode they wait for no writer, and no writer waits for them.
pub(crate) struct Readers {
    database: Database,
    idle: Mutex<Vec<SqliteConnection>>,
    /// A permit for each connection that is not in use, open or not. Whoever reads holds one, so no more are open than there
    /// are permits.
    free: Arc<Semaphore>,
}

impl Readers {
    /// Readers of `database`, of which none is open yet and `at_most` so many will be.
    pub(crate) fn new(database: Database, at_most: usize) -> Self {
        Self { database, idle: Mutex::new(Vec::with_capacity(at_most)), free: Arc::new(Semaphore::new(at_most)) }
    }

    /// The same, all of which are open: no read has to wait for that.
    pub(crate) fn open(database: Database, readers: usize) -> Result<Self, StoreError> {
        let opened = Self::new(database, readers);
        for _ in 0..readers {
            let reader = opened.database.connect_reader()?;
            opened.idle().push(reader);
        }
        Ok(opened)
    }

    /// Runs `job` on a reader of its own, off the runtime's threads. Where none is free it waits for one, first come, first
    /// served, but no longer than a call of the store may take. Nobody holds a thread while they wait.
    pub(crate) async fn read<T: Send + 'static>(
        self: Arc<Self>,
        job: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let free = Arc::clone(&self.free).acquire_owned();
        let limit = self.database.timeouts.call();
        let reading = async {
            let held = free.await.map_err(StoreError::unavailable)?;
            let reading = spawn_blocking(move || {
                // Until the job has ended, whether or not anybody still waits for its answer.
                let _held = held;
                self.read_on_one(job)
            });
            reading.await.map_err(StoreError::unavailable)?
        };
        timeout(limit, reading).await.map_err(|_elapsed| StoreError::unavailable("the file was not read in time"))?
    }

    /// Runs `job` on a reader of its own, on this thread. Where none is free it waits for nobody, and `job` comes back.
    pub(crate) fn read_here<T, F>(&self, job: F) -> Result<Result<T, StoreError>, F>
    where
        F: FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
    {
        match self.free.try_acquire() {
            Ok(_held) => Ok(self.read_on_one(job)),
            Err(_none) => Err(job),
        }
    }

    /// Runs `job` for somebody who holds a permit. A reader on which anything failed is not used again.
    fn read_on_one<T>(&self, job: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>) -> Result<T, StoreError> {
        // In a statement of its own: the lock must not be held while the job runs.
        let idle = self.idle().pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => self.database.connect_reader()?,
        };
        let answer = job(&mut reader)?;
        self.idle().push(reader);
        Ok(answer)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        // Nothing is done under this lock that could leave the list half changed.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves no reader free until the permits are dropped.
    #[cfg(test)]
    pub(crate) fn hold_all(&self) -> tokio::sync::SemaphorePermit<'_> {
        let free = u32::try_from(self.free.available_permits()).unwrap();
        self.free.try_acquire_many(free).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::mpsc::{Receiver, Sender, channel},
        task::Poll,
        time::Duration,
    };

    use auth_testkit::waiting::{PATIENCE, until};
    use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::BigInt};
    use tokio::task::JoinSet;

    use super::*;

    #[derive(QueryableByName)]
    struct Setting {
        #[diesel(sql_type = BigInt)]
        value: i64,
    }

    fn setting(connection: &mut SqliteConnection, name: &str) -> i64 {
        // The one of `busy_timeout` has a name of its own.
        let column = if name == "busy_timeout" { "timeout" } else { name };
        sql_query(format!("SELECT {column} AS value FROM pragma_{name}"))
            .get_result::<Setting>(connection)
            .unwrap()
            .value
    }

    const TIMEOUT: Duration = Duration::from_secs(3);

    fn database(folder: &tempfile::TempDir) -> Database {
        let path = folder.path().join("50% off? #1.db");
        std::fs::File::create(&path).unwrap();
        Database::at(&path, TIMEOUT).unwrap()
    }

    #[test]
    fn every_connection_syncs_each_commit_and_enforces_foreign_keys() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = database(&folder).connect().unwrap();
        assert_eq!(setting(&mut connection, "synchronous"), 2, "FULL");
        assert_eq!(setting(&mut connection, "foreign_keys"), 1);
        assert_eq!(setting(&mut connection, "query_only"), 0);
    }

    #[test]
    fn a_connection_gives_up_on_the_lock_before_the_caller_gives_up_on_the_connection() {
        let folder = tempfile::tempdir().unwrap();
        let waits = setting(&mut database(&folder).connect().unwrap(), "busy_timeout");
        assert!(u128::try_from(waits).unwrap() < TIMEOUT.as_millis(), "{waits} ms");
    }

    fn readers(folder: &tempfile::TempDir, at_most: usize) -> Arc<Readers> {
        Arc::new(Readers::new(database(folder), at_most))
    }

    #[tokio::test]
    async fn a_reader_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let written = readers(&folder, 1).read(|reader| Ok(reader.batch_execute("CREATE TABLE t (x)")?)).await;
        assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
    }

    #[tokio::test]
    async fn a_reader_that_failed_is_not_used_again_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(&folder, 1);
        let read = || Arc::clone(&readers).read(|_| Ok(()));
        read().await.unwrap();
        assert_eq!(readers.idle().len(), 1);
        let failed = Arc::clone(&readers).read(|reader| Ok(reader.batch_execute("nonsense")?)).await;
        assert!(failed.is_err());
        assert_eq!(readers.idle().len(), 0);
        let panicked: Result<(), _> = Arc::clone(&readers).read(|_| panic!("on purpose")).await;
        assert!(matches!(panicked, Err(StoreError::Unavailable(_))), "{panicked:?}");
        read().await.unwrap();
        assert_eq!(readers.idle().len(), 1);
    }

    #[test]
    fn readers_that_are_opened_first_are_used_first() {
        let folder = tempfile::tempdir().unwrap();
        let readers = Readers::open(database(&folder), 2).unwrap();
        assert_eq!(readers.idle().len(), 2);
        let idle = readers.read_here(|_| Ok(readers.idle().len())).ok().unwrap();
        assert_eq!(idle.unwrap(), 1);
        assert_eq!(readers.idle().len(), 2);
    }

    #[test]
    fn a_read_on_the_own_thread_waits_for_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(&folder, 1);
        let nested = readers.read_here(|_| Ok(readers.read_here(|_| Ok(())).is_err()));
        assert!(nested.ok().unwrap().unwrap());
        assert!(readers.read_here(|_| Ok(())).is_ok());
    }

    /// Reads that are held up, one of which ends whenever it is said so.
    struct HeldUp {
        counts: Mutex<Counts>,
        end: Mutex<Receiver<()>>,
    }

    #[derive(Debug, Clone, Copy, Default)]
    struct Counts {
        now: usize,
        most: usize,
    }

    impl HeldUp {
        /// And what ends them. All of them end with it, so that a test which fails need not wait for them.
        fn new() -> (Arc<Self>, Sender<()>) {
            let (say, end) = channel();
            (Arc::new(Self { counts: Mutex::default(), end: Mutex::new(end) }), say)
        }

        fn read(self: &Arc<Self>, readers: &Arc<Readers>) -> impl Future<Output = Result<(), StoreError>> + use<> {
            let held_up = Arc::clone(self);
            Arc::clone(readers).read(move |reader| {
                {
                    let mut counts = held_up.counts.lock().unwrap();
                    counts.now += 1;
                    counts.most = counts.most.max(counts.now);
                }
                // It opens all the files of its connection.
                setting(reader, "application_id");
                let end = held_up.end.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(PATIENCE);
                end.unwrap();
                held_up.counts.lock().unwrap().now -= 1;
                Ok(())
            })
        }

        fn counts(&self) -> Counts {
            *self.counts.lock().unwrap()
        }
    }

    /// How often this process has the database's file open.
    #[cfg(target_os = "linux")]
    fn open_files(readers: &Readers) -> usize {
        let links = std::fs::read_dir("/proc/self/fd").unwrap();
        let targets = links.filter_map(|link| std::fs::read_link(link.unwrap().path()).ok());
        targets.filter(|target| target == readers.database.path()).count()
    }

    #[tokio::test]
    async fn no_more_connections_are_open_than_may_be_while_many_reads_are_held_up() {
        const AT_MOST: usize = 4;
        const READS: usize = 100;
        let folder = tempfile::tempdir().unwrap();
        let (readers, (held_up, end)) = (readers(&folder, AT_MOST), HeldUp::new());
        let mut reads: JoinSet<_> = (0..READS).map(|_| held_up.read(&readers)).collect();
        for left in (1..=READS).rev() {
            until("reads", || held_up.counts().now >= AT_MOST.min(left)).await;
            #[cfg(target_os = "linux")]
            assert!(open_files(&readers) <= AT_MOST, "{}", open_files(&readers));
            end.send(()).unwrap();
        }
        while let Some(read) = reads.join_next().await {
            read.unwrap().unwrap();
        }
        assert_eq!(held_up.counts().most, AT_MOST);
        assert_eq!(readers.idle().len(), AT_MOST);
    }

    #[tokio::test]
    async fn who_finds_no_reader_free_waits_for_one_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let readers = readers(&folder, 1);
        let held = readers.hold_all();
        let mut impatient = pin!(Arc::clone(&readers).read(|_| Ok(())));
        tokio::time::pause();
        std::future::poll_fn(|context| {
            assert!(impatient.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        tokio::time::advance(TIMEOUT / 2).await;
        let mut waits = pin!(Arc::clone(&readers).read(|_| Ok(())));
        std::future::poll_fn(|context| {
            assert!(impatient.as_mut().poll(context).is_pending(), "its time is not over");
            assert!(waits.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        tokio::time::advance(TIMEOUT / 2 + Duration::from_millis(1)).await;
        let answered = impatient.await;
        assert!(matches!(answered, Err(StoreError::Unavailable(_))), "{answered:?}");
        tokio::time::resume();
        drop(held);
        waits.await.unwrap();
    }

    #[tokio::test]
    async fn a_read_that_takes_too_long_is_unavailable_in_time_and_keeps_its_reader_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let (readers, (held_up, end)) = (readers(&folder, 1), HeldUp::new());
        let mut slow = pin!(held_up.read(&readers));
        std::future::poll_fn(|context| {
            assert!(slow.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        tokio::time::pause();
        tokio::time::advance(TIMEOUT + Duration::from_millis(1)).await;
        assert!(matches!(slow.await, Err(StoreError::Unavailable(_))));
        tokio::time::resume();
        assert!(readers.read_here(|_| Ok(())).is_err());
        end.send(()).unwrap();
        Arc::clone(&readers).read(|_| Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn a_read_that_nobody_waits_for_any_more_keeps_its_reader_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let (readers, (held_up, end)) = (readers(&folder, 1), HeldUp::new());
        {
            let mut dropped = pin!(held_up.read(&readers));
            std::future::poll_fn(|context| {
                assert!(dropped.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
        }
        assert!(readers.read_here(|_| Ok(())).is_err());
        end.send(()).unwrap();
        Arc::clone(&readers).read(|_| Ok(())).await.unwrap();
        assert_eq!(readers.idle().len(), 1);
    }

    #[test]
    fn a_file_that_was_taken_away_is_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder);
        std::fs::remove_file(database.path()).unwrap();
        assert!(matches!(database.connect(), Err(StoreError::Unavailable(_))));
        assert!(!database.path().exists());
    }
}
