//! What other processes do to the file: the service must not believe what it remembers once the command line has changed it.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use auth_domain::Revocations;
use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::BigInt};
use tracing::warn;

use crate::writer::{Writer, Writing};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = BigInt)]
    data_version: i64,
}

/// Tells `revocations` to forget everything when somebody else has written to the file, and up to when that is known.
pub(crate) fn watch(writer: &Writer, revocations: Arc<dyn Revocations>) -> io::Result<()> {
    let others = Others::known_to(revocations);
    writer.watch(LOOK_EVERY, move |writing| others.look(writing))
}

/// What is known of the others.
///
/// `PRAGMA data_version` changes for a connection when another one has committed. Asked on the only connection with which
/// this process writes, it tells of other processes and of nobody else. Values of two connections tell nothing: they may be
/// equal although somebody has committed in between.
struct Others {
    revocations: Arc<dyn Revocations>,
    seen: Mutex<Option<Seen>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    /// The number of the connection that the version was read on.
    connection: u64,
    data_version: i64,
}

impl Others {
    fn known_to(revocations: Arc<dyn Revocations>) -> Self {
        Self { revocations, seen: Mutex::new(None) }
    }

    fn look(&self, writing: &mut Writing) {
        #[expect(clippy::disallowed_methods, reason = "how long nothing was heard is no matter of the wall clock's")]
        let asked_at = Instant::now();
        match sql_query("PRAGMA data_version").get_result::<Version>(&mut writing.connection) {
            Ok(Version { data_version }) => {
                let now = Seen { connection: writing.number, data_version };
                let before = self.seen.lock().unwrap_or_else(PoisonError::into_inner).replace(now);
                // The first look on a connection comes here too: what was committed before it is not known.
                if before != Some(now) {
                    self.revocations.forget_everything();
                }
                self.revocations.heard_until(asked_at);
            }
            // Nothing was heard, and whoever remembers stops doing so.
            Err(error) => warn!(%error, "whether others have written to the database cannot be told"),
        }
    }
}

#[cfg(test)]
mod tests {
    use auth_domain::StoreError;
    use diesel::{SqliteConnection, connection::SimpleConnection};

    use super::*;
    use crate::{connections::Database, migrations};

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Told {
        Forget,
        Heard,
    }

    #[derive(Default)]
    struct Memory(Mutex<Vec<Told>>);

    impl Memory {
        fn told(&self) -> Vec<Told> {
            std::mem::take(&mut *self.0.lock().unwrap())
        }
    }

    impl Revocations for Memory {
        fn forget_user(&self, user: auth_domain::UserId) {
            panic!("nobody knows that it was {user}");
        }

        fn forget_everything(&self) {
            self.0.lock().unwrap().push(Told::Forget);
        }

        fn heard_until(&self, _moment: Instant) {
            self.0.lock().unwrap().push(Told::Heard);
        }
    }

    struct Scene {
        writer: Writer,
        memory: Arc<Memory>,
        others: Arc<Others>,
        other: SqliteConnection,
        _folder: tempfile::TempDir,
    }

    impl Scene {
        /// Looked at once.
        async fn begin() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let database = Database::at(&folder.path().join("auth.db"), Duration::from_secs(3)).unwrap();
            migrations::prepare(&database).unwrap();
            let mut other = database.connect().unwrap();
            other.batch_execute("CREATE TABLE t (x)").unwrap();
            let writer = Writer::start(database.clone(), database.connect().unwrap()).unwrap();
            let memory = Arc::new(Memory::default());
            let others = Arc::new(Others::known_to(Arc::clone(&memory) as Arc<dyn Revocations>));
            let scene = Self { writer, memory, others, other, _folder: folder };
            assert_eq!(scene.look().await, [Told::Forget, Told::Heard], "what was before is not known");
            scene
        }

        async fn look(&self) -> Vec<Told> {
            let others = Arc::clone(&self.others);
            self.writer.show(move |writing| others.look(writing)).await;
            self.memory.told()
        }

        async fn write(&self, statements: &'static str) -> Result<(), StoreError> {
            self.writer.write(|conn| Ok(conn.batch_execute(statements)?), |_outcome| {}).await
        }
    }

    #[tokio::test]
    async fn everything_is_forgotten_when_somebody_else_has_written_and_not_else() {
        let mut scene = Scene::begin().await;
        assert_eq!(scene.look().await, [Told::Heard]);
        scene.write("INSERT INTO t VALUES (1)").await.unwrap();
        assert_eq!(scene.look().await, [Told::Heard], "its own writes are told of one by one");
        scene.other.batch_execute("INSERT INTO t VALUES (2)").unwrap();
        assert_eq!(scene.look().await, [Told::Forget, Told::Heard]);
        assert_eq!(scene.look().await, [Told::Heard]);
    }

    #[tokio::test]
    async fn everything_is_forgotten_when_the_connection_is_a_new_one() {
        let mut scene = Scene::begin().await;
        scene.other.batch_execute("INSERT INTO t VALUES (1)").unwrap();
        let failed = scene.write("INSERT INTO nowhere VALUES (1)").await;
        assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
        assert_eq!(scene.look().await, [Told::Forget, Told::Heard]);
        assert_eq!(scene.look().await, [Told::Heard]);
    }

    #[tokio::test]
    async fn everything_is_forgotten_when_a_write_has_panicked() {
        let mut scene = Scene::begin().await;
        scene.other.batch_execute("INSERT INTO t VALUES (1)").unwrap();
        let panicked: Result<(), _> = scene.writer.write(|_| panic!("on purpose"), |_outcome| {}).await;
        assert!(matches!(panicked, Err(StoreError::Unavailable(_))), "{panicked:?}");
        assert_eq!(scene.look().await, [Told::Forget, Told::Heard]);
    }
}
