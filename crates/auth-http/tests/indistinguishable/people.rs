//! Whose addresses are asked about.

use serde_json::{Value, json};

/// What is not to be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An account has it.
    Known,
    /// Nobody has it.
    Unknown,
    /// Somebody registers with it, and has not completed that.
    Unverified,
    /// A disabled account has it.
    Disabled,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Known, Self::Unknown, Self::Unverified, Self::Disabled];
}

/// Addresses of each kind, that nothing was done about yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Series {
    pub(crate) name: char,
    /// Of each kind.
    pub(crate) size: usize,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Series {
    /// Something of the address `number` of a kind that sorts among those of the other kinds and is as long: an index must not
    /// have them at different ends.
    fn label(self, kind: Kind, number: usize) -> String {
        let place = Kind::ALL.iter().position(|other| *other == kind).unwrap();
        format!("{}{:06}", self.name, number % self.size * Kind::ALL.len() + place)
    }

    pub(crate) fn sign_in(self, kind: Kind, number: usize) -> Value {
        json!({"email": format!("{}@example.org", self.label(kind, number))})
    }

    /// With an alias of its own each time.
    pub(crate) fn sign_up(self, kind: Kind, number: usize, alias: &str) -> Value {
        let label = self.label(kind, number);
        json!({"email": format!("{label}@example.org"), "fullName": "Ada Lovelace", "alias": format!("{alias}{label}")})
    }

    /// The statements that make its accounts.
    pub(crate) fn accounts(self, dialect: Dialect) -> String {
        let Self { name, size } = self;
        let last = size * Kind::ALL.len() - 1;
        let (numbers, id, label, disabled, (yes, roles, groups), at, finally) = match dialect {
            Dialect::Sqlite => (
                format!(
                    "(WITH RECURSIVE counted (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counted WHERE n < {last}) \
                     SELECT n FROM counted)"
                ),
                "randomblob(16)",
                format!("printf('{name}%06d', n)"),
                "n % 4 = 0",
                ("1", "'[\"user\"]'", "'[\"public\"]'"),
                "1795478400000",
                "",
            ),
            Dialect::Postgres => (
                format!("generate_series(0, {last}) AS counted (n)"),
                "gen_random_uuid()",
                format!("'{name}' || lpad(n::text, 6, '0')"),
                "n % 4 = 0",
                ("true", "'{user}'", "'{public}'"),
                "'2026-11-24Z'",
                "; ANALYZE",
            ),
        };
        format!(
            "BEGIN; \
             INSERT INTO users (id, alias, alias_key, full_name, verified, enabled, roles, groups, created_at) \
             SELECT {id}, {label}, {label}, 'Ada Lovelace', {yes}, {disabled}, {roles}, {groups}, {at} \
             FROM {numbers} WHERE n % 4 IN (0, 3); \
             INSERT INTO emails (id, user_id, address, address_key, verified, preferred, created_at) \
             SELECT {id}, id, alias || '@example.org', alias || '@example.org', {yes}, {yes}, {at} \
             FROM users WHERE alias LIKE '{name}%' AND registration IS NULL; \
             COMMIT{finally}"
        )
    }
}
