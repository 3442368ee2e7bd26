use std::{net::SocketAddr, time::Duration};

use tokio::task::block_in_place;

use crate::{
    Measured,
    figures::{Line, Rate, Rounds},
    load::Scale,
    pgbench::Script,
    wrk::Requests,
};

/// Somebody whose turn comes in every round.
pub(super) struct Contender<'a> {
    pub(super) what: &'static str,
    pub(super) load: Load<'a>,
}

/// What is asked of whom.
pub(super) enum Load<'a> {
    Http(SocketAddr, &'a Requests),
    Database(&'a Script),
}

impl<'a> Contender<'a> {
    pub(super) fn http(what: &'static str, address: SocketAddr, requests: &'a Requests) -> Self {
        Self { what, load: Load::Http(address, requests) }
    }

    pub(super) fn database(what: &'static str, script: &'a Script) -> Self {
        Self { what, load: Load::Database(script) }
    }

    /// Blocks until it has been at work for a while.
    pub(super) fn warm_up(&self, scale: &Scale) -> Measured<Rate> {
        self.run(64, scale.span)
    }

    fn run(&self, connections: u16, span: Duration) -> Measured<Rate> {
        let rate = match self.load {
            Load::Http(address, requests) => requests.ask(address, connections, span),
            Load::Database(script) => script.run(span),
        };
        rate.map_err(|error| format!("{}: {error}", self.what).into())
    }
}

/// Lets each have its turn, round by round, so that no ratio is of two figures that lie further apart than one round.
/// Returns the rounds of each, in the order given.
pub(super) fn take_turns(contenders: &[Contender<'_>], connections: u16, scale: &Scale) -> Measured<Vec<Rounds>> {
    let mut all = vec![Rounds::default(); contenders.len()];
    for _ in 0..scale.rounds {
        for (contender, rounds) in contenders.iter().zip(&mut all) {
            let rate = block_in_place(|| contender.run(connections, scale.span))?;
            rounds.0.push(rate);
        }
    }
    Ok(all)
}

/// A line of the table for each, with its ratio to the `ceiling`.
pub(super) fn lines(contenders: &[Contender<'_>], rounds: &[Rounds], ceiling: &Rounds, connections: u16) -> Vec<Line> {
    let line = |(contender, rounds): (&Contender<'_>, &Rounds)| Line {
        what: contender.what.to_owned(),
        connections: if matches!(contender.load, Load::Database(_)) { 16 } else { connections },
        rate: rounds.median(),
        ratio: rounds.against(ceiling, |rate| rate.per_second),
    };
    contenders.iter().zip(rounds).map(line).collect()
}
