use super::{
    Decision, carry_out,
    limits::{charge_guess, count_failure, forgive_failures, judge_guess},
};
use crate::{
    Change, Changes, CodeGuess, CodePurpose, EmailId, FactKey, Network, Opened, Redeemed, Refusal, Scope, Standing,
    State, Store, StoreError, Timestamp, User, UserId,
    archive::{CodeRecord, EmailRecord, KnownNetworkRecord, UserRecord},
    ports::AddressState,
    rules::{
        Judgement, event_of_disabled_account, event_of_redeeming, event_of_wrong_guess, forgotten_networks, judge,
    },
};

/// Somebody tries a code that is alive.
struct RedeemCode {
    guess: CodeGuess,
    /// The code as it was seen: the address that it was asked for and what it opens never change.
    seen: CodeRecord,
}

/// A stranger's guess is not judged: it is a request of their network, and nothing else.
struct ChargeGuess {
    guess: CodeGuess,
    /// What it comes to, unless its network has no room for it.
    refused: Redeemed,
}

impl dyn Store + '_ {
    /// Judges a guess by [`judge`] at `guess.at` and stores the outcome. The audit log gets what [`rules`](crate::rules) says of
    /// it; a refused guess leaves nothing there.
    ///
    /// If `guess.limits` are given:
    ///
    /// 1. A stranger's guess is charged for as a request of its network, whatever comes of it; without room it ends here.
    /// 2. Before it is judged whether a guess at a living code is right, [`judge_guessing`](crate::rules::judge_guessing) decides by
    ///    the wrong guesses at the codes of the same address: those from the guesser's network, if it is known to the address,
    ///    else those of all strangers. These are one budget, whichever of its codes are guessed at.
    /// 3. A wrong guess is [counted there](crate::rules::after_failure). One that opens something ends the count of its network,
    ///    and that of strangers [in a row](crate::rules::after_success).
    ///
    /// With limits or without, a sign-in makes the guesser's network known to the address from `guess.at` on, in place of
    /// [others](forgotten_networks) if there are too many.
    ///
    /// If `guess.by` is a known user, a code that leads to anybody else is refused, with nothing changed.
    /// Refused, with nothing changed, when the session or key pair that the code opens has ended, is open already or is
    /// gone. Refused, with the code used, when the address has meanwhile got another owner, and for an address or a key pair
    /// of an account that is disabled or not verified.
    pub async fn redeem_code(&self, guess: &CodeGuess) -> Result<Redeemed, StoreError> {
        let network = strangers_network(guess);
        let limits = guess.limits.is_some();
        let seen = self.view(&Scope { code: Some(guess.id), limits, network, ..Scope::default() }).await?;
        if let Err(refusal) = charge_guess(&seen, guess, &mut Changes::default())
            && !refusal.told
        {
            return Ok(Redeemed::Throttled(refusal));
        }
        let refused = match &seen.code {
            // What has ended never lives again: nobody waits to be told so.
            Some(code) if code.is_living_at(guess.at) => shut_out(&seen, guess).map(Redeemed::Shut),
            _ => Some(Redeemed::Refused),
        };
        match (refused, seen.code) {
            (Some(refused), _) if network.is_some() => {
                carry_out(self, ChargeGuess { guess: guess.clone(), refused }).await
            }
            (Some(refused), _) => Ok(refused),
            (None, Some(seen)) => carry_out(self, RedeemCode { guess: guess.clone(), seen }).await,
            (None, None) => Ok(Redeemed::Refused),
        }
    }
}

/// Why a stranger's guess at a living code is not even judged, unless the audit log is to be told.
fn shut_out(seen: &State, guess: &CodeGuess) -> Option<Refusal> {
    let mut changes = Changes::default();
    let address = seen.address.as_ref().filter(|_| guess.by.user.is_none())?;
    judge_guess(address, guess, &mut changes).filter(|_| changes.is_empty())
}

/// The network that a guess is charged to as a request.
fn strangers_network(guess: &CodeGuess) -> Option<Network> {
    (guess.limits.is_some() && guess.by.user.is_none()).then_some(guess.network)
}

