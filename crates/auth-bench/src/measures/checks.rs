use std::time::Duration;

use tokio::{task::block_in_place, time::sleep};

use super::{
    Bench,
    turns::{Contender, lines, take_turns},
};
use crate::{
    Measured,
    client::Connection,
    figures::{Bar, Figures, Judged, Rate},
    load::{BASE, invented},
    pgbench::Script,
    server::Server,
    wrk::Requests,
};

/// How the service sets up the connections that it checks on (`ONE_PLAN` in auth-postgres): pgbench gets the same.
const ONE_PLAN: &str = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off \
                        -c enable_mergejoin=off -c jit=off";
/// How many connections the bars are about.
const CONNECTIONS: u16 = 64;
/// How long the database may take to count what it has been asked.
const COUNTED_WITHIN: Duration = Duration::from_secs(12);

impl Bench {
    /// The checks against the ceilings.
    pub(super) async fn checks(&self, figures: &mut Figures) -> Measured<()> {
        let Self { scale, credentials, postgres, .. } = self;
        let url = postgres.url();
        let cached = Server::service(&self.folder_of("cached"), &self.on_postgres(&url, &[])).await?;
        let off = [("AUTH__CACHE__ENABLED", "false")];
        let uncached = Server::service(&self.folder_of("uncached"), &self.on_postgres(&url, &off)).await?;
        let on_sqlite = Server::service(&self.folder_of("sqlite"), &self.on_sqlite(&off)).await?;

        let sessions = Requests::new(&credentials.by_sessions(scale, "/session"))?;
        let key_pairs = Requests::new(&credentials.by_key_pairs("/keypair"))?;
        let gateway = Requests::new(&credentials.by_sessions(scale, "/authorize?role=user"))?;
        let nobody = Requests::new(&invented(scale)?)?;

        // The same octets from bare actix, and the same statement from pgbench.
        let first = credentials.sessions.first().ok_or("no session")?;
        let path = format!("{BASE}/session");
        let octets = Connection::to(uncached.address).await?.get(&path, &first.header).await?.expect(200)?.octets;
        let bare = Server::bare(&self.folder_of("bare"), octets).await?;
        let constant = Connection::to(bare.address).await?.get(&path, &first.header).await?.octets;
        if constant != octets {
            return Err(format!("the ceiling answers {constant} octets instead of {octets}").into());
        }
        let from = credentials.sessions.len() + 1;
        let to = from + scale.asked_for as usize - 1;
        let statement = postgres.look_up_statement().await?.replace("$1", "ARRAY[sha256(CAST(:n AS text)::bytea)]");
        let statement = Script::new(url.clone(), &format!("\\set n random({from}, {to})\n{statement};\n"), ONE_PLAN)?;

        let contenders = [
            Contender::http("constant answer from bare actix", bare.address, &sessions),
            Contender::http("cached session check", cached.address, &sessions),
            Contender::http("cached key-pair check", cached.address, &key_pairs),
            Contender::http("/authorize, cached", cached.address, &gateway),
            Contender::http("invented bearer", cached.address, &nobody),
            Contender::http("uncached check on SQLite", on_sqlite.address, &sessions),
            Contender::http("uncached check on PostgreSQL", uncached.address, &sessions),
            Contender::database("pgbench, same statement", &statement),
        ];
        for contender in &contenders {
            // Everything is remembered, connected and in the database's memory before anything counts.
            block_in_place(|| contender.warm_up(scale))?;
        }
        for connections in [1, 256] {
            let of_http = contenders.get(..7).unwrap_or_default();
            let rounds = take_turns(of_http, connections, scale)?;
            let ceiling = rounds.first().ok_or("no rounds")?;
            figures.lines.extend(lines(of_http, &rounds, ceiling, connections));
        }
        let rounds = take_turns(&contenders, CONNECTIONS, scale)?;
        let [constant, session, key_pair, authorize, stranger, sqlite, asked, database] = &rounds[..] else {
            return Err("a contender is missing".into());
        };
        figures.lines.extend(lines(&contenders, &rounds, constant, CONNECTIONS));

        let per_second = |rate: &Rate| rate.per_second;
        let made_of = |one: f64, other: f64, unit: &str| format!("{one:.0} against {other:.0}{unit}");
        for (what, ours, theirs, wanted) in [
            ("cached session check against the constant", session, constant, 0.85),
            ("cached key-pair check against the constant", key_pair, constant, 0.80),
            ("/authorize against the constant", authorize, constant, 0.85),
            ("invented bearer against the constant", stranger, constant, 0.85),
            ("uncached check on PostgreSQL against pgbench", asked, database, 1.0),
            ("uncached check on SQLite against the constant", sqlite, constant, 0.40),
        ] {
            let rates = made_of(ours.median().per_second, theirs.median().per_second, " a second");
            let ratio = ours.against(theirs, per_second);
            figures.judged.push(Judged::ratio(what, ratio, Bar::AtLeast(wanted), rates));
        }
        let slowest = |rate: &Rate| rate.p99.as_secs_f64();
        let times = [session, constant].map(|rounds| rounds.median().p99.as_secs_f64() * 1e6);
        let ratio = session.against(constant, slowest);
        let made = made_of(times[0], times[1], " µs");
        let what = "p99 of the cached session check against that of the constant";
        figures.judged.push(Judged::ratio(what, ratio, Bar::AtMost(1.5), made));

        let asked = self.asked_by_strangers(&cached, &nobody).await?;
        figures.judged.push(Judged {
            what: "database look-ups for invented bearers".to_owned(),
            value: asked,
            unit: "",
            bar: Bar::AtMost(0.0),
            made_of: "counted by the database, by its indexes of digests".to_owned(),
        });
        Ok(())
    }

    /// How often the database is asked while invented bearers are shown.
    async fn asked_by_strangers(&self, server: &Server, requests: &Requests) -> Measured<f64> {
        sleep(COUNTED_WITHIN).await;
        let before = self.postgres.look_ups().await?;
        let rate = block_in_place(|| requests.ask(server.address, CONNECTIONS, self.scale.span))?;
        if rate.refused < 1.0 {
            return Err("an invented bearer was accepted".into());
        }
        sleep(COUNTED_WITHIN).await;
        Ok((self.postgres.look_ups().await? - before) as f64)
    }
}
