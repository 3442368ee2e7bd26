use std::{sync::Arc, time::Duration};

use auth_domain::{
    EmailAddition, EventKind, Limit, Limits, NewCode, Outcome, PendingSignIn, Rate, Redeemed, Refusal, Registration,
    Store, ThrottleKind, UserId,
};

use super::{Subject, account, owner};
use crate::samples::{
    at, decoy_hash, email_addition, guessed_by, key_pair, limited, purge, registration, right_guess, sign_in,
    wrong_guess,
};

const DAY: u64 = 24 * 60 * 60;

/// Strangers guess from here; the owner of the account has signed in from network 1.
const ELSEWHERE: u8 = 5;

/// As many failures as this, and everything else in plenty.
pub(super) fn limits(failures_per_day: u32, failures_in_a_row: u32) -> Limits {
    let plenty = Rate::new(1_000_000, Duration::from_hours(24)).unwrap();
    Limits {
        failures_per_day,
        failures_in_a_row,
        mails_per_address: plenty,
        mails_per_network: plenty,
        sign_ups_per_network: plenty,
        requests_per_network: plenty,
        ..Limits::default()
    }
}

/// A code for `ada`, asked for without limits from `network`.
pub(super) async fn code(store: &dyn Store, ada: &Registration, network: u8, second: u64) -> PendingSignIn {
    let pending = sign_in(ada.address.as_str(), network, at(second));
    assert_eq!(store.open_session(&pending, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    pending
}

/// A code for an address that nobody has.
async fn nobodys_code(store: &dyn Store, address: &str, network: u8, second: u64) -> PendingSignIn {
    let decoy = sign_in(address, network, at(second));
    assert_eq!(store.open_session(&decoy, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    decoy
}

pub(super) async fn wrong(store: &dyn Store, code: &NewCode, limits: Limits, network: u8, second: u64) -> &'static str {
    let guess = limited(wrong_guess(code, at(second)), limits, network);
    said(&store.redeem_code(&guess).await.unwrap())
}

pub(super) async fn right(store: &dyn Store, code: &NewCode, limits: Limits, network: u8, second: u64) -> &'static str {
    let guess = limited(right_guess(code, at(second)), limits, network);
    said(&store.redeem_code(&guess).await.unwrap())
}

fn said(redeemed: &Redeemed) -> &'static str {
    match redeemed {
        Redeemed::Yes { .. } => "yes",
        Redeemed::Disabled { .. } => "disabled",
        Redeemed::Wrong { .. } => "wrong",
        Redeemed::Refused => "refused",
        Redeemed::Shut(_) => "shut",
        Redeemed::Throttled(_) => "throttled",
    }
}

pub async fn wrong_guesses_at_several_codes_share_waits_that_grow_and_ten_a_day(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = limits(10, 100);
    let [one, two, three] = [5, 6, 7].map(|network| code(&*store, &ada, network, 1));
    let (one, two, three) = (one.await.code, two.await.code, three.await.code);
    // Whoever guesses, and at which code: strangers are one.
    for (code, network) in [(&one, 5), (&two, 6), (&one, 7), (&two, 8), (&three, 5)] {
        assert_eq!(wrong(&*store, code, limits, network, 1).await, "wrong");
    }
    for (code, from) in [(&one, 61), (&two, 61 + 120), (&one, 181 + 240), (&two, 421 + 480), (&three, 901 + 960)] {
        assert_eq!(wrong(&*store, code, limits, ELSEWHERE, from - 1).await, "shut", "before {from}");
        assert_eq!(wrong(&*store, code, limits, ELSEWHERE, from).await, "wrong", "at {from}");
    }
    for code in [&one, &two, &three] {
        assert_eq!(right(&*store, code, limits, ELSEWHERE, 3600).await, "shut", "ten are all of a day");
    }
    let later = code_of_next_day(&*store, &ada).await;
    assert_eq!(right(&*store, &later, limits, ELSEWHERE, DAY).await, "shut");
    assert_eq!(right(&*store, &later, limits, ELSEWHERE, DAY + 1).await, "yes", "a day after the first");
}

async fn code_of_next_day(store: &dyn Store, ada: &Registration) -> NewCode {
    code(store, ada, 9, DAY - 10).await.code
}

pub async fn asking_for_new_codes_buys_no_new_budget(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = limits(2, 100);
    for second in 1..=2 {
        let code = code(&*store, &ada, ELSEWHERE, second).await.code;
        assert_eq!(wrong(&*store, &code, limits, ELSEWHERE, second).await, "wrong");
    }
    for second in 3..10 {
        let code = code(&*store, &ada, ELSEWHERE, second).await.code;
        assert_eq!(right(&*store, &code, limits, ELSEWHERE, second).await, "shut");
    }
}

pub async fn of_racing_wrong_guesses_at_several_codes_no_more_than_one_budget_is_judged(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = limits(3, 100);
    let mut codes = Vec::new();
    for network in 5..9 {
        codes.push(code(&*store, &ada, network, 1).await.code);
    }
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let (store, code) = (Arc::clone(&store), codes[n % 4].clone());
            let network = u8::try_from(n).unwrap() + 10;
            tokio::spawn(async move { wrong(&*store, &code, limits, network, 2).await })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes.sort_unstable();
    assert_eq!(outcomes, [["shut"; 17].as_slice(), &["wrong"; 3]].concat());
}

pub async fn a_guess_that_is_shut_out_costs_a_code_nothing(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = limits(10, 100);
    let (one, two) = (code(&*store, &ada, 5, 1).await.code, code(&*store, &ada, 6, 1).await.code);
    for code in [&one, &one, &one, &one, &two] {
        assert_eq!(wrong(&*store, code, limits, ELSEWHERE, 1).await, "wrong");
    }
    for _ in 0..5 {
        assert_eq!(wrong(&*store, &one, limits, ELSEWHERE, 2).await, "shut");
        assert_eq!(right(&*store, &one, limits, ELSEWHERE, 2).await, "shut");
    }
    assert_eq!(
        right(&*store, &one, limits, ELSEWHERE, 61).await,
        "yes",
        "it has its last try, and no wait was prolonged"
    );
}

pub async fn strangers_cannot_shut_out_the_owner_in_a_network_that_is_known(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = limits(2, 100);
    let (strangers, owners) = (code(&*store, &ada, 5, 1).await.code, code(&*store, &ada, 1, 1).await.code);
    for expected in ["wrong", "wrong", "shut"] {
        assert_eq!(wrong(&*store, &strangers, limits, ELSEWHERE, 1).await, expected);
    }
    assert_eq!(wrong(&*store, &owners, limits, 1, 2).await, "wrong", "the owner has an allowance of their own");
    assert_eq!(right(&*store, &owners, limits, 1, 2).await, "yes");
    assert_eq!(right(&*store, &strangers, limits, ELSEWHERE, 3).await, "shut", "the strangers' day is as it was");

    let owners = code(&*store, &ada, 1, 3).await.code;
    for expected in ["wrong", "wrong", "shut"] {
        assert_eq!(wrong(&*store, &owners, limits, 1, 3).await, expected, "which began anew with the success");
    }
}

pub async fn what_was_guessed_wrong_in_a_row_shuts_an_address_until_its_owner_succeeds(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = limits(10, 3);
    for day in 0..3 {
        let code = code(&*store, &ada, 5, day * DAY + 1).await.code;
        assert_eq!(wrong(&*store, &code, limits, ELSEWHERE, day * DAY + 1).await, "wrong");
    }
    let strangers = code(&*store, &ada, 5, 80 * DAY).await.code;
    assert_eq!(right(&*store, &strangers, limits, ELSEWHERE, 80 * DAY).await, "shut", "it does not end by itself");
    let owners = code(&*store, &ada, 1, 80 * DAY).await.code;
    assert_eq!(right(&*store, &owners, limits, 1, 80 * DAY).await, "yes");
    assert_eq!(right(&*store, &strangers, limits, ELSEWHERE, 80 * DAY).await, "yes");
}

pub async fn a_success_forgives_strangers_what_was_in_a_row_and_not_their_day(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = limits(4, 4);
    let (one, two) = (code(&*store, &ada, 5, 1).await.code, code(&*store, &ada, 6, 1).await.code);
    for _ in 0..3 {
        assert_eq!(wrong(&*store, &two, limits, 6, 1).await, "wrong");
    }
    assert_eq!(right(&*store, &one, limits, ELSEWHERE, 1).await, "yes");
    assert_eq!(wrong(&*store, &two, limits, 6, 1).await, "wrong", "the fourth of the day, the first in a row");
    assert_eq!(right(&*store, &two, limits, 6, 1).await, "shut");
    let next_day = code(&*store, &ada, 6, DAY + 1).await.code;
    assert_eq!(right(&*store, &next_day, limits, 6, DAY + 1).await, "yes", "so the row has not shut it");
}

pub async fn an_address_that_nobody_has_is_counted_like_any_other(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = limits(7, 8);
    let mut outcomes = [Vec::new(), Vec::new()];
    for (second, network) in [(1, 5), (2, 6), (200, 5), (400, 5), (900, 5), (DAY + 10, 6), (2 * DAY, 7), (2 * DAY, 8)] {
        let hers = code(&*store, &ada, network, second).await.code;
        let nobodys = nobodys_code(&*store, "nobody@example.org", network, second).await.code;
        for _ in 0..3 {
            outcomes[0].push(wrong(&*store, &hers, limits, network, second).await);
            outcomes[1].push(wrong(&*store, &nobodys, limits, network, second).await);
        }
    }
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[0].iter().filter(|outcome| **outcome == "wrong").count(), 8, "{outcomes:?}");
}

