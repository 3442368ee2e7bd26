-- Administrators, and the audit log.

-- An administrator vouches for it: it signs in although nobody has proved it yet.
ALTER TABLE emails ADD COLUMN vouched INTEGER NOT NULL DEFAULT 0 CHECK (vouched IN (0, 1));

-- Anybody can claim an address, one user at most owns it.
DROP INDEX emails_verified_address_key;
CREATE UNIQUE INDEX emails_owned_address_key ON emails (address_key) WHERE verified = 1 OR vouched = 1;

-- What accounts are counted by and leafed through in, without reading them all: with every column that takes.
CREATE INDEX users_accounts ON users (id, enabled, registration) WHERE registration IS NULL;
-- Whether an administrator is left must not take a look at everybody. Used only for this very condition.
CREATE INDEX users_administrators ON users (id) WHERE instr(roles, '"users_admin"') > 0;

-- Refers to nothing: it outlives whom it tells of. In the order of its ids, which are in the order of time; the indexes
-- end in the id too.
CREATE TABLE events (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('success', 'failure')),
    -- Who did it; NULL for a stranger, and on the command line.
    actor_id BLOB CHECK (length(actor_id) = 16),
    -- Whom it is about.
    subject_id BLOB CHECK (length(subject_id) = 16),
    -- The session or key pair that it was done with, or that came of it.
    credential_id BLOB CHECK (length(credential_id) = 16),
    -- NULL on the command line.
    ip TEXT,
    detail TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX events_actor_id ON events (actor_id) WHERE actor_id IS NOT NULL;
CREATE INDEX events_subject_id ON events (subject_id) WHERE subject_id IS NOT NULL;
CREATE INDEX events_at ON events (at);
