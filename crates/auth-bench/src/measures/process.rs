use std::{ops::Range, time::Duration};

use tokio::{task::JoinSet, time::sleep};

use super::Bench;
use crate::{
    Measured,
    client::Connection,
    figures::{Bar, Figures, Judged, median},
    load::BASE,
    server::Server,
};

const MEGABYTE: f64 = 1e6;
/// How many connections the credentials are shown on.
const CONNECTIONS: usize = 64;
/// How many credentials are shown before the memory is measured: what the process needs to be at work at all is there then.
const BEFORE: usize = 2_000;
/// When their last uses have been written down, what was noted of them is gone.
const WRITTEN_DOWN_WITHIN: Duration = Duration::from_secs(6);
const STARTS: usize = 10;

impl Bench {
    /// What the process holds: idle, and for each credential that it remembers.
    pub(super) async fn memory(&self, figures: &mut Figures) -> Measured<()> {
        let idle = Server::service(&self.folder_of("idle"), &[]).await?;
        sleep(Duration::from_secs(1)).await;
        figures.judged.push(Judged {
            what: "resident memory, idle on a new SQLite file".to_owned(),
            value: idle.resident()? / MEGABYTE,
            unit: "MB",
            bar: Bar::AtMost(20.0),
            made_of: "as the system counts it, mapped program text included".to_owned(),
        });

        let credentials = self.scale.remembered.to_string();
        let url = self.postgres.url();
        let room = [("AUTH__CACHE__CREDENTIALS", credentials.as_str())];
        let server = Server::service(&self.folder_of("remembering"), &self.on_postgres(&url, &room)).await?;
        // A memory for so many holds at least half as many, whatever is asked for.
        let remembered = self.scale.remembered as usize / 2;
        self.show(&server, 0..BEFORE).await?;
        sleep(WRITTEN_DOWN_WITHIN).await;
        let before = server.resident()?;
        self.show(&server, BEFORE..remembered).await?;
        sleep(WRITTEN_DOWN_WITHIN).await;
        let after = server.resident()?;
        figures.judged.push(Judged {
            what: "resident memory for each remembered session".to_owned(),
            value: (after - before) / (remembered - BEFORE) as f64,
            unit: "B",
            bar: Bar::AtMost(600.0),
            made_of: format!("{:.1} MB with {BEFORE}, {:.1} MB with {remembered}", before / MEGABYTE, after / MEGABYTE),
        });
        Ok(())
    }

    /// How long it takes from the start of the process until it says that it is ready, on a file that is there already.
    pub(super) async fn start(&self, figures: &mut Figures) -> Measured<()> {
        let mut times = Vec::new();
        for _ in 0..STARTS {
            let server = Server::service(&self.folder_of("starting"), &self.on_sqlite(&[])).await?;
            times.push(server.started_within.as_secs_f64() * 1e3);
        }
        figures.judged.push(Judged {
            what: "start to ready, existing SQLite file".to_owned(),
            value: median(times),
            unit: "ms",
            bar: Bar::AtMost(100.0),
            made_of: format!("the median of {STARTS} starts"),
        });
        Ok(())
    }

    /// Shows each of these sessions' bearers once.
    async fn show(&self, server: &Server, range: Range<usize>) -> Measured<()> {
        let mut showing = JoinSet::new();
        let sessions = self.credentials.sessions.get(range).ok_or("too few bearers are known")?;
        for part in sessions.chunks(sessions.len().div_ceil(CONNECTIONS)) {
            let headers: Vec<_> = part.iter().map(|session| session.header.clone()).collect();
            let address = server.address;
            showing.spawn(async move {
                let mut connection = Connection::to(address).await?;
                for header in headers {
                    connection.get(&format!("{BASE}/session"), &header).await?.expect(200)?;
                }
                Measured::Ok(())
            });
        }
        while let Some(shown) = showing.join_next().await {
            shown??;
        }
        Ok(())
    }
}