pub async fn guesses_at_addresses_and_key_pairs_count_for_the_address_they_go_to(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = limits(2, 100);
    let pair = key_pair(owner(&ada), "ada@example.org", at(1));
    assert_eq!(store.create_key_pair(&pair).await.unwrap(), Outcome::Done(()));
    for expected in ["wrong", "wrong", "shut"] {
        let guess = guessed_by(ada.user_id, limited(wrong_guess(&pair.code, at(1)), limits, ELSEWHERE));
        assert_eq!(said(&store.redeem_code(&guess).await.unwrap()), expected);
    }
    let code = code(&*store, &ada, ELSEWHERE, 1).await.code;
    assert_eq!(right(&*store, &code, limits, ELSEWHERE, 1).await, "shut");
    let at_home = guessed_by(ada.user_id, limited(right_guess(&pair.code, at(1)), limits, 1));
    assert_eq!(said(&store.redeem_code(&at_home).await.unwrap()), "yes");
}

pub async fn a_clock_that_steps_back_opens_nothing(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = limits(2, 100);
    let code = code(&*store, &ada, ELSEWHERE, 50 * DAY).await.code;
    for expected in ["wrong", "wrong", "shut"] {
        assert_eq!(wrong(&*store, &code, limits, ELSEWHERE, 50 * DAY).await, expected);
    }
    assert_eq!(right(&*store, &code, limits, ELSEWHERE, 10).await, "shut");
}

