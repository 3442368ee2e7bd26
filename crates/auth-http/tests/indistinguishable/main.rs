//! Whether anybody has an address cannot be told from the answers to requests about it: neither from what they say nor from how
//! long they take. Within each state of the limits, on either database, over a socket.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that meets something it did not expect panics, and says what it measured"
)]

mod client;
mod distance;
mod kolmogorov_smirnov;
mod people;
mod service;
mod trial;
#[path = "../trials/mod.rs"]
mod trials;

use std::time::Duration;

use auth_domain::{Limits, Rate};
use client::{Client, Shape};
use people::{Kind, Series};
use service::{Backend, Decoys, Serving};
use tokio::{sync::RwLock, task::spawn_blocking};
use trial::{Findings, Route, interleave, is_refused, prepare, requests, wrong_guess};

/// What is answered as soon as it is done is measured alone. What is paced is measured together: it has to bear that.
static TOGETHER_OR_ALONE: RwLock<()> = RwLock::const_new(());

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// What holds requests back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There are no limits.
    Off,
    /// There are, and they leave room.
    Open,
    /// The address has had its mails.
    MailsSpent,
    /// Too much was guessed wrong at the codes of the address.
    GuessesSpent,
}

impl State {
    fn limits(self) -> Option<Limits> {
        let ever = Rate::new(10_000_000, 365 * DAY).unwrap();
        let open = Limits {
            mails_per_address: ever,
            mails_per_network: ever,
            sign_ups_per_network: ever,
            requests_per_network: ever,
            ..Limits::default()
        };
        match self {
            Self::Off => None,
            Self::Open => Some(open),
            Self::MailsSpent => Some(Limits { mails_per_address: Rate::new(1, HOUR).unwrap(), ..open }),
            Self::GuessesSpent => Some(Limits { failures_per_day: 1, ..open }),
        }
    }

    /// What every request to `route` is answered.
    fn answer(self, route: Route) -> u16 {
        match route {
            Route::Verification | Route::VerificationAtOnce => 401,
            _ if self.refuses() => 429,
            _ => 202,
        }
    }

    fn refuses(self) -> bool {
        matches!(self, Self::MailsSpent | Self::GuessesSpent)
    }
}

/// So many connections at a time ask for what is paced. The pace keeps the machine from having more to do than it can.
const CONNECTIONS: usize = 8;

/// Brings the addresses of a series into the state, and asks about each kind so often.
async fn try_it(serving: &Serving, state: State, route: Route, name: char, requests: usize) -> Findings {
    let signs_up = matches!(route, Route::User | Route::UserAtOnce);
    let guesses_at_codes = matches!(route, Route::Verification | Route::VerificationAtOnce);
    let size = if signs_up && !state.refuses() {
        // A registration leaves something behind: where it is let through, each of them is about another address.
        requests
    } else if guesses_at_codes {
        // A code has five tries. One may have been spent before.
        requests / 4
    } else {
        requests / 20
    };
    let series = Series { name, size };
    serving.settle(series).await;
    let address = serving.address;
    spawn_blocking(move || {
        let wrong_guesses = usize::from(state == State::GuessesSpent);
        let guesses = prepare(address, series, !signs_up || state.refuses(), wrong_guesses);
        let connections = match route {
            Route::SessionAtOnce | Route::UserAtOnce | Route::VerificationAtOnce => 1,
            Route::Session | Route::User | Route::Verification => CONNECTIONS,
        };
        interleave(address, route, requests, connections, |kind, number| match route {
            Route::Session | Route::SessionAtOnce => series.sign_in(kind, number),
            Route::User | Route::UserAtOnce => series.sign_up(kind, number, "s"),
            Route::Verification | Route::VerificationAtOnce => guesses[kind as usize][number % size].clone(),
        })
    })
    .await
    .unwrap()
}

/// Fails if what the answers say tells two kinds apart, or if how long they take does so twice.
async fn nothing_tells_addresses_apart(backend: Backend, state: State) {
    let _together = TOGETHER_OR_ALONE.read().await;
    let serving = Serving::on(backend, state.limits(), Decoys::Stored).await;
    let mut separated = Vec::new();
    for (route, names) in [(Route::Session, ['a', 'b']), (Route::User, ['c', 'd']), (Route::Verification, ['e', 'f'])] {
        for name in names {
            let found = try_it(&serving, state, route, name, requests()).await;
            println!("{backend:?}, {state:?}, {route:?}, series {name}:\n{found}");
            println!("  paced by {:?}", serving.pacing_intervals());
            for (kind, seen) in Kind::ALL.iter().zip(&found.seen) {
                assert_eq!(seen.shapes, found.seen[0].shapes, "{kind:?}");
                assert_eq!(seen.shapes.len(), 1, "{:?}", seen.shapes);
                assert!(seen.shapes.keys().all(|shape| shape.status() == state.answer(route)), "{:?}", seen.shapes);
            }
            if !found.separate() {
                break;
            }
            if name == names[1] {
                separated.push(route);
            }
        }
    }
    serving.stop().await;
    assert!(separated.is_empty(), "told apart twice: {separated:?}");
}

macro_rules! nothing_tells_addresses_apart {
    ($($name:ident: $backend:ident, $state:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            nothing_tells_addresses_apart(Backend::$backend, State::$state).await;
        }
    )*};
}

