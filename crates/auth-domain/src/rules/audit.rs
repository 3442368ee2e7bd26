use crate::{Actor, CodeGuess, CredentialId, Event, EventKind, EventOutcome, Limit, Opened, Restraint, UserId};

/// What the audit log says of a guess that was refused: a wrong one at a code that leads to `owner`, or to nobody.
pub fn event_of_wrong_guess(guess: &CodeGuess, owner: Option<UserId>) -> Event {
    let event = event(guess, guess.by, EventKind::CodeFailed, guess.purpose.as_str().to_owned());
    Event { outcome: EventOutcome::Failure, subject: owner, ..event }
}

/// What the audit log says of the right code of the disabled account `owner`.
pub fn event_of_disabled_account(guess: &CodeGuess, owner: UserId) -> Event {
    let event =
        event(guess, guess.by, EventKind::CodeFailed, format!("{}: the account is disabled", guess.purpose.as_str()));
    Event { outcome: EventOutcome::Failure, subject: Some(owner), ..event }
}

/// What the audit log says of a code that opened something of `owner`'s; `registered` if it made an account of a
/// registration.
pub fn event_of_redeeming(guess: &CodeGuess, opened: Opened, owner: UserId, registered: bool) -> Event {
    let (kind, actor, detail) = match opened {
        // Whoever redeems it is the owner of the session from here on.
        Opened::Session(id) => {
            let owner = Actor { user: Some(owner), credential: Some(CredentialId::Session(id)), ..guess.by };
            (if registered { EventKind::Registered } else { EventKind::SignedIn }, owner, String::new())
        }
        Opened::Email(id) => (EventKind::EmailVerified, guess.by, id.to_string()),
        Opened::KeyPair(id) => (EventKind::KeyPairVerified, guess.by, id.to_string()),
    };
    event(guess, actor, kind, detail).about(owner)
}

/// What the audit log says of a request for a code that a limit refused.
pub fn event_of_refusal(restraint: &Restraint, limit: Limit, owner: Option<UserId>) -> Event {
    refused(&restraint.event, limit, owner)
}

/// What the audit log says of a guess that a limit refused.
pub fn event_of_refused_guess(guess: &CodeGuess, limit: Limit, owner: Option<UserId>) -> Event {
    refused(&event(guess, guess.by, EventKind::Throttled, String::new()), limit, owner)
}

fn refused(event: &Event, limit: Limit, owner: Option<UserId>) -> Event {
    Event { outcome: EventOutcome::Failure, subject: owner, detail: limit.as_str().to_owned(), ..event.clone() }
}

fn event(guess: &CodeGuess, actor: Actor, kind: EventKind, detail: String) -> Event {
    Event {
        id: guess.event_id,
        at: guess.at,
        kind,
        outcome: EventOutcome::Success,
        actor: actor.user,
        subject: None,
        credential: actor.credential.map(CredentialId::uuid),
        ip: actor.ip,
        detail,
    }
}
