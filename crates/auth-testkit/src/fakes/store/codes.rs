use async_trait::async_trait;
use auth_domain::{
    CodeGuess, Codes, Redeemed, SessionId, SessionOwner, StoreError, Timestamp,
    rules::{Judgement, judge},
};

use super::{
    InMemoryStore,
    state::{Standing, State},
};

#[async_trait]
impl Codes for InMemoryStore {
    async fn redeem_code(&self, guess: &CodeGuess, now: Timestamp) -> Result<Redeemed, StoreError> {
        let mut state = self.transaction()?;
        let Some(position) = state.codes.iter().position(|code| code.new.id == guess.id) else {
            return Ok(Redeemed::Refused);
        };
        let session_id = state.codes[position].session_id;
        let session = state.sessions.iter().find(|row| row.new.id == session_id);
        let Some(session) = session.filter(|row| !row.verified && now < row.expires_at) else {
            return Ok(Redeemed::Refused);
        };
        let owner = session.new.owner;
        match judge(&state.codes[position].state(), guess, now) {
            Judgement::Ended => Ok(Redeemed::Refused),
            Judgement::Wrong => {
                state.codes[position].wrong_guesses += 1;
                Ok(Redeemed::Refused)
            }
            Judgement::Right => {
                state.codes[position].ended = true;
                Ok(owner.map_or(Redeemed::Refused, |owner| verify(&mut state, session_id, owner)))
            }
        }
    }
}

fn verify(state: &mut State, session_id: SessionId, owner: SessionOwner) -> Redeemed {
    let address = state.emails.iter().find(|email| email.id == owner.email_id).map(|email| email.address.key());
    let Some(user) = state.users.iter().position(|row| row.user.id == owner.user_id) else { return Redeemed::Refused };
    if !state.users[user].user.enabled {
        return Redeemed::Disabled;
    }
    let taken = state
        .emails
        .iter()
        .any(|email| email.verified && email.user_id != owner.user_id && Some(email.address.key()) == address);
    if address.is_none() || taken || state.users[user].standing == Standing::Decoy {
        return Redeemed::Refused;
    }
    state.users[user].user.verified = true;
    state.users[user].standing = Standing::Account;
    for email in state.emails.iter_mut().filter(|email| email.id == owner.email_id) {
        email.verified = true;
    }
    for session in state.sessions.iter_mut().filter(|row| row.new.id == session_id) {
        session.verified = true;
    }
    Redeemed::Yes { session_id, user_id: owner.user_id }
}
