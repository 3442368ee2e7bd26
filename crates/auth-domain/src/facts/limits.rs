//! What is let through: judged before anything else, charged for with the rest.

use crate::{
    Change, Changes, CodeGuess, Event, Failures, Limit, Limits, Network, NewCode, Refusal, Restraint, Scope, State,
    StoreError, ThrottleKey, ThrottleKind, Timestamp,
    archive::{FailureRecord, ThrottleRecord},
    ports::AddressState,
    rules::{
        Asking, Charge, Guessing, HeldBack, HeldBackBy, after_failure, after_success, event_of_refusal,
        event_of_refused_guess, is_to_be_told, judge_asking, judge_guessing, judge_throttle,
        refused_guess_is_to_be_told,
    },
};

/// What a request that is let through is charged.
pub(super) struct Price(Vec<(ThrottleKey, Timestamp)>);

impl Price {
    /// Charges it.
    pub(super) fn settle(self, state: &State, changes: &mut Changes) {
        for (key, full_at) in self.0 {
            let told_at = state.throttle(&key).and_then(|row| row.told_at);
            changes.push(Change::PutThrottle(ThrottleRecord { key, full_at, told_at }));
        }
    }

    /// What is charged of it to a registration whose alias is taken.
    pub(super) fn for_a_taken_alias(mut self) -> Self {
        self.0.retain(|(key, _)| key.kind.is_charged_for_a_taken_alias());
        self
    }
}

/// What any request for `code` is decided by.
pub(super) fn of_request(code: &NewCode, restraint: Option<&Restraint>) -> Scope {
    let limits = restraint.is_some();
    let (address, network) = (Some(code.address.clone()), limits.then_some(code.network));
    Scope { address, claims: true, limits, network, ..Scope::default() }
}

/// What a request for `code` is charged, or why it is held back. Nothing is charged yet.
pub(super) fn judge_request(
    state: &State,
    restraint: Option<&Restraint>,
    asking: Asking,
    code: &NewCode,
    changes: &mut Changes,
) -> Result<Result<Price, Refusal>, StoreError> {
    let Some(restraint) = restraint else { return Ok(Ok(Price(Vec::new()))) };
    let (address, limits, now) = (state.address()?, &restraint.limits, code.created_at);
    let known = address.knows(code.network, limits, now);
    let failures = address.failures_of(known.then_some(code.network));
    let guessing = judge_guessing(failures.map(|row| &row.failures), limits, now);
    let keys = asking.keys(&address.key, code.network, known);
    let throttles = keys.into_iter().map(|key| {
        let full_at = state.throttle(&key).map(|row| row.full_at);
        (key, full_at)
    });
    let HeldBack { by, until } = match judge_asking(guessing, throttles.collect(), limits, now) {
        Ok(price) => return Ok(Ok(Price(price))),
        Err(held_back) => held_back,
    };
    let told = match &by {
        HeldBackBy::Guesses => failures.is_some_and(|row| tell_of_failures(row, now, changes)),
        HeldBackBy::Throttle(key) => state.tell_of_throttle(key, limits, now, changes),
    };
    let limit = by.limit();
    let owner = if told && limit.is_for_an_address() { address.owner() } else { None };
    if told {
        changes.record(event_of_refusal(restraint, limit, owner));
    }
    Ok(Err(Refusal { limit, until, owner, told }))
}

/// Charges for a stranger's guess as for a request of its network, or says why it is held back.
pub(super) fn charge_guess(state: &State, guess: &CodeGuess, changes: &mut Changes) -> Result<(), Refusal> {
    let (Some(limits), None) = (&guess.limits, guess.by.user) else { return Ok(()) };
    let refused = |limit| event_of_refused_guess(guess, limit, None);
    let key = ThrottleKey::of_network(ThrottleKind::Requests, guess.network);
    charge(state, key, limits, guess.at, refused, changes)
}

/// Charges for a look-up of a network, or says why it is held back.
pub(super) fn charge_look_up(
    state: &State,
    network: Network,
    restraint: &Restraint,
    changes: &mut Changes,
) -> Result<(), Refusal> {
    let refused = |limit| event_of_refusal(restraint, limit, None);
    let key = ThrottleKey::of_network(ThrottleKind::LookUps, network);
    charge(state, key, &restraint.limits, restraint.event.at, refused, changes)
}

