//! The store: one writer, several readers.

use std::{io, num::NonZero, path::Path, sync::Arc, thread};

use auth_domain::{FactKey, KeyedLock, NoMemory, Revocations, StoreError, UserId};
use diesel::SqliteConnection;
use tokio::time::timeout;
use tracing::{Instrument, Span, debug_span};

use crate::{
    connections::{Database, Readers},
    error::{Failure, OpenError},
    migrations::{self, check_layout, innermost},
    others,
    writer::{ANSWERED_WITHIN, Writer},
};

/// Everything that is remembered, in one SQLite file.
///
/// Several processes may open the same file, such as the service and its command line. Dropping the store waits for
/// the write under way and closes the file.
pub struct SqliteStore {
    writer: Writer,
    readers: Arc<Readers>,
    /// Told of what revokes or changes a credential.
    revocations: Arc<dyn Revocations>,
    /// Held by whoever works on what a caller has chosen, before they queue for the writer.
    turns: KeyedLock<FactKey>,
}

impl SqliteStore {
    /// Opens the database in the file `path`, and brings it up to date. The file and its folder are made if need be;
    /// a new file can be read by its owner alone.
    ///
    /// Blocks while it works, and while another process brings the same database up to date.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let database = Database::at(path)?;
        migrations::prepare(&database)?;
        Self::on(database, path)
    }

    /// Opens the database in the file `path` as it is: it must exist and have the layout of this build. Nothing is made and
    /// nothing migrated.
    pub fn open_existing(path: &Path) -> Result<Self, OpenError> {
        let database = Database::at(path)?;
        // SQLite's own words for it would be that it is unable to open the file.
        path.metadata().map_err(OpenError::io(path))?;
        let check = || check_layout(&mut database.connect_reader()?);
        check().map_err(|failure| OpenError::inaccessible(path, &innermost(&failure.into())))?;
        Self::on(database, path)
    }

    fn on(database: Database, path: &Path) -> Result<Self, OpenError> {
        let connection = database.connect().map_err(|error| OpenError::inaccessible(path, &error))?;
        let writer = Writer::start(database.clone(), connection).map_err(OpenError::io(path))?;
        // Checks read on the thread that asks, so as many can be under way as there are threads.
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let readers = Arc::new(Readers::new(database, threads.max(4)));
        Ok(Self { writer, readers, revocations: Arc::new(NoMemory), turns: KeyedLock::default() })
    }

    /// Brings the database in the file `path` up to date, as [`open`](Self::open) does. Returns the names of the
    /// migrations that were applied now, oldest first.
    pub fn migrate(path: &Path) -> Result<Vec<String>, OpenError> {
        migrations::prepare(&Database::at(path)?)
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
    ///
    /// Of those with one `key`, one at a time queues for the writer: many who ask for the same leave it to everybody else.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        key: Option<FactKey>,
        fact: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.in_turn(key, fact, |_outcome| {}).instrument(part(|| debug_span!("store.write"))).await
    }

    /// Runs a fact that revokes or changes credentials: it returns whose, and that is told before anybody is answered.
    pub(crate) async fn revoke<T: Send + 'static>(
        &self,
        key: Option<FactKey>,
        fact: impl FnOnce(&mut SqliteConnection) -> Result<(T, Option<UserId>), Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let revocations = Arc::clone(&self.revocations);
        let tell = move |outcome: &Result<(T, Option<UserId>), StoreError>| match outcome {
            Ok((_, Some(user))) => revocations.forget_user(*user),
            Ok((_, None)) => {}
            // Whether it was committed before it failed is not known.
            Err(_) => revocations.forget_everything(),
        };
        Ok(self.in_turn(key, fact, tell).instrument(part(|| debug_span!("store.revoke"))).await?.0)
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        key: Option<FactKey>,
        fact: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
        then: impl FnOnce(&Result<T, StoreError>) + Send + 'static,
    ) -> Result<T, StoreError> {
        let writing = async {
            let turn = match key {
                Some(key) => Some(self.turns.lock(key).await.map_err(StoreError::unavailable)?),
                None => None,
            };
            let then = move |outcome: &Result<T, StoreError>| {
                then(outcome);
                // Not before it is committed, whether or not anybody still waits for the answer.
                drop(turn);
            };
            self.writer.write(fact, then).await
        };
        match timeout(ANSWERED_WITHIN, writing).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(StoreError::unavailable("no turn in time: others ask for the same")),
        }
    }

    /// Runs `query` on a reader, off the runtime's threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = Arc::clone(&self.readers);
        let reading = tokio::task::spawn_blocking(move || readers.read(query));
        reading.instrument(part(|| debug_span!("store.read"))).await.map_err(StoreError::unavailable)?
    }

    /// Runs `query` on a reader, on the thread that asks: for reads that take less time than changing threads.
    pub(crate) fn read_here<T>(
        &self,
        query: impl FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.readers.read(query)
    }
}

/// A span for work on the store, as a part of whatever it is done for. What the jobs ask for all the time is part of nothing
/// and gets none.
fn part(make: fn() -> Span) -> Span {
    if Span::current().is_disabled() { Span::none() } else { make() }
}
