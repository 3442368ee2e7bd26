use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Bench;
use crate::{
    Measured,
    client::Connection,
    figures::{Bar, Figures, Judged, percentile},
    load::BASE,
    server::Server,
};

const CHECK: &str = "/session";
/// How long a replica may take to believe its memory again.
const HEARING_WITHIN: Duration = Duration::from_secs(5);

impl Bench {
    /// How long a second replica goes on accepting a session after the first one has acknowledged that it is closed.
    pub(super) async fn revocation(&self, figures: &mut Figures) -> Measured<()> {
        let url = self.postgres.url();
        let settings = self.on_postgres(&url, &[]);
        let here = Server::service(&self.folder_of("here"), &settings).await?;
        let there = Server::service(&self.folder_of("there"), &settings).await?;
        let database = self.postgres.connect().await?;
        // From the end, which nobody else has used.
        let mut sessions = self.credentials.sessions.iter().rev().map(|session| session.header.as_str());
        let (mut heard, mut cut) = (Vec::new(), Vec::new());
        let mut replicas =
            Replicas { here: Connection::to(here.address).await?, there: Connection::to(there.address).await? };
        for header in sessions.by_ref().take(self.scale.revocations as usize) {
            replicas.remember(header).await?;
            heard.push(replicas.lag(header).await?);
        }
        for header in sessions.take(self.scale.cut as usize) {
            sleep(HEARING_WITHIN / 10).await;
            replicas.remember(header).await?;
            if self.postgres.cut_listeners(&database).await? == 0 {
                return Err("nobody listens".into());
            }
            cut.push(replicas.lag(header).await?);
        }
        let worst = |lags: &[f64]| lags.iter().copied().fold(0.0, f64::max);
        figures.judged.push(Judged {
            what: "revocation lag between two replicas, p99".to_owned(),
            value: percentile(heard.clone(), 0.99),
            unit: "ms",
            bar: Bar::AtMost(50.0),
            made_of: format!(
                "{} revocations, p50 {:.2} ms, worst {:.2} ms",
                heard.len(),
                percentile(heard.clone(), 0.5),
                worst(&heard)
            ),
        });
        figures.judged.push(Judged {
            what: "revocation lag with the listeners just cut, worst".to_owned(),
            value: worst(&cut),
            unit: "ms",
            bar: Bar::AtMost(1000.0),
            made_of: format!("{} revocations, p50 {:.2} ms", cut.len(), percentile(cut.clone(), 0.5)),
        });
        Ok(())
    }
}

/// The one that revokes, and the one that has to hear of it.
struct Replicas {
    here: Connection,
    there: Connection,
}

impl Replicas {
    /// Has the session accepted on both, so that both remember it.
    async fn remember(&mut self, header: &str) -> Measured<()> {
        for replica in [&mut self.here, &mut self.there] {
            for _ in 0..2 {
                replica.get(&format!("{BASE}{CHECK}"), header).await?.expect(200)?;
            }
        }
        Ok(())
    }

    /// Closes the session here, and returns how many milliseconds after that is acknowledged there still was a check there
    /// that accepted it; 0 if there was none.
    async fn lag(&mut self, header: &str) -> Measured<f64> {
        let own = self.here.get(&format!("{BASE}{CHECK}"), header).await?.expect(200)?.field("sessionID")?;
        self.here.send("DELETE", &format!("/session/{own}"), header, "").await?.expect(202)?;
        let acknowledged = Instant::now();
        let mut accepted = Duration::ZERO;
        loop {
            let status = self.there.get(&format!("{BASE}{CHECK}"), header).await?.status;
            match status {
                200 => accepted = acknowledged.elapsed(),
                401 => return Ok(accepted.as_secs_f64() * 1e3),
                other => return Err(format!("a check was answered {other}").into()),
            }
        }
    }
}
