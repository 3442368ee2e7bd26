//! The one connection that writes, on a thread of its own.
//!
//! SQLite lets one connection write at a time. Queueing for it here is fair and wastes nothing; several connections
//! would poll for the lock instead, and starve each other. And since the thread, not the caller's task, carries a
//! fact out, a caller that goes away half-way leaves it done, or not begun.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use auth_domain::StoreError;
use diesel::SqliteConnection;
use tokio::sync::{mpsc, oneshot};
use tracing::error;

use crate::{connections::Database, error::Failure};

/// Writes that can wait for their turn.
const QUEUED_AT_MOST: usize = 1024;

/// What the thread does with the connection, or with the reason why there is none. Says whether the connection is
/// still good.
type Job = Box<dyn FnOnce(Result<&mut Writing, StoreError>) -> Condition + Send>;

/// The connection that writes, until it is replaced by a new one.
pub(crate) struct Writing {
    pub(crate) connection: SqliteConnection,
    /// Which one it is: no two of a writer's have the same number.
    pub(crate) number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Good,
    /// Something failed on it that may have left it in any state.
    Doubtful,
}

/// Hands writes to the thread. When it is dropped, the connection has been closed.
pub(crate) struct Writer {
    // Dropped first, in the order of declaration: the thread ends when it has no more senders.
    queue: mpsc::Sender<Job>,
    _thread: Joined,
}

impl Writer {
    /// Starts the thread, which writes on `connection` as long as that is good, and on new ones afterwards.
    pub(crate) fn start(database: Database, connection: SqliteConnection) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUED_AT_MOST);
        let thread = thread::Builder::new()
            .name("auth-sqlite-writer".to_owned())
            .spawn(move || work_off(jobs, &database, connection))?;
        Ok(Self { queue, _thread: Joined(Some(thread)) })
    }

    /// Runs `fact` in a transaction of its own, which holds the write lock from its beginning: what it reads is still
    /// true when it writes.
    ///
    /// A fact that nobody waits for any more, because the caller went away or was told that it took too long, is not
    /// begun. One that was begun is followed by `then`, with what came of it, before anybody is answered.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        fact: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
        then: impl FnOnce(&Result<T, StoreError>) + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |writing| {
            if answer.is_closed() {
                return Condition::Good;
            }
            let outcome = writing.and_then(|writing| carry_out(&mut writing.connection, fact));
            then(&outcome);
            let condition = match outcome {
                Err(StoreError::Unavailable(_)) => Condition::Doubtful,
                _ => Condition::Good,
            };
            // Nobody listens any more, which changes nothing about the fact.
            let _unheard = answer.send(outcome);
            condition
        });
        self.queue.send(job).await.map_err(|_closed| StoreError::unavailable("the writer has stopped"))?;
        answered.await.map_err(|_dropped| StoreError::unavailable("the writer gave up on this write"))?
    }
}

impl Writer {
    /// Calls `look` once, after the writes that are queued already.
    #[cfg(test)]
    pub(crate) async fn show(&self, look: impl FnOnce(&mut Writing) + Send + 'static) {
        let (say, seen) = oneshot::channel();
        let job = looking(move |writing| {
            look(writing);
            say.send(()).unwrap();
        });
        assert!(self.queue.send(job).await.is_ok());
        seen.await.unwrap();
    }

    /// Calls `look` with the writing connection every so often, for as long as the writer lives. Several that wait behind a
    /// long write come at once; one that cannot be had is left out.
    pub(crate) fn watch(&self, every: Duration, look: impl Fn(&mut Writing) + Send + Sync + 'static) -> io::Result<()> {
        let (queue, look) = (self.queue.downgrade(), Arc::new(look));
        thread::Builder::new().name("auth-sqlite-watch".to_owned()).spawn(move || {
            loop {
                thread::sleep(every);
                let look = Arc::clone(&look);
                let job = looking(move |writing| look(writing));
                // In this order: the thread must not keep the writer alive while it sleeps.
                let sent = queue.upgrade().map(|queue| queue.blocking_send(job));
                if !matches!(sent, Some(Ok(()))) {
                    return;
                }
            }
        })?;
        Ok(())
    }
}

/// Lets `look` see the connection, if there is one.
fn looking(look: impl FnOnce(&mut Writing) + Send + 'static) -> Job {
    Box::new(move |writing| {
        if let Ok(writing) = writing {
            look(writing);
        }
        Condition::Good
    })
}

fn work_off(mut jobs: mpsc::Receiver<Job>, database: &Database, first: SqliteConnection) {
    let mut last_number = 0;
    let mut numbered = |connection| {
        last_number += 1;
        Writing { connection, number: last_number }
    };
    let mut kept = Some(numbered(first));
    while let Some(job) = jobs.blocking_recv() {
        let opened = match kept.take() {
            Some(writing) => Ok(writing),
            None => database.connect().map(&mut numbered),
        };
        let mut writing = match opened {
            Ok(writing) => writing,
            Err(reason) => {
                job(Err(reason));
                continue;
            }
        };
        match catch_unwind(AssertUnwindSafe(|| job(Ok(&mut writing)))) {
            Ok(Condition::Good) => kept = Some(writing),
            // Closing it rolls back what it had begun.
            Ok(Condition::Doubtful) => drop(writing),
            Err(_panic) => {
                drop(writing);
                error!("a write panicked; it was rolled back, and its caller knows that it failed");
            }
        }
    }
}

