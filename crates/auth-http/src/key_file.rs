//! The server keys: how they are written, and the file that an embedded installation keeps them in.

mod changing;

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use auth_domain::{Entropy, EntropyError, KeyId, ServerKeys, rules::KeyStays};
use zeroize::Zeroizing;

/// What is wrong with a list of keys. Nothing of a key is quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadKeys {
    #[error("key number {0} is not 64 hex digits")]
    NotHex(usize),
    #[error("key number {0} stands there twice")]
    Twice(usize),
    #[error("there is no key in it")]
    None,
}

/// Why there are no server keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("server key file {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds no keys.
    #[error("server key file {}: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is a database, but not the keys that everything in it hangs on.
    #[error(
        "the database exists, but its server key file {} does not: restore it, or set AUTH__SECRETS__KEY to its content",
        path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A key cannot be removed.
    #[error("key {id}: {why}")]
    Stays {
        /// The key.
        id: KeyId,
        /// Why it stays.
        why: KeyStays,
    },
    /// No key could be made.
    #[error("no server key could be made")]
    Entropy(#[from] EntropyError),
}

/// What a key is made of.
type Secret = [u8; 32];

/// The keys in `text`: 64 hex digits each, separated by commas or white space, newest first.
pub(crate) fn parse_keys(text: &str) -> Result<ServerKeys, BadKeys> {
    ServerKeys::new(secrets_in(text)?.iter().copied()).map_err(|auth_domain::NoServerKey| BadKeys::None)
}

fn secrets_in(text: &str) -> Result<Zeroizing<Vec<Secret>>, BadKeys> {
    let mut secrets: Zeroizing<Vec<Secret>> = Zeroizing::default();
    let words = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
    for (number, word) in (1..).zip(words) {
        let mut secret = Zeroizing::new([0; 32]);
        hex::decode_to_slice(word, secret.as_mut_slice()).map_err(|_quotes_the_key| BadKeys::NotHex(number))?;
        if secrets.contains(&secret) {
            return Err(BadKeys::Twice(number));
        }
        secrets.push(*secret);
    }
    Ok(secrets)
}

/// A new key, as it is written.
pub(crate) fn generate(entropy: &dyn Entropy) -> Result<Zeroizing<String>, EntropyError> {
    let mut secret = Zeroizing::new([0; 32]);
    entropy.fill(secret.as_mut_slice())?;
    Ok(Zeroizing::new(hex::encode(*secret)))
}

/// The keys of the embedded installation whose database is `database`; made if neither exists yet.
///
/// They are kept in a file beside the database that only its owner can read. Two processes that start together agree
/// on one.
pub(crate) fn of_database(database: &Path, entropy: &dyn Entropy) -> Result<ServerKeys, KeyFileError> {
    let path = beside(database);
    let io = |source| KeyFileError::Io { path: path.clone(), source };
    if !path.try_exists().map_err(io)? {
        if database.try_exists().map_err(io)? && !path.try_exists().map_err(io)? {
            return Err(KeyFileError::Missing { path });
        }
        make(&path, entropy)?;
    }
    KeyFile::beside(database).read()
}

/// The file that an embedded installation keeps its keys in.
#[derive(Debug, Clone)]
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// The file that the keys of `database` are kept in.
    pub(crate) fn beside(database: &Path) -> Self {
        Self { path: beside(database) }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The keys in it.
    pub(crate) fn read(&self) -> Result<ServerKeys, KeyFileError> {
        let text = Zeroizing::new(fs::read_to_string(&self.path).map_err(|source| self.io(source))?);
        parse_keys(&text).map_err(|reason| self.unusable(&reason))
    }

    fn io(&self, source: io::Error) -> KeyFileError {
        KeyFileError::Io { path: self.path.clone(), source }
    }

    fn unusable(&self, reason: &BadKeys) -> KeyFileError {
        KeyFileError::Unusable { path: self.path.clone(), reason: reason.to_string() }
    }
}

/// The file that the keys of `database` are kept in.
pub(crate) fn beside(database: &Path) -> PathBuf {
    database.with_added_extension("key")
}

/// Writes a new key to a file of its own, on disk before it gets its name, and names it unless somebody else was
/// faster.
fn make(path: &Path, entropy: &dyn Entropy) -> Result<(), KeyFileError> {
    let io = |source| KeyFileError::Io { path: path.to_owned(), source };
    let key = generate(entropy)?;
    let folder = folder_of(path);
    fs::create_dir_all(folder).map_err(io)?;

    let mut own = [0; 8];
    entropy.fill(&mut own)?;
    let temporary = path.with_extension(format!("key.{}", hex::encode(own)));
    let written = write_private(&temporary, &key);
    let named = written.and_then(|()| match fs::hard_link(&temporary, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ours_or_theirs => fs::File::open(folder).and_then(|folder| folder.sync_all()),
    });
    let removed = fs::remove_file(&temporary);
    named.and(removed).map_err(io)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use auth_domain::system::SystemEntropy;

    use super::*;

    #[test]
    fn keys_are_64_hex_digits_each_newest_first() {
        let (a, b) = ("11".repeat(32), "aB".repeat(32));
        let together: Vec<_> = parse_keys(&format!("{a}, {b}\n")).unwrap().ids().collect();
        let alone: Vec<_> = parse_keys(&b).unwrap().ids().collect();
        assert_eq!(together.len(), 2);
        assert_eq!(together.get(1), alone.first());
    }

    #[test]
    fn what_is_no_key_is_told_by_its_number_and_never_quoted() {
        let key = "11".repeat(32);
        for (text, expected) in [
            (String::new(), BadKeys::None),
            (" , ".to_owned(), BadKeys::None),
            (format!("{key},hunter2"), BadKeys::NotHex(2)),
            ("1".repeat(63), BadKeys::NotHex(1)),
            ("g".repeat(64), BadKeys::NotHex(1)),
            (format!("{key},{key}"), BadKeys::Twice(2)),
        ] {
            assert_eq!(parse_keys(&text).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_new_installation_makes_its_key_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("deep/auth.db");
        let made: Vec<_> = of_database(&database, &SystemEntropy).unwrap().ids().collect();
        let read: Vec<_> = of_database(&database, &SystemEntropy).unwrap().ids().collect();
        assert_eq!(made, read);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let permissions = fs::metadata(folder.path().join("deep/auth.db.key")).unwrap().permissions();
            assert_eq!(permissions.mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(folder.path().join("deep")).unwrap().count(), 1, "nothing temporary stays");
    }

    #[test]
    fn starts_at_the_same_time_agree_on_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("auth.db");
        let starts: Vec<_> = (0..8)
            .map(|_| {
                let database = database.clone();
                std::thread::spawn(move || of_database(&database, &SystemEntropy).unwrap().ids().next())
            })
            .collect();
        let ids: std::collections::HashSet<_> = starts.into_iter().map(|start| start.join().unwrap()).collect();
        assert_eq!(ids.len(), 1);
    }

    #[test]
    fn a_database_without_its_key_is_not_given_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("auth.db");
        fs::write(&database, "").unwrap();
        assert!(matches!(of_database(&database, &SystemEntropy), Err(KeyFileError::Missing { .. })));
    }
}
