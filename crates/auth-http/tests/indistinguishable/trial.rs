//! Asking about all kinds of address in turn, and looking for a difference.

use std::{collections::BTreeMap, fmt, net::SocketAddr, sync::Mutex, thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    client::{Answer, Client, Shape},
    kolmogorov_smirnov::{distance, probability},
    people::{Kind, Series},
    service::{SESSION_AT_ONCE, USER_AT_ONCE, VERIFICATION_AT_ONCE},
    trials::short_or_long,
};

/// How many requests of each kind are timed, unless more are needed.
pub(crate) fn requests() -> usize {
    short_or_long([200, 2000])
}

/// Samples that are that improbable to come from one distribution are separated.
const SIGNIFICANCE: f64 = 0.001;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// For a session.
    Session,
    /// The same, answered as soon as it is stored.
    SessionAtOnce,
    /// For an account.
    User,
    /// The same, answered as soon as it is stored.
    UserAtOnce,
    /// For a session to be let in, with a wrong code.
    Verification,
    /// The same, answered as soon as it is judged.
    VerificationAtOnce,
}

/// What was seen of each kind.
#[derive(Default)]
pub(crate) struct Seen {
    times: Vec<Duration>,
    pub(crate) shapes: BTreeMap<Shape, usize>,
}

impl Seen {
    fn record(&mut self, took: Duration, shape: Shape) {
        self.times.push(took);
        *self.shapes.entry(shape).or_default() += 1;
    }
}

/// What a trial came to.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) seen: [Seen; 4],
}

impl Route {
    fn method(self) -> &'static str {
        if matches!(self, Self::Verification | Self::VerificationAtOnce) { "PUT" } else { "POST" }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Session => "/api/auth/v2/session",
            Self::SessionAtOnce => SESSION_AT_ONCE,
            Self::User => "/api/auth/v2/user",
            Self::UserAtOnce => USER_AT_ONCE,
            Self::Verification => "/api/auth/v2/session/verification",
            Self::VerificationAtOnce => VERIFICATION_AT_ONCE,
        }
    }

    /// Asks for it, with this body.
    pub(crate) fn ask(self, client: &mut Client, body: &Value) -> (Duration, Answer) {
        client.send(self.method(), self.path(), body)
    }
}

/// Asks about each kind so often, over a few connections at a time and on each in an order that is drawn anew each turn:
/// whatever else the machine does meets all alike.
pub(crate) fn interleave(
    address: SocketAddr,
    route: Route,
    requests: usize,
    connections: usize,
    request: impl Fn(Kind, usize) -> Value + Sync,
) -> Findings {
    let seen = Mutex::new(<[Seen; 4]>::default());
    on_each_connection(address, connections, |client, connection| {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ u64::try_from(connection).unwrap());
        for turn in (connection..requests).step_by(connections) {
            for place in dice.order() {
                let request = request(Kind::ALL[place], turn);
                let (took, answer) = answered(client, route, &request);
                seen.lock().unwrap()[place].record(took, answer.shape());
            }
        }
    });
    let mut seen = seen.into_inner().unwrap();
    for seen in &mut seen {
        seen.times.sort_unstable();
    }
    Findings { seen }
}

/// What to guess with at the code for each address of each kind.
pub(crate) type Guesses = [Vec<Value>; 4];

/// Brings all addresses to where everybody can bring them: the kind that registers has done so, and of the others a code was
/// asked for, if `all` are to have been asked about. Then guesses wrong at each code so often.
pub(crate) fn prepare(address: SocketAddr, series: Series, all: bool, wrong_guesses: usize) -> Guesses {
    let guesses = Mutex::new([(); 4].map(|()| vec![Value::Null; series.size]));
    let connections = 24;
    on_each_connection(address, connections, |client, connection| {
        for number in (connection..series.size).step_by(connections) {
            for (place, kind) in Kind::ALL.into_iter().enumerate() {
                let asked = match kind {
                    Kind::Unverified => accepted(client, Route::User, &series.sign_up(kind, number, "r")),
                    _ if all => accepted(client, Route::Session, &series.sign_in(kind, number)),
                    _ => continue,
                };
                let guess = wrong_guess(&asked);
                (0..wrong_guesses).for_each(|_| is_refused(client, &guess));
                guesses.lock().unwrap()[place][number] = guess;
            }
        }
    });
    guesses.into_inner().unwrap()
}