nothing_tells_addresses_apart! {
    nothing_tells_addresses_apart_on_sqlite_without_limits: Sqlite, Off;
    nothing_tells_addresses_apart_on_sqlite_while_limits_leave_room: Sqlite, Open;
    nothing_tells_addresses_apart_on_sqlite_once_their_mails_are_spent: Sqlite, MailsSpent;
    nothing_tells_addresses_apart_on_sqlite_once_guesses_are_spent: Sqlite, GuessesSpent;
    nothing_tells_addresses_apart_on_postgres_without_limits: Postgres, Off;
    nothing_tells_addresses_apart_on_postgres_while_limits_leave_room: Postgres, Open;
    nothing_tells_addresses_apart_on_postgres_once_their_mails_are_spent: Postgres, MailsSpent;
    nothing_tells_addresses_apart_on_postgres_once_guesses_are_spent: Postgres, GuessesSpent;
    nothing_tells_addresses_apart_on_postgres_that_is_far_away: PostgresFarAway, Open;
}

/// The trial can fail. Without pacing, a store that skips decoys is found out, and one that keeps them leaves less than half
/// as much to tell: if decoys lose their work, this fails, however well the pace hides it.
///
/// A machine that is busy with other things hides it from few requests, so as many are asked besides as were, until both can be told. A
/// store without decoys that is not found out would make the other trials worthless.
async fn decoys_that_are_not_stored_are_told_apart(backend: Backend, route: Route) {
    let _alone = TOGETHER_OR_ALONE.write().await;
    let skipping = Serving::on(backend, None, Decoys::Skipped).await;
    let storing = Serving::on(backend, None, Decoys::Stored).await;
    let (mut skipped, mut stored) = (Findings::default(), Findings::default());
    let is_told = async {
        for name in 'a'..='f' {
            skipped.add(try_it(&skipping, State::Off, route, name, skipped.requests().max(requests())).await);
            if !skipped.separate() {
                continue;
            }
            stored.add(try_it(&storing, State::Off, route, name, skipped.requests() - stored.requests()).await);
            println!("{backend:?}, {route:?}, decoys skipped:\n{skipped}decoys stored:\n{stored}");
            if stored.distance_of_unknown() < skipped.distance_of_unknown() / 2.0 {
                return true;
            }
        }
        false
    };
    let is_told = is_told.await;
    skipping.stop().await;
    storing.stop().await;
    assert!(is_told, "a store that skips decoys is not found out:\n{skipped}, or one that stores them is:\n{stored}");
}

macro_rules! decoys_that_are_not_stored_are_told_apart {
    ($($name:ident: $backend:ident, $route:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            decoys_that_are_not_stored_are_told_apart(Backend::$backend, Route::$route).await;
        }
    )*};
}

// On PostgreSQL, a guess at nothing costs so little less than a wrong one that most machines hide it.
decoys_that_are_not_stored_are_told_apart! {
    decoys_that_are_not_stored_are_told_apart_on_sqlite: Sqlite, SessionAtOnce;
    decoys_that_are_not_stored_are_told_apart_on_postgres: Postgres, SessionAtOnce;
    decoys_of_registrations_that_are_not_stored_are_told_apart_on_sqlite: Sqlite, UserAtOnce;
    decoys_of_registrations_that_are_not_stored_are_told_apart_on_postgres: Postgres, UserAtOnce;
    guesses_at_decoys_that_are_not_stored_are_told_apart_on_sqlite: Sqlite, VerificationAtOnce;
}

/// All are asked about until nothing is let through any more, and guessed at in between.
async fn all_are_refused_from_the_same_request_on(backend: Backend) {
    let _together = TOGETHER_OR_ALONE.read().await;
    let limits = State::Open.limits().map(|open| Limits { mails_per_address: Rate::new(6, HOUR).unwrap(), ..open });
    let serving = Serving::on(backend, limits, Decoys::Stored).await;
    let series = Series { name: 'a', size: 2 };
    serving.settle(series).await;
    let address = serving.address;
    let all = spawn_blocking(move || {
        // What the registration takes, the others spend on a sign-in.
        prepare(address, series, true, 0);
        let mut client = Client::connect(address);
        Kind::ALL.map(|kind| {
            [0, 1].map(|number| {
                // The first is asked about until its mails are spent, the second guessed at until its guesses are.
                until_refused(&mut client, series, kind, number)
            })
        })
    });
    let all = all.await.unwrap();
    serving.stop().await;
    for (kind, seen) in Kind::ALL.iter().zip(&all) {
        assert_eq!(seen, &all[0], "{kind:?}");
        for seen in seen {
            assert!(seen.iter().filter(|shape| shape.status() == 429).count() >= 4, "{seen:?}");
        }
    }
}

fn until_refused(client: &mut Client, series: Series, kind: Kind, number: usize) -> Vec<Shape> {
    let mut seen = Vec::new();
    for turn in 0..5 {
        let (_, asked) = Route::Session.ask(client, &series.sign_in(kind, number));
        if number == 1 && asked.status() == 202 {
            (0..5).for_each(|_| is_refused(client, &wrong_guess(&asked)));
        }
        let sign_up = series.sign_up(kind, number, ["s", "t", "u", "v", "w"][turn]);
        let (_, registered) = Route::User.ask(client, &sign_up);
        seen.extend([asked.shape(), registered.shape()]);
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn all_are_refused_from_the_same_request_on_sqlite() {
    all_are_refused_from_the_same_request_on(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_are_refused_from_the_same_request_on_postgres() {
    all_are_refused_from_the_same_request_on(Backend::Postgres).await;
}
