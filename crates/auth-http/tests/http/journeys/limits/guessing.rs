//! Wrong guesses at the codes of an address.

use std::time::Duration;

use auth_domain::Limits;

use super::{
    super::{ADA, BOB, journeys},
    DAY, ELSEWHERE, FAR_AWAY, REFUSED, WRONG, asking, guess_wrong, guessing, held_back, signing_up, signs_in,
    wide_open, with_ada,
};
use crate::app::{Backend, HERE, Setup, TestApp};

journeys![
    an_eleventh_wrong_guess_is_not_looked_at_whichever_code_it_is_at,
    a_wrong_guess_costs_a_wait_from_the_fifth_on,
    an_owner_gets_in_from_a_known_network_while_strangers_are_shut_out,
    without_limits_only_the_tries_of_a_code_are_counted,
];

async fn an_eleventh_wrong_guess_is_not_looked_at_whichever_code_it_is_at(backend: Backend) {
    let app = with_ada(backend, wide_open()).await;
    // Three codes at once, from different places: more tries than there are guesses.
    let mut asked = Vec::new();
    for peer in [ELSEWHERE, FAR_AWAY, "198.51.100.5"] {
        let session = app.send(asking(peer, ADA)).await.accepted();
        asked.push((peer, session, app.read_code(ADA).await));
    }
    let [(first, ..), (second, ..), (third, last, code)] = &asked[..] else { panic!() };
    for (peer, session, tries) in [(first, &asked[0].1, 4), (second, &asked[1].1, 4), (third, last, 2)] {
        for _ in 0..tries {
            app.send(guessing(peer, session, WRONG)).await.refused(401, REFUSED);
        }
    }
    // Each code has tries left, but the address has none: not even the right guess is looked at, from nowhere.
    for (_, session, code) in &asked {
        for peer in [ELSEWHERE, "198.51.100.77", "100.64.0.1"] {
            app.send(guessing(peer, session, code)).await.refused(401, REFUSED);
        }
    }
    for peer in [ELSEWHERE, FAR_AWAY, "100.64.0.1"] {
        held_back(&app.send(asking(peer, ADA)).await, DAY);
        held_back(&app.send(signing_up(peer, "eve", ADA)).await, DAY);
    }
    app.send(asking(ELSEWHERE, BOB)).await.accepted();
    // The code would have lived for another while; the day is over after it.
    app.wait(DAY);
    app.send(guessing(third, last, code)).await.refused(401, REFUSED);
    signs_in(&app, ELSEWHERE).await;
}

async fn a_wrong_guess_costs_a_wait_from_the_fifth_on(backend: Backend) {
    let limits = Limits { first_wait: Limits::default().first_wait, ..wide_open() };
    let app = with_ada(backend, limits).await;
    guess_wrong(&app, ELSEWHERE, ADA, 5).await;
    for minutes in [1, 2, 4, 8, 16] {
        let wait = Duration::from_mins(minutes);
        held_back(&app.send(asking(ELSEWHERE, ADA)).await, wait);
        app.wait(wait.saturating_sub(Duration::from_secs(1)));
        held_back(&app.send(asking(FAR_AWAY, ADA)).await, Duration::from_secs(1));
        app.wait(Duration::from_secs(1));
        let asked = app.send(asking(ELSEWHERE, ADA)).await.accepted();
        app.send(guessing(ELSEWHERE, &asked, WRONG)).await.refused(401, REFUSED);
        // Guesses meanwhile are neither looked at nor counted: the wait does not grow.
        for code in [WRONG, &app.read_code(ADA).await] {
            app.send(guessing(ELSEWHERE, &asked, code)).await.refused(401, REFUSED);
        }
    }
    held_back(&app.send(asking(ELSEWHERE, ADA)).await, DAY.saturating_sub(Duration::from_mins(1 + 2 + 4 + 8 + 16)));
}

async fn an_owner_gets_in_from_a_known_network_while_strangers_are_shut_out(backend: Backend) {
    let app = with_ada(backend, wide_open()).await;
    guess_wrong(&app, ELSEWHERE, ADA, 10).await;
    held_back(&app.send(asking(FAR_AWAY, ADA)).await, DAY);
    // Anywhere in the network from which she registered, she is no stranger.
    let session = signs_in(&app, "192.0.2.200").await;
    app.check(&session).await.ok();
    // That she got in gives strangers nothing back.
    held_back(&app.send(asking(FAR_AWAY, ADA)).await, DAY);
    // A network from which somebody guesses wrong is shut by itself, known or not.
    guess_wrong(&app, HERE, ADA, 10).await;
    held_back(&app.send(asking(HERE, ADA)).await, DAY);
    // What is known to Ada is known to nobody else.
    app.send(signing_up(FAR_AWAY, "bob", BOB)).await.accepted();
    guess_wrong(&app, ELSEWHERE, BOB, 10).await;
    held_back(&app.send(asking(HERE, BOB)).await, DAY);
}

async fn without_limits_only_the_tries_of_a_code_are_counted(backend: Backend) {
    let app = TestApp::on(backend, Setup::default()).await;
    app.registered("ada", ADA).await;
    guess_wrong(&app, ELSEWHERE, ADA, 50).await;
    let asked = app.send(asking(ELSEWHERE, ADA)).await.accepted();
    let code = app.read_code(ADA).await;
    for _ in 0..5 {
        app.send(guessing(ELSEWHERE, &asked, WRONG)).await.refused(401, REFUSED);
    }
    app.send(guessing(ELSEWHERE, &asked, &code)).await.refused(401, REFUSED);
    signs_in(&app, ELSEWHERE).await;
    assert_eq!(app.auth().tell_of_lockouts(10).await.unwrap(), 0);
}
