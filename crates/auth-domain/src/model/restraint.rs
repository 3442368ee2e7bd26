use crate::{AddressKey, EmailAddress, Event, Limits, Network, QueuedMail, Timestamp, UserId};

/// What a request for a code is measured by, and what the audit log says if it is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restraint {
    /// The limits.
    pub limits: Limits,
    /// A `throttled` event of whoever asks. [`event_of_refusal`](crate::rules::event_of_refusal) completes it.
    pub event: Event,
}

/// A limit that refuses requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Too many wrong guesses at the codes of an address.
    Guesses,
    /// Too much in too little time.
    Throttle(ThrottleKind),
}

/// What is let through so often in so long. Sorted by [`as_str`](Self::as_str).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ThrottleKind {
    /// Users that a network looks up without a credential. Not one with other requests: any page can have its visitors' browsers look
    /// users up, which must not keep their network from signing in.
    LookUps,
    /// Mails with codes that a network asks for.
    MailsFromNetwork,
    /// Mails with codes to an address.
    MailsToAddress,
    /// Requests from a network without a credential.
    Requests,
    /// Registrations from a network.
    SignUps,
}

/// Which bucket of a kind is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ThrottleKey {
    /// The kind.
    pub kind: ThrottleKind,
    /// The address, for [`MailsToAddress`](ThrottleKind::MailsToAddress).
    pub address: Option<AddressKey>,
    /// The network; for [`MailsToAddress`](ThrottleKind::MailsToAddress) only if it is known to the address, `None` for all
    /// others together.
    pub network: Option<Network>,
}

/// A request that was held back by a limit: nothing of it was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The limit.
    pub limit: Limit,
    /// When the request may be made again.
    pub until: Timestamp,
    /// Who owns the address, if the audit log was told that it is one for an address.
    pub owner: Option<UserId>,
    /// Whether the audit log was told: it is not told of everyone in a flood.
    pub told: bool,
}

/// Wrong guesses at the codes of one address: those from one network that is known to it, or those of all strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// When the first one of the day was made. A day is 24 hours.
    pub day_began_at: Timestamp,
    /// How many were made on that day.
    pub of_day: u32,
    /// How many were made since the last success.
    pub in_a_row: u32,
    /// When the last one was made.
    pub last_at: Timestamp,
    /// When the audit log was last told that a request was refused for them.
    pub told_at: Option<Timestamp>,
    /// When the owner of the address was told that no more guesses are accepted.
    pub owner_told_at: Option<Timestamp>,
}

/// An address at which no more guesses are accepted, and whose owner does not know yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lockout {
    /// The address.
    pub address: AddressKey,
    /// From where: a network that is known to it, or `None` for all others.
    pub network: Option<Network>,
    /// The address as its owner wrote it; `None` when nobody owns it.
    pub mail_to: Option<EmailAddress>,
}

/// That the owner of an address is told of a lockout, everything in one transaction.
#[derive(Debug, Clone)]
pub struct ToldLockout {
    /// The lockout.
    pub lockout: Lockout,
    /// How many wrong guesses in a row make one.
    pub failures_in_a_row: u32,
    /// The mail that tells the owner; `None` when there is nobody to tell.
    pub mail: Option<QueuedMail>,
    /// When this was decided.
    pub told_at: Timestamp,
}

impl Limit {
    /// Every one there is.
    pub const ALL: [Self; 6] = [
        Self::Guesses,
        Self::Throttle(ThrottleKind::LookUps),
        Self::Throttle(ThrottleKind::MailsFromNetwork),
        Self::Throttle(ThrottleKind::MailsToAddress),
        Self::Throttle(ThrottleKind::Requests),
        Self::Throttle(ThrottleKind::SignUps),
    ];

    /// The limit's name, as it is told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guesses => "guesses",
            Self::Throttle(kind) => kind.as_str(),
        }
    }

    /// Whether it is one for an address, and not for a network.
    pub const fn is_for_an_address(self) -> bool {
        match self {
            Self::Guesses => true,
            Self::Throttle(kind) => kind.is_for_an_address(),
        }
    }
}

impl ThrottleKind {
    /// Every one there is, sorted.
    pub const ALL: [Self; 5] =
        [Self::LookUps, Self::MailsFromNetwork, Self::MailsToAddress, Self::Requests, Self::SignUps];

    /// The kind as it is stored and told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LookUps => "look-ups",
            Self::MailsFromNetwork => "mails-from-network",
            Self::MailsToAddress => "mails-to-address",
            Self::Requests => "requests",
            Self::SignUps => "sign-ups",
        }
    }

    /// Whether it counts what concerns an address, and not all that a network does.
    pub const fn is_for_an_address(self) -> bool {
        match self {
            Self::MailsToAddress => true,
            Self::LookUps | Self::MailsFromNetwork | Self::Requests | Self::SignUps => false,
        }
    }

    /// The kind that was stored as `text`.
    pub fn from_stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl ThrottleKey {
    /// The bucket of a network.
    pub const fn of_network(kind: ThrottleKind, network: Network) -> Self {
        Self { kind, address: None, network: Some(network) }
    }

    /// All buckets that anything from `network` may be measured by: those of the network, and of `address`, whether or not the
    /// network is known to it.
    pub fn all(address: Option<&AddressKey>, network: Network) -> Vec<Self> {
        let keys = ThrottleKind::ALL.into_iter().flat_map(|kind| match address {
            _ if !kind.is_for_an_address() => vec![Self::of_network(kind, network)],
            Some(address) => [false, true].map(|known| Self::new(kind, address, network, known)).into(),
            None => Vec::new(),
        });
        keys.collect()
    }

    /// The bucket that a request from `network` about `address` is measured by. `known` says whether the network is known to the
    /// address.
    pub fn new(kind: ThrottleKind, address: &AddressKey, network: Network, known: bool) -> Self {
        if kind.is_for_an_address() {
            Self { kind, address: Some(address.clone()), network: known.then_some(network) }
        } else {
            Self::of_network(kind, network)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_sorted_by_what_is_stored_of_them_and_lead_back_to_it() {
        assert!(ThrottleKind::ALL.is_sorted());
        assert!(ThrottleKind::ALL.is_sorted_by_key(|kind| kind.as_str()));
        for kind in ThrottleKind::ALL {
            assert_eq!(ThrottleKind::from_stored(kind.as_str()), Some(kind));
        }
        assert_eq!(ThrottleKind::from_stored("guesses"), None);
    }
}
