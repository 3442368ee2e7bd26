use std::fmt;

use uuid::Uuid;

use super::{
    AttemptRecord, CodeRecord, EmailRecord, FailureRecord, KeyPairRecord, KnownNetworkRecord, MailRecord,
    SessionRecord, ThrottleRecord, UserRecord,
};
use crate::{Event, KeyId};

/// A row of some table.
pub trait Record: Clone + PartialEq {
    /// The table.
    const TABLE: Table;

    /// Where it stands among the others.
    fn position(&self) -> Position;

    /// The server key without which it is of no use.
    fn key_id(&self) -> Option<KeyId>;
}

/// Where a record stands in its table: at its id, and where an id has several records, or there is none, at its number or its
/// names among them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The id.
    pub id: Uuid,
    /// The number; 0 where the id says it all.
    pub number: u32,
    /// What it is found by besides, in the order of its columns; nothing where the id says it all. Texts are compared by their
    /// octets.
    pub names: Vec<String>,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 if self.id.is_nil() => f.write_str("a record"),
            0 => write!(f, "{}", self.id),
            number => write!(f, "{} number {number}", self.id),
        }
    }
}

// A name may be an address: it is not printed.
impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position({self})")
    }
}

/// The one list of tables: all else that has a case for each is made of it, or does not compile without.
macro_rules! tables {
    ($($(#[$doc:meta])* $table:ident($record:ident) = $name:literal),+ $(,)?) => {
        /// A table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Table {
            $($(#[$doc])* $table),+
        }

        impl Table {
            /// All of them, each behind those that its records refer to.
            pub const ALL: &[Self] = &[$(Self::$table),+];

            /// The table's name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$table => $name),+
                }
            }
        }

        /// Records of one table, in the order of their positions.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Batch {
            $($(#[$doc])* $table(Vec<$record>)),+
        }

        impl Batch {
            /// The table that they are of.
            pub fn table(&self) -> Table {
                match self {
                    $(Self::$table(_) => $record::TABLE),+
                }
            }

            /// How many they are.
            pub fn len(&self) -> usize {
                match self {
                    $(Self::$table(records) => records.len()),+
                }
            }

            /// Where the last one stands.
            pub fn last(&self) -> Option<Position> {
                match self {
                    $(Self::$table(records) => records.last().map(Record::position)),+
                }
            }

            /// The first one that hangs on a server key which is not among `keys`, and that key.
            pub(super) fn first_without_its_key(&self, keys: &[KeyId]) -> Option<(Position, KeyId)> {
                match self {
                    $(Self::$table(records) => first_without_its_key(records, keys)),+
                }
            }

            /// Where these and `others` differ first, or are of different tables.
            pub(super) fn first_difference(&self, others: &Self) -> Option<Position> {
                match (self, others) {
                    $((Self::$table(these), Self::$table(others)) => first_difference(these, others),)+
                    (these, others) => these.last().or(others.last()),
                }
            }
        }
    };
}

tables! {
    /// Users and registrations.
    Users(UserRecord) = "users",
    /// Their addresses.
    Emails(EmailRecord) = "emails",
    /// Sessions.
    Sessions(SessionRecord) = "sessions",
    /// Key pairs.
    KeyPairs(KeyPairRecord) = "key_pairs",
    /// Verification codes.
    Codes(CodeRecord) = "codes",
    /// Mails, owed and settled.
    Outbox(MailRecord) = "outbox",
    /// The attempts at them.
    MailAttempts(AttemptRecord) = "mail_attempts",
    /// Networks from which the owners of addresses have signed in.
    KnownNetworks(KnownNetworkRecord) = "known_networks",
    /// Wrong guesses at the codes of addresses.
    Failures(FailureRecord) = "failures",
    /// What was asked for, by address and by network.
    Throttles(ThrottleRecord) = "throttles",
    /// The audit log.
    Events(Event) = "events",
}

impl Batch {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn first_without_its_key<R: Record>(records: &[R], keys: &[KeyId]) -> Option<(Position, KeyId)> {
    records.iter().find_map(|record| {
        let key = record.key_id().filter(|key| !keys.contains(key))?;
        Some((record.position(), key))
    })
}

fn first_difference<R: Record>(these: &[R], others: &[R]) -> Option<Position> {
    let unequal = these.iter().zip(others).find(|(this, other)| this != other).map(|(this, _)| this.position());
    let surplus = || {
        let longer = if these.len() > others.len() { these } else { others };
        longer.get(these.len().min(others.len())).map(Record::position)
    };
    unequal.or_else(surplus)
}
