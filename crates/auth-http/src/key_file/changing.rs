use std::{
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt, chown},
    path::Path,
};

use auth_domain::{Entropy, EntropyError, KeyId, NoServerKey, ServerKeys, rules::judge_key_removal};
use zeroize::Zeroizing;

use super::{KeyFile, KeyFileError, Secret, folder_of, secrets_in, write_private};

// Whoever reads the file meanwhile reads the old one or the new one, and so does whoever starts after a loss of power.
impl KeyFile {
    /// Adds a new key behind the others: it verifies, and nothing is made with it yet.
    pub(crate) fn append(&self, entropy: &dyn Entropy) -> Result<KeyId, KeyFileError> {
        let mut secret = Zeroizing::new([0; 32]);
        entropy.fill(secret.as_mut_slice())?;
        self.change(entropy, |secrets| {
            secrets.push(*secret);
            Ok(())
        })?;
        Ok(id_of(&secret))
    }

    /// Makes a key the one that signs. The others keep their order.
    pub(crate) fn bring_forward(&self, id: KeyId, entropy: &dyn Entropy) -> Result<(), KeyFileError> {
        // Stable: what is not that key stays where it is.
        self.change(entropy, |secrets| {
            secrets.sort_by_key(|secret| id_of(secret) != id);
            Ok(())
        })
    }

    /// Removes a key, unless it signs.
    pub(crate) fn remove(&self, id: KeyId, entropy: &dyn Entropy) -> Result<(), KeyFileError> {
        self.change(entropy, |secrets| {
            let stays = |why| KeyFileError::Stays { id, why };
            judge_key_removal(secrets.iter().map(id_of), id).map_err(stays)?;
            secrets.retain(|secret| id_of(secret) != id);
            Ok(())
        })
    }

    /// Replaces the file by a changed one. Those who do so at the same time take turns.
    fn change(
        &self,
        entropy: &dyn Entropy,
        change: impl FnOnce(&mut Vec<Secret>) -> Result<(), KeyFileError>,
    ) -> Result<(), KeyFileError> {
        let io = |source| self.io(source);
        // Where it is a link, what it leads to is replaced.
        let path = fs::canonicalize(&self.path).map_err(io)?;
        let folder = File::open(folder_of(&path)).map_err(io)?;
        // The file itself is another one after each change; its folder stays. Unlocked when it is closed.
        folder.lock().map_err(io)?;

        let text = Zeroizing::new(fs::read_to_string(&path).map_err(io)?);
        let mut secrets = secrets_in(&text).map_err(|reason| self.unusable(&reason))?;
        change(&mut secrets)?;
        let keys: Zeroizing<Vec<String>> = Zeroizing::new(secrets.iter().map(hex::encode).collect());

        let temporary = temporary_beside(&path, entropy)?;
        let replaced = write_private(&temporary, &Zeroizing::new(keys.join(",")))
            .and_then(|()| give_to_the_owner_of(&path, &temporary))
            .and_then(|()| fs::rename(&temporary, &path))
            .and_then(|()| folder.sync_all());
        if replaced.is_err() {
            let _not_made_or_renamed_already = fs::remove_file(&temporary);
        }
        replaced.map_err(io)
    }
}

fn id_of(secret: &Secret) -> KeyId {
    let keys = ServerKeys::new([*secret]).unwrap_or_else(|NoServerKey| unreachable!("there is one"));
    keys.signing_id()
}

fn temporary_beside(path: &Path, entropy: &dyn Entropy) -> Result<std::path::PathBuf, EntropyError> {
    let mut own = [0; 8];
    entropy.fill(&mut own)?;
    Ok(path.with_added_extension(hex::encode(own)))
}

/// The service must be able to read what an operator with more rights has written.
fn give_to_the_owner_of(path: &Path, new: &Path) -> io::Result<()> {
    let (theirs, ours) = (fs::metadata(path)?, fs::metadata(new)?);
    if (theirs.uid(), theirs.gid()) == (ours.uid(), ours.gid()) {
        return Ok(());
    }
    chown(new, Some(theirs.uid()), Some(theirs.gid()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use auth_domain::{rules::KeyStays, system::SystemEntropy};

    use super::*;

    fn made(folder: &Path) -> (KeyFile, KeyId) {
        let database = folder.join("auth.db");
        let keys = super::super::of_database(&database, &SystemEntropy).unwrap();
        (KeyFile::beside(&database), keys.signing_id())
    }

    fn ids(file: &KeyFile) -> Vec<KeyId> {
        file.read().unwrap().ids().collect()
    }

    #[test]
    fn a_new_key_verifies_first_and_signs_once_it_is_brought_forward() {
        let folder = tempfile::tempdir().unwrap();
        let (file, first) = made(folder.path());
        let second = file.append(&SystemEntropy).unwrap();
        assert_eq!(ids(&file), [first, second]);
        file.bring_forward(second, &SystemEntropy).unwrap();
        assert_eq!(ids(&file), [second, first]);
        let third = file.append(&SystemEntropy).unwrap();
        file.bring_forward(third, &SystemEntropy).unwrap();
        assert_eq!(ids(&file), [third, second, first]);

        let mode = fs::metadata(file.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing temporary stays");
    }

    #[test]
    fn the_key_that_signs_and_one_that_is_not_there_cannot_be_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, first) = made(folder.path());
        let refused = |id| match file.remove(id, &SystemEntropy) {
            Err(KeyFileError::Stays { why, .. }) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(first), KeyStays::Signs);
        let second = file.append(&SystemEntropy).unwrap();
        file.remove(second, &SystemEntropy).unwrap();
        assert_eq!(refused(second), KeyStays::Unknown);
        assert_eq!(ids(&file), [first]);
    }

    #[test]
    fn those_who_change_it_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (file, _) = made(folder.path());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| file.append(&SystemEntropy).unwrap());
            }
        });
        assert_eq!(ids(&file).len(), 9);
    }

    #[test]
    fn what_a_link_leads_to_is_replaced_and_the_link_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (file, _) = made(folder.path());
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(file.path(), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, file.path()).unwrap();
        file.append(&SystemEntropy).unwrap();
        assert!(fs::symlink_metadata(file.path()).unwrap().is_symlink());
        assert_eq!(ids(&file).len(), 2);
    }
}