impl Decision for ChargeGuess {
    type Answer = Redeemed;

    fn scope(&self) -> Scope {
        Scope { network: strangers_network(&self.guess), ..Scope::default() }
    }

    fn turn(&self) -> Option<FactKey> {
        strangers_network(&self.guess).map(FactKey::Network)
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Redeemed, StoreError> {
        Ok(charge_guess(state, &self.guess, changes).map_or_else(Redeemed::Throttled, |()| self.refused))
    }
}

impl Decision for RedeemCode {
    type Answer = Redeemed;

    fn scope(&self) -> Scope {
        Scope {
            address: Some(self.seen.address_key.clone()),
            claims: true,
            limits: true,
            code: Some(self.seen.id),
            session: self.seen.session_id,
            key_pair: self.seen.key_pair_id,
            email: self.seen.email_id,
            network: strangers_network(&self.guess),
            ..Scope::default()
        }
    }

    fn turn(&self) -> Option<FactKey> {
        Some(self.guess.by.user.map_or_else(|| FactKey::Address(self.seen.address_key.clone()), FactKey::User))
    }

    fn asker(&self) -> Option<Network> {
        Some(self.guess.network)
    }

    fn decide(&self, state: &State, changes: &mut Changes) -> Result<Redeemed, StoreError> {
        let guess = &self.guess;
        if let Err(refusal) = charge_guess(state, guess, changes) {
            return Ok(Redeemed::Throttled(refusal));
        }
        let Some(code) = &state.code else { return Ok(Redeemed::Refused) };
        let owner = state.led_to(code);
        if !state.waits_for(code, guess.at)? || guess.by.user.is_some_and(|by| owner != Some(by)) {
            return Ok(Redeemed::Refused);
        }
        let judgement = judge(&code.state(), guess, guess.at);
        if judgement == Judgement::Ended {
            return Ok(Redeemed::Refused);
        }
        let address = state.address()?;
        if let Some(refusal) = judge_guess(address, guess, changes) {
            return Ok(Redeemed::Shut(refusal));
        }
        if judgement == Judgement::Wrong {
            let wrong_guesses = code.wrong_guesses.saturating_add(1);
            changes.push(Change::CountWrongGuesses { id: code.id, wrong_guesses });
            count_failure(address, guess, changes);
            changes.record(event_of_wrong_guess(guess, owner));
            return Ok(Redeemed::Wrong { owner });
        }
        changes.push(Change::EndCode(code.id));
        // No guess is right for a decoy's hash; should one be, it still leads nowhere.
        let (Some(owner), Some(email)) = (owner, &state.email) else { return Ok(Redeemed::Refused) };
        let redeemed = state.open(code, owner, email, guess.at, changes)?;
        match redeemed {
            Redeemed::Yes { opened, user_id, registered } => {
                forgive_failures(address, guess, changes);
                if matches!(opened, Opened::Session(_)) {
                    get_to_know(address, email.id, guess.network, guess.at, changes);
                }
                changes.record(event_of_redeeming(guess, opened, user_id, registered));
            }
            Redeemed::Disabled { user_id } => changes.record(event_of_disabled_account(guess, user_id)),
            Redeemed::Wrong { .. } | Redeemed::Refused | Redeemed::Shut(_) | Redeemed::Throttled(_) => {}
        }
        Ok(redeemed)
    }
}

impl State {
    /// Whether what a code opens waits for it still.
    fn waits_for(&self, code: &CodeRecord, now: Timestamp) -> Result<bool, StoreError> {
        let is_waiting = |verified_at: Option<Timestamp>, expires_at| verified_at.is_none() && now < expires_at;
        Ok(match (code.purpose, code.session_id, code.key_pair_id, code.email_id) {
            (CodePurpose::SignIn, Some(_), ..) => {
                self.session.as_ref().is_some_and(|session| is_waiting(session.verified_at, session.expires_at))
            }
            (CodePurpose::KeyPair, _, Some(_), _) => {
                self.key_pair.as_ref().is_some_and(|key_pair| is_waiting(key_pair.verified_at, key_pair.expires_at))
            }
            (CodePurpose::Email, _, _, Some(_)) => self.email.as_ref().is_some_and(|email| !email.verified),
            _ => {
                let (table, id) = ("codes", code.id.to_string());
                return Err(StoreError::Corrupt { table, id, reason: "opens nothing".to_owned() });
            }
        })
    }

