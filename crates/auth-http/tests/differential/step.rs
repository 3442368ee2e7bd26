//! What can happen next. Numbers choose among what there is by then, whatever that is.

use std::time::Duration;

use crate::random::Random;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    Wait(Duration),
    SetBack(Duration),
    SignUp { address: usize, alias: usize, network: usize },
    SignIn { address: usize, network: usize },
    Redeem { code: usize, guess: Guess, by: Option<usize>, network: usize },
    AddEmail { by: usize, address: usize },
    RenewEmailCode { by: usize, address: usize },
    PreferEmail { by: usize, email: usize },
    RemoveEmail { by: usize, email: usize },
    CreateKeyPair { by: usize, days: usize },
    DeleteKeyPair { by: usize, pair: usize },
    CheckSession { session: usize },
    CheckKeyPair { pair: usize },
    Extend { by: usize },
    CloseSession { by: usize, session: usize },
    CloseOtherSessions { by: usize },
    DeleteAccount { by: usize },
    Administer { what: Administration, user: usize, other: usize },
    Deliver(Delivery),
    TellOfLockouts,
    Purge,
    FlushUsage,
    List { by: usize },
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Guess {
    Right,
    Wrong,
    /// The right code, said to be for something else.
    AnotherPurpose,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Delivery {
    Taken,
    PutOff,
    Refused,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Administration {
    CreateAccount,
    Invite,
    CreateAccountWithKeyPair,
    Enable,
    Disable,
    Verify,
    Unverify,
    MakeAdministrator,
    MakeNoAdministrator,
    GrantGroup,
    DeleteUser,
    GiveEmail,
    VerifyEmail,
    PreferEmail,
    RemoveEmail,
    GiveSession,
    VerifySession,
    EndSession,
    EndSessions,
    GiveKeyPair,
    VerifyKeyPair,
    EndKeyPair,
    Unlock,
}

impl Administration {
    const ALL: [Self; 23] = [
        Self::CreateAccount,
        Self::Invite,
        Self::CreateAccountWithKeyPair,
        Self::Enable,
        Self::Disable,
        Self::Verify,
        Self::Unverify,
        Self::MakeAdministrator,
        Self::MakeNoAdministrator,
        Self::GrantGroup,
        Self::DeleteUser,
        Self::GiveEmail,
        Self::VerifyEmail,
        Self::PreferEmail,
        Self::RemoveEmail,
        Self::GiveSession,
        Self::VerifySession,
        Self::EndSession,
        Self::EndSessions,
        Self::GiveKeyPair,
        Self::VerifyKeyPair,
        Self::EndKeyPair,
        Self::Unlock,
    ];
}

/// Of the newest things, mostly: what is old has often ended.
fn recent(random: &mut Random) -> usize {
    if random.below(3) == 0 { random.below(20) } else { random.below(3) }
}

impl Step {
    /// Whatever it is.
    pub(crate) fn any(random: &mut Random) -> Self {
        const ADDRESSES: usize = 5;
        let (by, address, network) = (random.below(6), random.below(ADDRESSES), random.below(3));
        match random.below(100) {
            0..=5 => Self::Wait(*random.choose(&[
                Duration::from_millis(1),
                Duration::from_secs(1),
                Duration::from_secs(61),
                Duration::from_mins(5),
                Duration::from_mins(10),
                Duration::from_hours(1),
                Duration::from_hours(25),
                Duration::from_hours(40 * 24),
            ])),
            6..=8 => Self::SetBack(*random.choose(&[
                Duration::from_millis(1),
                Duration::from_secs(30),
                Duration::from_hours(1),
                Duration::from_hours(24),
            ])),
            9..=16 => Self::SignUp { address, alias: random.below(6), network },
            17..=26 => Self::SignIn { address, network },
            27..=49 => {
                let guess = *random.choose(&[
                    Guess::Right,
                    Guess::Right,
                    Guess::Right,
                    Guess::Wrong,
                    Guess::Wrong,
                    Guess::AnotherPurpose,
                ]);
                let by = *random.choose(&[None, None, Some(by)]);
                Self::Redeem { code: recent(random), guess, by, network }
            }
            50..=53 => Self::AddEmail { by, address },
            54..=55 => Self::RenewEmailCode { by, address },
            56..=57 => Self::PreferEmail { by, email: random.below(3) },
            58..=59 => Self::RemoveEmail { by, email: random.below(3) },
            60..=62 => Self::CreateKeyPair { by, days: random.below(40) },
            63 => Self::DeleteKeyPair { by, pair: recent(random) },
            64..=65 => Self::CheckSession { session: recent(random) },
            66 => Self::CheckKeyPair { pair: recent(random) },
            67 => Self::Extend { by },
            68 => Self::CloseSession { by, session: recent(random) },
            69 => Self::CloseOtherSessions { by },
            70 => Self::DeleteAccount { by },
            71..=83 => Self::Administer {
                what: *random.choose(&Administration::ALL),
                user: random.below(5),
                other: random.below(ADDRESSES),
            },
            84..=93 => Self::Deliver(*random.choose(&[
                Delivery::Taken,
                Delivery::Taken,
                Delivery::Taken,
                Delivery::Taken,
                Delivery::PutOff,
                Delivery::Refused,
            ])),
            94 => Self::TellOfLockouts,
            95 => Self::Purge,
            96 => Self::FlushUsage,
            _ => Self::List { by },
        }
    }
}
