//! What is let through: one more rule for facts that mail a code, and for guesses.

use auth_domain::{
    AddressKey, CodeGuess, EmailId, Failures, Limits, Network, NewCode, Refusal, Restraint, ThrottleKey, ThrottleKind,
    Timestamp, UserId,
    rules::{
        Asking, Charge, Guessing, HeldBack, HeldBackBy, after_failure, after_success, event_of_refusal,
        event_of_refused_guess, forgotten_networks, is_to_be_told, judge_asking, judge_guessing, judge_throttle,
        network_is_known, refused_guess_is_to_be_told,
    },
};

use super::state::{KnownNetworkRow, State, ThrottleRow};

/// What a request that is let through is charged.
pub(super) type Charges = Vec<(ThrottleKey, Timestamp)>;

impl State {
    /// What a request for `code` is charged, or why it is held back. Nothing is charged yet.
    pub(super) fn judge_asking(
        &mut self,
        restraint: Option<&Restraint>,
        asking: Asking,
        code: &NewCode,
    ) -> Result<Charges, Refusal> {
        let Some(restraint) = restraint else { return Ok(Charges::new()) };
        let (address, limits, now) = (&code.address, &restraint.limits, code.created_at);
        let known = self.knows(address, code.network, limits, now);
        let row = (address.clone(), known.then_some(code.network));
        let guessing = judge_guessing(self.failures.get(&row), limits, now);
        let throttles = asking.keys(address, code.network, known).into_iter().map(|key| {
            let full_at = self.throttles.get(&key).map(|row| row.full_at);
            (key, full_at)
        });
        let throttles = throttles.collect();
        judge_asking(guessing, throttles, limits, now).map_err(|HeldBack { by, until }| {
            let told = self.is_told(&by, &row, limits, now);
            let limit = by.limit();
            let owner = if limit.is_for_an_address() { self.owner_of(address) } else { None };
            if told {
                self.events.push(event_of_refusal(restraint, limit, owner));
            }
            Refusal { limit, until, owner, told }
        })
    }

    pub(super) fn charge(&mut self, charges: Charges) {
        for (key, full_at) in charges {
            let told_at = self.throttles.get(&key).and_then(|row| row.told_at);
            self.throttles.insert(key, ThrottleRow { full_at, told_at });
        }
    }

    /// The same for a registration whose alias is taken.
    pub(super) fn charge_for_taken_alias(&mut self, charges: Charges) {
        self.charge(charges.into_iter().filter(|(key, _)| key.kind.is_charged_for_a_taken_alias()).collect());
    }

    /// Charges a stranger's guess as a request of its network, or says why it is held back.
    pub(super) fn charge_guess(&mut self, guess: &CodeGuess) -> Result<(), Refusal> {
        let (Some(limits), None) = (&guess.limits, guess.by.user) else { return Ok(()) };
        let kind = ThrottleKind::Requests;
        let key = ThrottleKey { kind, address: None, network: Some(guess.network) };
        let full_at = self.throttles.get(&key).map(|row| row.full_at);
        match judge_throttle(full_at, kind.rate(limits), guess.at) {
            Charge::Room(full_at) => {
                self.charge(vec![(key, full_at)]);
                Ok(())
            }
            Charge::Full(until) => {
                let by = HeldBackBy::Throttle(key);
                let told = self.is_told_of_throttle(&by, limits, guess.at);
                if told {
                    self.events.push(event_of_refused_guess(guess, by.limit(), None));
                }
                Err(Refusal { limit: by.limit(), until, owner: None, told })
            }
        }
    }

    /// Why a guess at a code for `address` is not even judged; `None` when it is to be.
    pub(super) fn judge_guessing(&mut self, guess: &CodeGuess, address: &AddressKey) -> Option<Refusal> {
        let limits = guess.limits.as_ref()?;
        let row = self.failure_row(guess, address, limits);
        let Guessing::Shut { until } = judge_guessing(self.failures.get(&row), limits, guess.at) else { return None };
        let (by, owner) = (HeldBackBy::Guesses, self.owner_of(address));
        let told = self.is_told(&by, &row, limits, guess.at);
        if told {
            self.events.push(event_of_refused_guess(guess, by.limit(), owner));
        }
        Some(Refusal { limit: by.limit(), until, owner, told })
    }