    /// The user of what a code opens. Its code went to an address of theirs, so they have it.
    fn user_of(&self, code: &CodeRecord) -> Option<&UserRecord> {
        let user = match code.purpose {
            CodePurpose::SignIn => self.session.as_ref()?.user_id?,
            CodePurpose::KeyPair => self.key_pair.as_ref()?.user_id,
            CodePurpose::Email => self.email.as_ref()?.user_id,
        };
        let claims = self.address.iter().flat_map(|address| &address.claims);
        claims.map(|claim| &claim.user).find(|claimant| claimant.user.id == user)
    }

    /// Whose is what a code opens; nobody's if it is a decoy.
    fn led_to(&self, code: &CodeRecord) -> Option<UserId> {
        let user = self.user_of(code)?;
        let leads_nowhere = code.purpose == CodePurpose::SignIn && user.standing == Standing::Decoy;
        (!leads_nowhere).then_some(user.user.id)
    }

    /// Opens what a right code opens for `owner`, and verifies what it proves.
    fn open(
        &self,
        code: &CodeRecord,
        owner: UserId,
        email: &EmailRecord,
        now: Timestamp,
        changes: &mut Changes,
    ) -> Result<Redeemed, StoreError> {
        let Some(account) = self.user_of(code) else { return Ok(Redeemed::Refused) };
        if email.user_id != owner {
            return Ok(Redeemed::Refused);
        }
        let is_active = account.user.enabled && account.user.verified;
        let is_taken = !email.verified && self.address()?.is_foreign_to(owner);
        let mut registered = false;
        let opened = match (code.purpose, code.session_id, code.key_pair_id) {
            (CodePurpose::SignIn, ..) if !account.user.enabled => return Ok(Redeemed::Disabled { user_id: owner }),
            (CodePurpose::SignIn, Some(id), _) if !is_taken => {
                registered = account.standing == Standing::Pending;
                verify_user(account, changes);
                changes.push(Change::VerifySession { id, at: now });
                Opened::Session(id)
            }
            // An address or a key is only ever added to what is an account already, and stays one.
            (CodePurpose::KeyPair, _, Some(id)) if is_active => {
                changes.push(Change::VerifyKeyPair { id, at: now });
                Opened::KeyPair(id)
            }
            (CodePurpose::Email, ..) if is_active && !is_taken => Opened::Email(email.id),
            _ => return Ok(Redeemed::Refused),
        };
        if !matches!(opened, Opened::KeyPair(_)) && !email.verified {
            changes.push(Change::UpdateEmail { id: email.id, verified: true, vouched: email.vouched });
        }
        Ok(Redeemed::Yes { opened, user_id: owner, registered })
    }
}

/// Makes a registration an account, and an account a verified one.
fn verify_user(account: &UserRecord, changes: &mut Changes) {
    if account.standing != Standing::Account {
        changes.push(Change::CompleteRegistration(account.user.id));
    } else if !account.user.verified {
        let user = User { verified: true, ..account.user.clone() };
        changes.push(Change::UpdateUser(UserRecord { user, ..account.clone() }));
    }
}

/// Makes a network known to the address `email`.
fn get_to_know(address: &AddressState, email: EmailId, network: Network, now: Timestamp, changes: &mut Changes) {
    let known: Vec<_> = address
        .known_networks
        .iter()
        .filter(|known| known.email_id == email)
        .map(|known| (known.network, known.last_signed_in_at))
        .collect();
    for network in forgotten_networks(&known, network) {
        changes.push(Change::DeleteKnownNetwork { email, network });
    }
    let before = known.iter().find(|(known, _)| *known == network).map(|(_, last)| *last);
    let last_signed_in_at = before.map_or(now, |before| before.max(now));
    changes.push(Change::PutKnownNetwork(KnownNetworkRecord { email_id: email, network, last_signed_in_at }));
}
