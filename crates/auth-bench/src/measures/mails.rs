use std::{sync::Arc, time::Duration};

use auth_domain::{
    Auth, Client, EmailAddress, Language, OutboxBell, Policy, Ports, ServerKeys,
    system::{SystemClock, SystemEntropy},
};
use auth_postgres::{PoolOptions, PostgresStore};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::Bench;
use crate::{
    Measured,
    figures::{Bar, Figures, Judged},
    server::Server,
};

/// How many sign in at once while the outbox is filled.
const AT_ONCE: u32 = 16;

/// Nobody delivers while the outbox is filled.
struct Silent;

impl OutboxBell for Silent {
    fn ring(&self) {}
}

impl Bench {
    /// How fast code mails leave the outbox: claimed, opened, written, handed over and settled.
    pub(super) async fn mails(&self, figures: &mut Figures) -> Measured<()> {
        let url = self.postgres.url();
        let mails = self.scale.mails;
        self.fill_outbox(&url, mails).await?;
        let mail = self.sink.url();
        let more = [("AUTH__MAIL__SENDERS", "32"), ("AUTH__MAIL__URL", mail.as_str())];
        let taken = self.sink.taken();
        let _server = Server::service(&self.folder_of("mailing"), &self.on_postgres(&url, &more)).await?;
        let (begun, already) = (Instant::now(), self.sink.taken());
        while self.sink.taken() - taken < u64::from(mails) {
            sleep(Duration::from_millis(5)).await;
        }
        let delivered = self.sink.taken() - already;
        figures.judged.push(Judged {
            what: "code mails a second through the outbox, 32 senders".to_owned(),
            value: delivered as f64 / begun.elapsed().as_secs_f64(),
            unit: "/s",
            bar: Bar::AtLeast(2000.0),
            made_of: format!("{delivered} mails, on PostgreSQL, into a mail server on this machine"),
        });
        Ok(())
    }

    /// Asks for codes, as the service does, with nobody at work who delivers them.
    async fn fill_outbox(&self, url: &str, mails: u32) -> Measured<()> {
        let mut secret = [0; 32];
        hex::decode_to_slice(&self.credentials.server_key, &mut secret)?;
        let ports = Ports {
            store: Arc::new(PostgresStore::new(url.parse()?, PoolOptions::default())?),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            bell: Arc::new(Silent),
        };
        // One network asks for all of them.
        let policy = Policy { limits: None, ..Policy::default() };
        let auth = Arc::new(Auth::new(ports, policy, Arc::new(ServerKeys::new([secret])?)));
        let mut asking = JoinSet::new();
        for part in 0..AT_ONCE {
            let auth = Arc::clone(&auth);
            asking.spawn(async move {
                let client = Client::new([203, 0, 113, 7].into(), "");
                for number in (1..=mails).filter(|number| number % AT_ONCE == part) {
                    let address = EmailAddress::parse(&format!("user{number}@example.org"))?;
                    auth.sign_in(&address, None, &client, &Language::default()).await?;
                }
                Measured::Ok(())
            });
        }
        while let Some(asked) = asking.join_next().await {
            asked??;
        }
        Ok(())
    }
}
