//! Two replicas on one PostgreSQL server, and a single one that can be killed and started again.

use std::{path::PathBuf, time::Duration};

use auth_testkit::postgres::{Cluster, execute};
use tempfile::TempDir;

use crate::{
    doors::Doors,
    postbox::Postbox,
    running::{Running, command, within_patience},
};

/// By when the service serves again what it could not serve.
pub(crate) const BACK_WITHIN: Duration = Duration::from_secs(2);

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// One process of the service, which is found in the same place each time that it is started.
pub(crate) struct Replica {
    pub(crate) running: Running,
    folder: PathBuf,
    settings: Vec<(String, String)>,
}

impl Replica {
    /// Starts one in `folder` that sends its mails to `postbox`, with these settings besides.
    pub(crate) fn start(folder: PathBuf, postbox: &Postbox, settings: &[(&str, &str)]) -> Self {
        let mail = format!("smtp://{}?tls=none", postbox.server.address());
        // The people of these tests are in more of a hurry than a stranger may be.
        let all = [("AUTH__MAIL__URL", mail.as_str()), ("AUTH__LIMITS__ENABLED", "false")];
        let all: Vec<_> = all.iter().chain(settings).copied().collect();
        let running = Running::start_with(&folder, &all);
        let mut settings: Vec<_> = all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        settings.push(("AUTH__HTTP__BIND".to_owned(), running.address.to_string()));
        let replica = Self { running, folder, settings };
        within_patience(|| (replica.running.status("/readyz") == 200).then_some(()));
        replica
    }

    /// Kills it, whatever it is doing.
    pub(crate) fn kill(&mut self) {
        self.running.signal("KILL");
        assert!(!self.running.wait().success());
    }

    /// Starts it again.
    pub(crate) fn resume(&mut self) {
        self.running =
            Running::spawn(command(&self.folder).envs(self.settings.iter().map(|(name, value)| (name, value))));
    }
}

/// Two replicas on one database.
pub(crate) struct Fleet {
    // Ended first: what it stands on is there until it is gone.
    pub(crate) replicas: Vec<Replica>,
    pub(crate) doors: Doors,
    pub(crate) cluster: Cluster,
    _folder: TempDir,
}

impl Fleet {
    /// Starts one with these settings besides.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_through(settings, |_replica, cluster| cluster.url("postgres"))
    }

    /// The same, in which each replica finds its database at the URL that it is given.
    pub(crate) fn start_through(settings: &[(&str, &str)], url_for: impl Fn(usize, &Cluster) -> String) -> Self {
        let (cluster, folder, postbox) = (Cluster::start(), TempDir::new().unwrap(), Postbox::start());
        let replica = |number| {
            let url = url_for(number, &cluster);
            let mut all = vec![("AUTH__DATABASE__URL", url.as_str()), ("AUTH__SECRETS__KEY", KEY)];
            all.extend(settings);
            Replica::start(folder.path().to_owned(), &postbox, &all)
        };
        let replicas: Vec<_> = (0..2).map(replica).collect();
        let doors = Doors::at(replicas.iter().map(|replica| replica.running.address).collect(), postbox);
        Self { replicas, doors, cluster, _folder: folder }
    }
}

/// Runs statements on the database of `cluster`; whether they could be run.
pub(crate) fn run(cluster: &Cluster, statements: &str) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(execute(&cluster.url("postgres"), statements)).is_ok()
}
