//! What is measured, a file per subject.

mod checks;
mod mails;
mod process;
mod revocation;
mod turns;
mod writes;

use tempfile::TempDir;
use tokio::time::Instant;

use crate::{
    Measured,
    figures::Figures,
    load::{Credentials, Postgres, Scale, load_sqlite},
    machine,
    sink::Sink,
};

/// What all measurements share.
struct Bench {
    scale: Scale,
    credentials: Credentials,
    postgres: Postgres,
    sink: Sink,
    /// Of everything but the database server; goes at the end.
    folder: TempDir,
}

/// Takes all figures, or those of the steps whose name contains `only`, and adds them to `figures`.
pub(crate) async fn all(scale: &Scale, only: Option<&str>, figures: &mut Figures) -> Measured<()> {
    let wanted = |name: &str| only.is_none_or(|only| name.contains(only));
    let begun = Instant::now();
    let step = |name: &str| println!("{:>5.0} s  {name}", begun.elapsed().as_secs_f64());

    step("loading");
    let credentials = Credentials::mint(scale)?;
    let folder = tempfile::tempdir()?;
    tokio::task::block_in_place(|| load_sqlite(&folder.path().join("auth.db"), scale, &credentials))?;
    let postgres = Postgres::start(scale, &credentials).await?;
    let sink = Sink::start().await?;
    let bench = Bench { scale: *scale, credentials, postgres, sink, folder };
    figures.machine = machine::facts(&bench.postgres.url()).await?;
    let rows = format!(
        "{} sessions and {} key pairs of {} accounts, {} different credentials asked for in turn",
        scale.sessions, scale.key_pairs, scale.users, scale.asked_for
    );
    figures.machine.push(("rows", rows));
    let rounds = format!("{} rounds of {} s each, in turn", scale.rounds, scale.span.as_secs());
    figures.machine.push(("rounds", rounds));

    if wanted("checks") {
        step("checks");
        bench.checks(figures).await?;
    }
    if wanted("writes") {
        step("writes");
        bench.writes(figures).await?;
    }
    if wanted("memory") {
        step("memory");
        bench.memory(figures).await?;
    }
    if wanted("start") {
        step("start");
        bench.start(figures).await?;
    }
    if wanted("revocation") {
        step("revocation");
        bench.revocation(figures).await?;
    }
    if wanted("mails") {
        step("mails");
        bench.mails(figures).await?;
    }
    step("done");
    Ok(())
}

impl Bench {
    /// The settings of a service on PostgreSQL; those in `more` win.
    fn on_postgres<'a>(&'a self, url: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let own = [("AUTH__DATABASE__URL", url), ("AUTH__SECRETS__KEY", self.credentials.server_key.as_str())];
        [&own, more].concat()
    }

    /// The same for one on the loaded SQLite file.
    fn on_sqlite<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let own = [
            ("AUTH__DATABASE__URL", "sqlite:../auth.db"),
            ("AUTH__SECRETS__KEY", self.credentials.server_key.as_str()),
        ];
        [&own, more].concat()
    }

    fn folder_of(&self, server: &str) -> std::path::PathBuf {
        self.folder.path().join(server)
    }
}
