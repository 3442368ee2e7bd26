use std::{error::Error, fs, os::unix::fs::MetadataExt, path::PathBuf, time::Duration};

use tokio::{signal::unix::Signal, task::spawn_blocking, time::sleep};
use tracing::{error, info};

use crate::error_chain::chain;

/// How often files are looked at. Cheap: nothing is read while they are the same.
const LOOK_EVERY: Duration = Duration::from_secs(1);

type Reload = Box<dyn Fn() -> Result<bool, Box<dyn Error + Send + Sync>> + Send>;

/// Files that are read again when they have changed.
pub(super) struct Watched {
    /// What is in them.
    what: &'static str,
    files: Vec<PathBuf>,
    /// What they were when they were last read.
    seen: Vec<Option<Stamp>>,
    reload: Reload,
}

/// What changes with a file, whether it is written, replaced, or reached by another link.
type Stamp = (u64, u64, u64, (i64, i64), (i64, i64));

impl Watched {
    /// `reload` reads `files` and returns whether anything is another one now; when it fails, what was there must stay.
    pub(super) fn new<E: Error + Send + Sync + 'static>(
        what: &'static str,
        files: impl IntoIterator<Item = PathBuf>,
        reload: impl Fn() -> Result<bool, E> + Send + 'static,
    ) -> Self {
        // Nothing has been seen: what changed since they were read for the first time is noticed at the first look.
        let reload = Box::new(move || Ok(reload()?));
        Self { what, files: files.into_iter().collect(), seen: Vec::new(), reload }
    }

    /// Reads the files if they have changed, or anyway if that is asked for.
    fn look(&mut self, anyway: bool) {
        // Before they are read: what changes meanwhile is noticed the next time. A file that is not there, or not to be
        // looked at, is a change like any other: reading it says what is wrong.
        let stamps: Vec<_> = self.files.iter().map(|file| fs::metadata(file).ok().map(|found| stamp(&found))).collect();
        if stamps == self.seen && !anyway {
            return;
        }
        self.seen = stamps;
        match (self.reload)() {
            Ok(true) => info!("{} replaced", self.what),
            Ok(false) => {}
            Err(unusable) => {
                error!(
                    reason = chain(unusable.as_ref()),
                    "{} cannot be read again: what was there before stays", self.what
                );
            }
        }
    }
}

fn stamp(found: &fs::Metadata) -> Stamp {
    let modified = (found.mtime(), found.mtime_nsec());
    (found.dev(), found.ino(), found.size(), modified, (found.ctime(), found.ctime_nsec()))
}

/// Keeps what is in the files up to date, and reads all of them at each `hangup`. Never ends.
pub(super) async fn watch(mut watched: Vec<Watched>, mut hangup: Signal) {
    let mut anyway = false;
    loop {
        let looking = spawn_blocking(move || {
            for files in &mut watched {
                files.look(anyway);
            }
            watched
        });
        watched = match looking.await {
            Ok(watched) => watched,
            Err(failed) => {
                error!(reason = %failed, "files are no longer watched");
                return;
            }
        };
        anyway = tokio::select! {
            () = sleep(LOOK_EVERY) => false,
            _ = hangup.recv() => {
                info!(signal = "SIGHUP", "reading keys and certificates again");
                true
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
    };

    use super::*;

    #[test]
    fn files_are_read_again_when_they_have_changed_are_gone_or_somebody_asks() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "one").unwrap();
        let reads = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&reads);
        let mut watched = Watched::new("files", [file.clone()], move || {
            counter.fetch_add(1, Ordering::SeqCst);
            Err::<bool, _>(io::Error::other("unusable"))
        });
        let mut looks = |anyway| {
            watched.look(anyway);
            reads.load(Ordering::SeqCst)
        };
        assert_eq!((looks(false), looks(false)), (1, 1), "an error is told once");
        fs::write(&file, "three").unwrap();
        assert_eq!((looks(false), looks(false)), (2, 2));
        fs::write(folder.path().join("new"), "three").unwrap();
        fs::rename(folder.path().join("new"), &file).unwrap();
        assert_eq!(looks(false), 3, "replaced by one of the same size");
        fs::remove_file(&file).unwrap();
        assert_eq!((looks(false), looks(false), looks(true)), (4, 4, 5));
    }
}