pub async fn wrong_guesses_that_cost_no_wait_shut_nothing_when_the_clock_steps_back(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let (code, limits) = (code(&*store, &ada, ELSEWHERE, 10).await.code, limits(10, 100));
    for _ in 0..4 {
        assert_eq!(wrong(&*store, &code, limits, ELSEWHERE, 100).await, "wrong");
    }
    assert_eq!(right(&*store, &code, limits, ELSEWHERE, 50).await, "yes");
}

pub async fn a_guess_that_is_shut_out_is_about_whoever_owns_the_address(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let eve = account(&*store, "eve", "eve@example.org").await;
    let limits = limits(1, 100);
    let seen = store.list_emails(eve.user_id).await.unwrap();
    let foreign = EmailAddition { foreign: true, ..email_addition(eve.user_id, &seen, "ada@example.org", at(1)) };
    assert_eq!(store.add_email(&foreign).await.unwrap(), Outcome::Done(()));
    assert_eq!(wrong(&*store, &foreign.code, limits, ELSEWHERE, 1).await, "wrong");
    let guess = limited(wrong_guess(&foreign.code, at(2)), limits, ELSEWHERE);
    let Redeemed::Shut(refusal) = store.redeem_code(&guess).await.unwrap() else { panic!("it is open") };
    assert_eq!((refusal.told, refusal.owner), (true, Some(ada.user_id)));
    assert_eq!(wrong(&*store, &foreign.code, limits, ELSEWHERE, 3).await, "shut");
    assert_eq!((refusals_about(&*store, ada.user_id).await, refusals_about(&*store, eve.user_id).await), (1, 0));
}