fn carry_out<T>(
    connection: &mut SqliteConnection,
    fact: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
) -> Result<T, StoreError> {
    let mut first = None;
    let outcome = connection.immediate_transaction(|open| fact(open).inspect_err(|why| first = Some(why.clone())));
    // On a full disk SQLite rolls back by itself; then diesel's rollback fails too, and its error hides the reason.
    outcome.map_err(|last| first.unwrap_or(last).into())
}

/// A thread that is waited for when this is dropped.
struct Joined(Option<JoinHandle<()>>);

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take()
            && thread.join().is_err()
        {
            error!("the writer's thread panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, sync::mpsc::channel, task::Poll};

    use auth_testkit::waiting::PATIENCE;
    use diesel::{QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::BigInt};

    use super::*;
    use crate::{SqliteOptions, SqliteStore};

    fn open() -> (SqliteStore, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("auth.db")).unwrap();
        (store, folder)
    }

    async fn run(store: &SqliteStore, statements: &'static str) -> Result<(), StoreError> {
        store.write(move |conn| Ok(conn.batch_execute(statements)?)).await
    }

    async fn count(store: &SqliteStore) -> i64 {
        #[derive(QueryableByName)]
        struct Count {
            #[diesel(sql_type = BigInt)]
            n: i64,
        }
        store.read(|conn| Ok(sql_query("SELECT count(*) AS n FROM t").get_result::<Count>(conn)?.n)).await.unwrap()
    }

    #[tokio::test]
    async fn a_full_disk_is_unavailable_and_passes() {
        let (store, _folder) = open();
        run(&store, "CREATE TABLE t (x); INSERT INTO t VALUES (1)").await.unwrap();
        // A limit that is already reached stands for the disk.
        let full = run(
            &store,
            "PRAGMA max_page_count = 1; INSERT INTO t VALUES (2); INSERT INTO t VALUES (zeroblob(1000000))",
        )
        .await;
        let Err(StoreError::Unavailable(reason)) = full else { panic!("{full:?}") };
        assert!(reason.to_string().contains("full"), "{reason}");
        assert_eq!(count(&store).await, 1, "nothing of it was stored");
        run(&store, "INSERT INTO t VALUES (3)").await.unwrap();
        assert_eq!(count(&store).await, 2);
    }

    #[tokio::test]
    async fn a_write_that_panics_is_rolled_back_and_the_next_one_works() {
        let (store, _folder) = open();
        run(&store, "CREATE TABLE t (x)").await.unwrap();
        let panicked: Result<(), _> = store
            .write(|conn| {
                conn.batch_execute("INSERT INTO t VALUES (1)")?;
                panic!("on purpose")
            })
            .await;
        assert!(matches!(panicked, Err(StoreError::Unavailable(_))), "{panicked:?}");
        run(&store, "INSERT INTO t VALUES (2)").await.unwrap();
        assert_eq!(count(&store).await, 1);
    }

    #[tokio::test]
    async fn a_write_that_nobody_waits_for_any_more_is_not_begun() {
        let (store, _folder) = open();
        run(&store, "CREATE TABLE t (x)").await.unwrap();
        let (end, ended) = channel();
        let mut slow = pin!(store.write(move |_| {
            ended.recv_timeout(PATIENCE).unwrap();
            Ok(())
        }));
        {
            let mut dropped = pin!(run(&store, "INSERT INTO t VALUES (1)"));
            std::future::poll_fn(|context| {
                assert!(slow.as_mut().poll(context).is_pending());
                assert!(dropped.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
        }
        end.send(()).unwrap();
        slow.await.unwrap();
        run(&store, "INSERT INTO t VALUES (2)").await.unwrap();
        assert_eq!(count(&store).await, 1);
    }

    #[tokio::test]
    async fn a_write_that_takes_too_long_is_unavailable_in_time() {
        let (store, _folder) = open();
        let ((say, begun), (end, ended)) = (channel(), channel());
        let mut slow = pin!(store.write(move |_| {
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
        // From here on time leaps to where the caller gives up.
        tokio::time::pause();
        let asked = tokio::time::Instant::now();
        assert!(matches!(slow.await, Err(StoreError::Unavailable(_))));
        assert!(asked.elapsed() <= SqliteOptions::default().timeout + Duration::from_millis(1));
        tokio::time::resume();
        end.send(()).unwrap();
        run(&store, "CREATE TABLE t (x)").await.unwrap();
    }
}