fn on_each_connection(address: SocketAddr, connections: usize, work: impl Fn(&mut Client, usize) + Sync) {
    thread::scope(|scope| {
        for connection in 0..connections {
            let work = &work;
            scope.spawn(move || work(&mut Client::connect(address), connection));
        }
    });
}

/// Asks until the store answers: a machine that is too busy for its time limit is 503 whoever is asked about.
fn answered(client: &mut Client, route: Route, request: &Value) -> (Duration, Answer) {
    loop {
        let (took, answer) = route.ask(client, request);
        if answer.status() != 503 {
            return (took, answer);
        }
    }
}

fn accepted(client: &mut Client, route: Route, request: &Value) -> Answer {
    let (_, answer) = answered(client, route, request);
    assert_eq!(answer.status(), 202, "{}", answer.body);
    answer
}

/// A wrong guess at the code that was asked for.
pub(crate) fn wrong_guess(asked: &Answer) -> Value {
    json!({"verificationCodeID": asked.body["verificationCodeID"], "code": "wrong"})
}

/// Sends in a wrong guess.
pub(crate) fn is_refused(client: &mut Client, guess: &Value) {
    let (_, answer) = answered(client, Route::Verification, guess);
    assert_eq!(answer.status(), 401, "{}", answer.body);
}

impl Findings {
    /// Adds what another trial of the same came to.
    pub(crate) fn add(&mut self, other: Self) {
        for (seen, more) in self.seen.iter_mut().zip(other.seen) {
            seen.times.extend(more.times);
            seen.times.sort_unstable();
            for (shape, times) in more.shapes {
                *seen.shapes.entry(shape).or_default() += times;
            }
        }
    }

    /// How many requests of each kind were timed.
    pub(crate) fn requests(&self) -> usize {
        self.seen[0].times.len()
    }

    /// Whether the times tell any two kinds apart.
    pub(crate) fn separate(&self) -> bool {
        self.pairs().any(|(.., probability)| probability < SIGNIFICANCE)
    }

    /// How far apart addresses are that an account has and that nobody has.
    pub(crate) fn distance_of_unknown(&self) -> f64 {
        let is_it = |one: &Kind, other: &Kind| (*one, *other) == (Kind::Known, Kind::Unknown);
        self.pairs().find_map(|(one, other, distance, _)| is_it(&one, &other).then_some(distance)).unwrap()
    }

    /// Distance and probability of each pair of kinds.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (Kind, Kind, f64, f64)> {
        let pairs = (0..4).flat_map(|one| (one + 1..4).map(move |other| (one, other)));
        pairs.map(|(one, other)| {
            let [times, others] = [one, other].map(|kind| self.seen[kind].times.as_slice());
            let apart = distance(times, others);
            (Kind::ALL[one], Kind::ALL[other], apart, probability(apart, times.len(), others.len()))
        })
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, seen) in Kind::ALL.iter().zip(&self.seen) {
            let [quarter, half, most] =
                [4, 2, 1].map(|part| seen.times[(seen.times.len() * 19 / 20).min(seen.times.len() / part)]);
            writeln!(f, "  {kind:?}: 25 % {quarter:?}, 50 % {half:?}, 95 % {most:?}")?;
        }
        for (one, other, distance, probability) in self.pairs() {
            writeln!(f, "  {one:?} and {other:?}: D = {distance:.4}, p = {probability:.5}")?;
        }
        Ok(())
    }
}

/// A generator of Marsaglia's: what is drawn only has to have nothing to do with what is measured.
struct Dice(u64);

impl Dice {
    fn order(&mut self) -> [usize; 4] {
        let mut order = [0, 1, 2, 3];
        for last in (1..order.len()).rev() {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            order.swap(last, usize::try_from(self.0 >> 33).unwrap() % (last + 1));
        }
        order
    }
}
