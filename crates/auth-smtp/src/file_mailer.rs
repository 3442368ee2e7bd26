use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use auth_domain::{Mail, MailError, MailId, Mailer};
use tokio::task::spawn_blocking;

use crate::{Sender, Templates, message::message_of};

/// Writes every mail to a folder, as a file that mail programs open: `<mail id>.eml`, readable by its owner alone.
///
/// A file appears with all of its content or not at all, and is on disk when the delivery is reported. A mail that is
/// delivered again replaces its file. While one is being written, its name starts with a dot and ends in `.tmp`; a
/// crash may leave such a file behind.
#[derive(Debug, Clone)]
pub struct FileMailer {
    folder: PathBuf,
    from: Sender,
    templates: Arc<Templates>,
}

/// The folder for the mails cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the mail folder {} cannot be made", folder.display())]
pub struct MailFolderError {
    /// The folder.
    pub folder: PathBuf,
    /// What the file system said.
    pub source: io::Error,
}

impl FileMailer {
    /// A mailer that writes mails from `from` to `folder`, which is made if it does not exist.
    ///
    /// Should the folder disappear later, the next delivery makes it again.
    ///
    /// # Errors
    /// [`MailFolderError`] when there is no such folder and it cannot be made.
    pub fn new(folder: PathBuf, from: Sender) -> Result<Self, MailFolderError> {
        match fs::create_dir_all(&folder) {
            Ok(()) => Ok(Self { folder, from, templates: Arc::default() }),
            Err(source) => Err(MailFolderError { folder, source }),
        }
    }

    /// The same with other texts than the built-in ones.
    #[must_use]
    pub fn with_templates(self, templates: Arc<Templates>) -> Self {
        Self { templates, ..self }
    }
}

#[async_trait]
impl Mailer for FileMailer {
    /// Writes the mail and answers which file it is in. Runs on tokio, among its blocking tasks.
    async fn deliver(&self, mail: &Mail) -> Result<String, MailError> {
        let octets = message_of(mail, &self.from, &self.templates)?.formatted();
        let (folder, id) = (self.folder.clone(), mail.id);
        let path = folder.join(format!("{id}.eml"));
        let shown = path.display().to_string();
        match spawn_blocking(move || write(&folder, id, &path, &octets)).await {
            Ok(Ok(())) => Ok(format!("written to {shown}")),
            Ok(Err(error)) => Err(MailError::Transient(format!("{shown} cannot be written: {error}"))),
            Err(_interrupted) => Err(MailError::Transient(format!("{shown} was not written: interrupted"))),
        }
    }
}

/// Writes `octets` to `path` in `folder`, under another name until they are complete.
fn write(folder: &Path, id: MailId, path: &Path, octets: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let (temporary, file) = create_temporary(folder, id)?;
    let moved = fill(file, octets).and_then(|()| fs::rename(&temporary, path));
    if moved.is_err() {
        // Nothing better can be done if even this fails.
        let _ = fs::remove_file(&temporary);
    }
    moved?;
    sync_folder(folder)
}

/// A new file that belongs to this attempt alone.
///
/// Two attempts at one mail may overlap, after a lease ran out: sharing a name, one would empty what the other has
/// just moved into place.
fn create_temporary(folder: &Path, id: MailId) -> io::Result<(PathBuf, File)> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut taken = 0_u32;
    loop {
        let temporary = folder.join(format!(".{id}.{taken}.tmp"));
        match options.open(&temporary) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => taken += 1,
            opened => return opened.map(|file| (temporary, file)),
        }
    }
}

fn fill(mut file: File, octets: &[u8]) -> io::Result<()> {
    file.write_all(octets)?;
    file.sync_all()
}

/// Makes a rename in `folder` outlive a power cut. Only Unix lets a program ask for that.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn attempts_that_overlap_have_names_of_their_own_and_none_looks_like_a_mail() {
        let folder = tempfile::tempdir().unwrap();
        let id = MailId::from(Uuid::from_u128(1));
        let attempts: Vec<_> = (0..3).map(|_| create_temporary(folder.path(), id).unwrap()).collect();
        for (number, (path, _file)) in attempts.iter().enumerate() {
            assert_eq!(*path, folder.path().join(format!(".{id}.{number}.tmp")));
        }
    }
}
