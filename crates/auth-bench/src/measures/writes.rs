use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{
    Bench,
    turns::{Contender, lines, take_turns},
};
use crate::{
    Measured,
    client::{Connection, request},
    figures::{Bar, Figures, Judged, Line, Rate, percentile},
    load::{BASE, Scale},
    pgbench::Script,
    server::Server,
    sink::Sink,
    wrk::Requests,
};

/// Everything that asking for a code stores and ends, as one statement that could do it.
const CREATE_SESSION: &str = include_str!("create_session.sql");
const CONNECTIONS: u16 = 64;
/// How many people sign in at once.
const SIGNING_IN: u32 = 32;
/// How long a code may take to arrive.
const CODE_WITHIN: Duration = Duration::from_secs(10);

impl Bench {
    /// Asking for a code, by itself and with the mails, and signing in all the way.
    pub(super) async fn writes(&self, figures: &mut Figures) -> Measured<()> {
        // The same people on both sides: whoever asks again supersedes a code.
        let people = self.scale.asked_for;
        let addresses = (1..=people).map(|number| {
            let body = format!(r#"{{"email":"user{number}@example.org"}}"#);
            request("POST", &format!("{BASE}/session"), "", &body)
        });
        let asking = Requests::new(&addresses.collect::<Vec<_>>())?;
        let script = format!("\\set n random(1, {people})\n{CREATE_SESSION}");
        // In a database of its own: whoever delivers mails could not open those that it stores.
        let statement = Script::new(self.postgres.twin().await?, &script, "")?;
        self.created(&asking, &statement, figures).await?;
        self.created_and_mailed(&asking, &statement, figures).await
    }

    /// What pgbench does too: everything is stored, and no mail is delivered meanwhile.
    async fn created(&self, asking: &Requests, statement: &Script, figures: &mut Figures) -> Measured<()> {
        let url = self.postgres.url();
        // Connections are taken by the system, and nobody says a word on them: a mail server that takes its time.
        let silent = TcpListener::bind("127.0.0.1:0")?;
        let mail = format!("smtp://{}?tls=none", silent.local_addr()?);
        let settings = self.on_postgres(&url, &[("AUTH__MAIL__URL", mail.as_str())]);
        let service = Server::service(&self.folder_of("creating"), &settings).await?;
        let contenders = [
            Contender::database("pgbench, create-session as one statement", statement),
            Contender::http("create-session on PostgreSQL, no mail delivered meanwhile", service.address, asking),
        ];
        let rounds = take_turns(&contenders, CONNECTIONS, &self.scale)?;
        let [statement, created] = &rounds[..] else { return Err("a contender is missing".into()) };
        figures.lines.extend(lines(&contenders, &rounds, statement, CONNECTIONS));
        figures.judged.push(Judged::ratio(
            "create-session on PostgreSQL against pgbench",
            created.against(statement, |rate| rate.per_second),
            Bar::AtLeast(0.8),
            format!("{:.0} against {:.0} a second", created.median().per_second, statement.median().per_second),
        ));
        drop(service);
        self.postgres.forget_owed_mails().await
    }

    /// What happens in earnest: a courier takes the database's time as well.
    async fn created_and_mailed(&self, asking: &Requests, statement: &Script, figures: &mut Figures) -> Measured<()> {
        let (url, mail) = (self.postgres.url(), self.sink.url());
        let to_sink = [("AUTH__MAIL__URL", mail.as_str())];
        let on_postgres = Server::service(&self.folder_of("writing"), &self.on_postgres(&url, &to_sink)).await?;
        let on_sqlite = Server::service(&self.folder_of("writing-sqlite"), &self.on_sqlite(&to_sink)).await?;
        let contenders = [
            Contender::database("pgbench, create-session as one statement", statement),
            Contender::http("create-session on PostgreSQL, mails delivered meanwhile", on_postgres.address, asking),
            Contender::http("create-session on SQLite, mails delivered meanwhile", on_sqlite.address, asking),
        ];
        let rounds = take_turns(&contenders, CONNECTIONS, &self.scale)?;
        let [statement, _on_postgres, _on_sqlite] = &rounds[..] else { return Err("a contender is missing".into()) };
        // The ceiling has a line already.
        figures.lines.extend(lines(&contenders, &rounds, statement, CONNECTIONS).into_iter().skip(1));

        let ceiling = statement.median().per_second;
        for (what, server) in [("full sign-in on PostgreSQL", &on_postgres), ("full sign-in on SQLite", &on_sqlite)] {
            let rate = self.sign_ins(server.address).await?;
            let ratio = rate.per_second / ceiling;
            figures.lines.push(Line { what: what.to_owned(), connections: SIGNING_IN as u16, rate, ratio });
        }
        self.postgres.wait_for_empty_outbox().await
    }

    /// Many who ask for a code, wait for its mail and redeem it, again and again.
    async fn sign_ins(&self, address: SocketAddr) -> Measured<Rate> {
        let (begun, span) = (Instant::now(), self.scale.span * u32::try_from(self.scale.rounds)?);
        let mut people = JoinSet::new();
        for person in 0..SIGNING_IN {
            let sink = self.sink.clone();
            let Scale { users, asked_for, .. } = self.scale;
            people.spawn(async move {
                let (mut connection, mut times) = (Connection::to(address).await?, Vec::new());
                // Nobody of whom a code is still on its way from the measurement before.
                let mut number = asked_for + person;
                while begun.elapsed() < span {
                    let since = Instant::now();
                    // Each time somebody else, so that nobody's codes pile up.
                    sign_in(&mut connection, &sink, &format!("user{}@example.org", number % users + 1)).await?;
                    number += SIGNING_IN;
                    times.push(since.elapsed().as_secs_f64());
                }
                Measured::Ok(times)
            });
        }
        let mut times = Vec::new();
        while let Some(signed_in) = people.join_next().await {
            times.extend(signed_in??);
        }
        Ok(Rate {
            per_second: times.len() as f64 / begun.elapsed().as_secs_f64(),
            p50: Duration::from_secs_f64(percentile(times.clone(), 0.5)),
            p99: Duration::from_secs_f64(percentile(times, 0.99)),
            refused: 0.0,
        })
    }
}

async fn sign_in(connection: &mut Connection, sink: &Sink, address: &str) -> Measured<()> {
    let code = sink.code_for(address);
    let body = format!(r#"{{"email":"{address}"}}"#);
    let opened = connection.send("POST", "/session", "", &body).await?.expect(202)?;
    let code = timeout(CODE_WITHIN, code).await.map_err(|_elapsed| "a code did not arrive")??;
    let body = format!(r#"{{"verificationCodeID":"{}","code":"{code}"}}"#, opened.field("verificationCodeID")?);
    connection.send("PUT", "/session/verification", "", &body).await?.expect(202)?;
    Ok(())
}