/// Charges a bucket alone, or says why it has no room. `refused` is what the audit log gets then, once in a while.
fn charge(
    state: &State,
    key: ThrottleKey,
    limits: &Limits,
    now: Timestamp,
    refused: impl Fn(Limit) -> Event,
    changes: &mut Changes,
) -> Result<(), Refusal> {
    let kind = key.kind;
    match judge_throttle(state.throttle(&key).map(|row| row.full_at), kind.rate(limits), now) {
        Charge::Room(full_at) => {
            Price(vec![(key, full_at)]).settle(state, changes);
            Ok(())
        }
        Charge::Full(until) => {
            let (limit, told) = (Limit::Throttle(kind), state.tell_of_throttle(&key, limits, now, changes));
            if told {
                changes.record(refused(limit));
            }
            Err(Refusal { limit, until, owner: None, told })
        }
    }
}

/// Why a guess at a living code of the address is not even judged; `None` when it is to be.
pub(super) fn judge_guess(address: &AddressState, guess: &CodeGuess, changes: &mut Changes) -> Option<Refusal> {
    let limits = guess.limits.as_ref()?;
    let failures = address.failures_of(address.counted_under(guess, limits))?;
    let Guessing::Shut { until } = judge_guessing(Some(&failures.failures), limits, guess.at) else { return None };
    let (limit, told) = (Limit::Guesses, tell_of_failures(failures, guess.at, changes));
    let owner = if told { address.owner() } else { None };
    if told {
        changes.record(event_of_refused_guess(guess, limit, owner));
    }
    Some(Refusal { limit, until, owner, told })
}

/// A guess was wrong.
pub(super) fn count_failure(address: &AddressState, guess: &CodeGuess, changes: &mut Changes) {
    let Some(limits) = &guess.limits else { return };
    let network = address.counted_under(guess, limits);
    let failures = after_failure(address.failures_of(network).map(|row| &row.failures), guess.at);
    changes.push(Change::PutFailures(FailureRecord { address_key: address.key.clone(), network, failures }));
}

/// A guess was right and has opened something.
pub(super) fn forgive_failures(address: &AddressState, guess: &CodeGuess, changes: &mut Changes) {
    if guess.limits.is_none() {
        return;
    }
    let network = Some(guess.network);
    if address.failures_of(network).is_some() {
        changes.push(Change::DeleteFailures { address: address.key.clone(), network });
    }
    if let Some(strangers) = address.failures_of(None) {
        let failures = after_success(&strangers.failures);
        if failures != strangers.failures {
            changes.push(Change::PutFailures(FailureRecord { failures, ..strangers.clone() }));
        }
    }
}

impl AddressState {
    fn failures_of(&self, network: Option<Network>) -> Option<&FailureRecord> {
        self.failures.iter().find(|row| row.network == network)
    }

    /// What a guess counts under: its network, if that is known, else with all strangers.
    fn counted_under(&self, guess: &CodeGuess, limits: &Limits) -> Option<Network> {
        self.knows(guess.network, limits, guess.at).then_some(guess.network)
    }
}

impl State {
    fn throttle(&self, key: &ThrottleKey) -> Option<&ThrottleRecord> {
        let of_address = self.address.iter().flat_map(|address| &address.throttles);
        of_address.chain(&self.network).find(|row| row.key == *key)
    }

    /// Whether the audit log is to be told that this throttle refuses something; from then on it has been.
    fn tell_of_throttle(&self, key: &ThrottleKey, limits: &Limits, now: Timestamp, changes: &mut Changes) -> bool {
        let Some(row) = self.throttle(key) else { return false };
        let told = is_to_be_told(row.told_at, key.kind.rate(limits).span(), now);
        if told {
            changes.push(Change::PutThrottle(ThrottleRecord { told_at: Some(now), ..row.clone() }));
        }
        told
    }
}

/// The same for wrong guesses.
fn tell_of_failures(row: &FailureRecord, now: Timestamp, changes: &mut Changes) -> bool {
    let told = refused_guess_is_to_be_told(&row.failures, now);
    if told {
        let failures = Failures { told_at: Some(now), ..row.failures };
        changes.push(Change::PutFailures(FailureRecord { failures, ..row.clone() }));
    }
    told
}
