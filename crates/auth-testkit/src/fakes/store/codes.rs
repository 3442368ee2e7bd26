use async_trait::async_trait;
use auth_domain::{
    CodeGuess, Codes, EmailId, Opened, Redeemed, Standing, StoreError, Timestamp, UserId,
    rules::{Judgement, event_of_disabled_account, event_of_redeeming, event_of_wrong_guess, judge},
};

use super::{
    InMemoryStore,
    state::{KeyPairRow, Opens, SessionRow, State},
};

#[async_trait]
impl Codes for InMemoryStore {
    async fn redeem_code(&self, guess: &CodeGuess) -> Result<Redeemed, StoreError> {
        let now = guess.at;
        let mut state = self.transaction()?;
        if let Err(refusal) = state.charge_guess(guess) {
            return Ok(Redeemed::Throttled(refusal));
        }
        let Some(position) = state.codes.iter().position(|code| code.new.id == guess.id) else {
            return Ok(Redeemed::Refused);
        };
        let code = &state.codes[position];
        let (opens, email_id, address) = (code.opens, code.email_id, code.new.address.clone());
        let owner = state.leads_to(opens, email_id);
        if !state.is_waiting(opens, email_id, now) || guess.by.user.is_some_and(|by| owner != Some(by)) {
            return Ok(Redeemed::Refused);
        }
        let judgement = judge(&state.codes[position].state(), guess, now);
        if judgement != Judgement::Ended
            && let Some(refusal) = state.judge_guessing(guess, &address)
        {
            return Ok(Redeemed::Shut(refusal));
        }
        match judgement {
            Judgement::Ended => Ok(Redeemed::Refused),
            Judgement::Wrong => {
                state.codes[position].wrong_guesses += 1;
                state.count_failure(guess, &address);
                state.events.push(event_of_wrong_guess(guess, owner));
                Ok(Redeemed::Wrong { owner })
            }
            Judgement::Right => {
                state.codes[position].ended = true;
                match (owner, email_id) {
                    (Some(user), Some(email)) => {
                        let redeemed = state.open(opens, user, email, now);
                        match redeemed {
                            Redeemed::Yes { opened, user_id, registered } => {
                                state.events.push(event_of_redeeming(guess, opened, user_id, registered));
                                state.forgive_failures(guess, &address);
                                if opened_session(opened) {
                                    state.get_to_know(email, guess.network, now);
                                }
                            }
                            Redeemed::Disabled { user_id } => {
                                state.events.push(event_of_disabled_account(guess, user_id));
                            }
                            Redeemed::Wrong { .. } | Redeemed::Refused | Redeemed::Shut(_) | Redeemed::Throttled(_) => {
                            }
                        }
                        Ok(redeemed)
                    }
                    _ => Ok(Redeemed::Refused),
                }
            }
        }
    }
}

impl State {
    /// Whether what a code opens waits for it still.
    fn is_waiting(&self, opens: Opens, email_id: Option<EmailId>, now: Timestamp) -> bool {
        match opens {
            Opens::Session(id) => {
                let waiting = |row: &SessionRow| row.new.id == id && row.verified_at.is_none() && now < row.expires_at;
                self.sessions.iter().any(waiting)
            }
            Opens::KeyPair(id) => {
                let waiting =
                    |row: &KeyPairRow| row.new.id == id && row.verified_at.is_none() && now < row.new.expires_at;
                self.key_pairs.iter().any(waiting)
            }
            Opens::Email => self.emails.iter().any(|row| Some(row.id) == email_id && !row.verified),
        }
    }

    /// Whose is what a code opens; nobody's if it is a decoy.
    fn leads_to(&self, opens: Opens, email_id: Option<EmailId>) -> Option<UserId> {
        match opens {
            Opens::Session(id) => {
                let owner = self.sessions.iter().find(|row| row.new.id == id)?.user_id;
                owner.filter(|owner| self.standing(*owner) != Some(Standing::Decoy))
            }
            Opens::KeyPair(id) => self.key_pairs.iter().find(|row| row.new.id == id).map(|row| row.new.user_id),
            Opens::Email => self.emails.iter().find(|row| Some(row.id) == email_id).map(|row| row.user_id),
        }
    }

    fn open(&mut self, opens: Opens, user_id: UserId, email_id: EmailId, now: Timestamp) -> Redeemed {
        let Some(email) = self.emails.iter().position(|row| row.id == email_id) else { return Redeemed::Refused };
        let Some(user) = self.users.iter().position(|row| row.user.id == user_id) else { return Redeemed::Refused };
        let taken = self.has_owner(&self.emails[email].address.key(), Some(user_id));
        let standing = self.users[user].standing;
        let account = &mut self.users[user].user;
        let opened = match opens {
            Opens::Session(_) if standing == Standing::Decoy => return Redeemed::Refused,
            Opens::Session(_) if !account.enabled => return Redeemed::Disabled { user_id },
            Opens::Email | Opens::KeyPair(_) if !(account.enabled && account.verified) => return Redeemed::Refused,
            Opens::Session(_) | Opens::Email if taken => return Redeemed::Refused,
            Opens::Session(id) => {
                account.verified = true;
                self.users[user].standing = Standing::Account;
                for session in self.sessions.iter_mut().filter(|row| row.new.id == id) {
                    session.verified_at = Some(now);
                }
                Opened::Session(id)
            }
            Opens::Email => Opened::Email(email_id),
            Opens::KeyPair(id) => {
                for key_pair in self.key_pairs.iter_mut().filter(|row| row.new.id == id) {
                    key_pair.verified_at = Some(now);
                }
                Opened::KeyPair(id)
            }
        };
        if !matches!(opened, Opened::KeyPair(_)) {
            self.emails[email].verified = true;
        }
        Redeemed::Yes { opened, user_id, registered: standing == Standing::Pending && opened_session(opened) }
    }
}

fn opened_session(opened: Opened) -> bool {
    matches!(opened, Opened::Session(_))
}