/// How many refusals by a limit the audit log has that are about this user.
async fn refusals_about(store: &dyn Store, user: UserId) -> usize {
    let events = store.list_events(Some(user), None, 100).await.unwrap();
    events.iter().filter(|event| event.kind == EventKind::Throttled && event.subject == Some(user)).count()
}

pub async fn an_address_that_no_time_opens_is_worth_asking_about_in_a_day(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let (code, limits) = (code(&*store, &ada, ELSEWHERE, 1).await.code, limits(10, 1));
    assert_eq!(wrong(&*store, &code, limits, ELSEWHERE, 1).await, "wrong");
    let guess = limited(right_guess(&code, at(5)), limits, ELSEWHERE);
    let Redeemed::Shut(refusal) = store.redeem_code(&guess).await.unwrap() else { panic!("it is open") };
    assert_eq!(refusal.until, at(5 + DAY));
}

pub async fn without_limits_nothing_is_counted_but_a_codes_own_tries(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    for network in 5..8 {
        let code = code(&*store, &ada, network, 1).await.code;
        for expected in ["wrong", "wrong", "wrong", "wrong", "wrong", "refused"] {
            assert_eq!(said(&store.redeem_code(&wrong_guess(&code, at(1))).await.unwrap()), expected);
        }
    }
    let code = code(&*store, &ada, ELSEWHERE, 2).await.code;
    assert_eq!(right(&*store, &code, limits(1, 1), ELSEWHERE, 2).await, "yes");
}

pub async fn a_network_is_known_from_a_sign_in_for_as_long_as_it_is_used(subject: &impl Subject) {
    let store = subject.store();
    // The account signs in at second 0 from network 1, without limits.
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = Limits { networks_known_for: Duration::from_secs(100), ..limits(1, 100) };
    let strangers = code(&*store, &ada, 5, 1).await.code;
    assert_eq!(wrong(&*store, &strangers, limits, ELSEWHERE, 1).await, "wrong");
    for (second, network, expected) in
        [(50, 2, "shut"), (99, 1, "yes"), (198, 1, "yes"), (298, 1, "shut"), (298, 5, "shut")]
    {
        let code = code(&*store, &ada, network, second).await.code;
        assert_eq!(right(&*store, &code, limits, network, second).await, expected, "{second} from {network}");
    }
}

pub async fn a_seventeenth_network_takes_the_place_of_the_longest_unused(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = limits(1, 100);
    for network in 2..=17 {
        let code = code(&*store, &ada, network, network.into()).await.code;
        assert_eq!(right(&*store, &code, limits, network, network.into()).await, "yes");
    }
    let strangers = code(&*store, &ada, 20, 30).await.code;
    assert_eq!(wrong(&*store, &strangers, limits, 20, 30).await, "wrong");
    for (network, expected) in [(1, "shut"), (2, "yes"), (17, "yes")] {
        let code = code(&*store, &ada, network, 30).await.code;
        assert_eq!(right(&*store, &code, limits, network, 30).await, expected, "{network}");
    }
}

pub async fn a_registration_knows_no_network_until_it_is_completed(subject: &impl Subject) {
    let store = subject.store();
    let limits = limits(2, 100);
    let ada = registration("ada", "ada@example.org", at(0));
    let _stored = store.register_user(&ada).await.unwrap();
    assert_eq!(wrong(&*store, &ada.sign_in.code, limits, ELSEWHERE, 1).await, "wrong");
    assert_eq!(right(&*store, &ada.sign_in.code, limits, 1, 1).await, "yes");
    let strangers = code(&*store, &ada, 5, 1).await.code;
    for expected in ["wrong", "shut"] {
        assert_eq!(wrong(&*store, &strangers, limits, ELSEWHERE, 1).await, expected);
    }
    let owners = code(&*store, &ada, 1, 1).await.code;
    assert_eq!(right(&*store, &owners, limits, 1, 1).await, "yes");
}