    pub(super) fn count_failure(&mut self, guess: &CodeGuess, address: &AddressKey) {
        let Some(limits) = &guess.limits else { return };
        let row = self.failure_row(guess, address, limits);
        let after = after_failure(self.failures.get(&row), guess.at);
        self.failures.insert(row, after);
    }

    pub(super) fn forgive_failures(&mut self, guess: &CodeGuess, address: &AddressKey) {
        if guess.limits.is_some() {
            self.failures.remove(&(address.clone(), Some(guess.network)));
            if let Some(strangers) = self.failures.get_mut(&(address.clone(), None)) {
                *strangers = after_success(strangers);
            }
        }
    }

    /// Makes a network known to the address `email`.
    pub(super) fn get_to_know(&mut self, email: EmailId, network: Network, now: Timestamp) {
        let known: Vec<_> = self
            .known_networks
            .iter()
            .filter(|row| row.email_id == email)
            .map(|row| (row.network, row.last_signed_in_at))
            .collect();
        let forgotten = forgotten_networks(&known, network);
        self.known_networks.retain(|row| row.email_id != email || !forgotten.contains(&row.network));
        let row = self.known_networks.iter_mut().find(|row| row.email_id == email && row.network == network);
        match row {
            Some(row) => row.last_signed_in_at = row.last_signed_in_at.max(now),
            None => self.known_networks.push(KnownNetworkRow { email_id: email, network, last_signed_in_at: now }),
        }
    }

    /// Who owns an address.
    pub(super) fn owner_of(&self, address: &AddressKey) -> Option<UserId> {
        let owned = self.emails.iter().find(|row| (row.verified || row.vouched) && row.address.key() == *address);
        owned.map(|row| row.user_id)
    }

    /// The row of wrong guesses that a guess at a code for `address` is judged by.
    fn failure_row(&self, guess: &CodeGuess, address: &AddressKey, limits: &Limits) -> (AddressKey, Option<Network>) {
        let known = self.knows(address, guess.network, limits, guess.at);
        (address.clone(), known.then_some(guess.network))
    }

    fn knows(&self, address: &AddressKey, network: Network, limits: &Limits, now: Timestamp) -> bool {
        let of_address = |id| self.emails.iter().any(|email| email.id == id && email.address.key() == *address);
        let last_signed_in_at = self
            .known_networks
            .iter()
            .filter(|row| row.network == network && of_address(row.email_id))
            .map(|row| row.last_signed_in_at)
            .max();
        network_is_known(last_signed_in_at, limits.networks_known_for, now)
    }

    /// Whether the audit log is to be told of a refusal; from then on it has been.
    fn is_told(
        &mut self,
        by: &HeldBackBy,
        row: &(AddressKey, Option<Network>),
        limits: &Limits,
        now: Timestamp,
    ) -> bool {
        let Some(failures) = self.failures.get_mut(row).filter(|_| *by == HeldBackBy::Guesses) else {
            return self.is_told_of_throttle(by, limits, now);
        };
        let told = refused_guess_is_to_be_told(failures, now);
        if told {
            *failures = Failures { told_at: Some(now), ..*failures };
        }
        told
    }

    fn is_told_of_throttle(&mut self, by: &HeldBackBy, limits: &Limits, now: Timestamp) -> bool {
        let HeldBackBy::Throttle(key) = by else { return false };
        let Some(row) = self.throttles.get_mut(key) else { return false };
        let told = is_to_be_told(row.told_at, key.kind.rate(limits).span(), now);
        if told {
            row.told_at = Some(now);
        }
        told
    }
}