pub async fn guesses_of_strangers_are_requests_of_their_network(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let requests_per_network = Rate::new(3, Duration::from_secs(30)).unwrap();
    let limits = Limits { requests_per_network, ..limits(10, 100) };
    let code = code(&*store, &ada, 2, 1).await.code;
    let never_stored = sign_in("nobody@example.org", 1, at(0)).code;
    assert_eq!(wrong(&*store, &never_stored, limits, ELSEWHERE, 1).await, "refused");
    assert_eq!(wrong(&*store, &code, limits, ELSEWHERE, 1).await, "wrong");
    assert_eq!(wrong(&*store, &never_stored, limits, ELSEWHERE, 1).await, "refused");
    let guess = limited(right_guess(&code, at(2)), limits, ELSEWHERE);
    let refusal = Refusal { limit: Limit::Throttle(ThrottleKind::Requests), until: at(11), owner: None, told: true };
    assert_eq!(store.redeem_code(&guess).await.unwrap(), Redeemed::Throttled(refusal));
    let by_owner = guessed_by(ada.user_id, wrong_guess(&code, at(2)));
    let by_owner = limited(by_owner, limits, ELSEWHERE);
    assert_eq!(said(&store.redeem_code(&by_owner).await.unwrap()), "wrong", "who is known is no stranger");
    assert_eq!(wrong(&*store, &never_stored, limits, 6, 2).await, "refused", "nor does it concern another network");
    assert_eq!(right(&*store, &code, limits, ELSEWHERE, 11).await, "yes");
}

pub async fn guesses_that_are_shut_out_are_told_once_a_day(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = limits(1, 100);
    let mut told = Vec::new();
    for day in 0..2 {
        let code = code(&*store, &ada, 5, day * DAY + 1).await.code;
        assert_eq!(wrong(&*store, &code, limits, ELSEWHERE, day * DAY + 1).await, "wrong");
        for network in 5..8 {
            let guess = limited(right_guess(&code, at(day * DAY + 2)), limits, network);
            let Redeemed::Shut(refusal) = store.redeem_code(&guess).await.unwrap() else { panic!("it is open") };
            let about = refusal.told.then_some(ada.user_id);
            assert_eq!((refusal.limit, refusal.owner), (Limit::Guesses, about));
            told.push(refusal.told);
        }
    }
    assert_eq!(told, [true, false, false, true, false, false]);
    let events = store.list_events(Some(ada.user_id), None, 100).await.unwrap();
    let throttled: Vec<_> = events.iter().filter(|event| event.kind == EventKind::Throttled).collect();
    assert_eq!(throttled.len(), 2);
    for event in throttled {
        assert_eq!((event.outcome.as_str(), event.detail.as_str()), ("failure", "guesses"));
        assert_eq!((event.actor, event.ip), (None, Some(crate::samples::client(ELSEWHERE).ip)));
    }
}

pub async fn wrong_guesses_are_purged_once_they_make_no_difference(subject: &impl Subject) {
    let store = subject.store();
    let ada = account(&*store, "ada", "ada@example.org").await;
    let limits = limits(10, 100);
    let (strangers, owners) = (code(&*store, &ada, 5, 1).await.code, code(&*store, &ada, 1, 1).await.code);
    assert_eq!(wrong(&*store, &strangers, limits, ELSEWHERE, 1).await, "wrong");
    // Everything else that has ended goes first, throttles among it.
    while store.purge(&purge(at(40 * DAY), at(0), 100)).await.unwrap() > 0 {}
    let again = code(&*store, &ada, 5, 40 * DAY).await.code;
    assert_eq!(wrong(&*store, &again, super::guessing::limits(10, 2), ELSEWHERE, 40 * DAY).await, "wrong");
    let shut = right(&*store, &again, super::guessing::limits(10, 2), ELSEWHERE, 40 * DAY).await;
    assert_eq!(shut, "shut", "the first one was remembered, since nobody has succeeded");
    assert_eq!(right(&*store, &owners, limits, 1, 2).await, "refused", "an old code");
    let owners = code(&*store, &ada, 1, 40 * DAY).await.code;
    assert_eq!(right(&*store, &owners, limits, 1, 40 * DAY).await, "yes");
    while store.purge(&purge(at(41 * DAY - 1), at(0), 100)).await.unwrap() > 0 {}
    assert_eq!(
        store.purge(&purge(at(41 * DAY), at(0), 100)).await.unwrap(),
        2,
        "a session, and a row of a day that is over"
    );
}
