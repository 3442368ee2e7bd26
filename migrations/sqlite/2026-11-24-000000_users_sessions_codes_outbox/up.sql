-- Ids are UUIDs (16 octets), times are milliseconds since the Unix epoch, booleans are 0 or 1, IP addresses are text.
--
-- Columns that a partial index selects by are NULL or not NULL: SQLite uses such an index only for a condition that it
-- can recognise without looking at bound values.

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    alias TEXT NOT NULL,
    -- What aliases are compared by. Uncompleted registrations, decoys among them, hold their alias like accounts do.
    alias_key TEXT NOT NULL UNIQUE,
    full_name TEXT NOT NULL,
    verified INTEGER NOT NULL CHECK (verified IN (0, 1)),
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    -- NULL for an account; else a registration that nobody completed yet, or one that never can be.
    registration TEXT CHECK (registration IN ('pending', 'decoy')),
    -- In the user's own row, as JSON arrays: the check reads them each time, and a join costs half its speed.
    roles TEXT NOT NULL CHECK (json_valid(roles) AND json_type(roles) = 'array'),
    groups TEXT NOT NULL CHECK (json_valid(groups) AND json_type(groups) = 'array'),
    created_at INTEGER NOT NULL,
    CHECK (registration IS NULL OR verified = 0)
) STRICT;

CREATE INDEX users_registrations ON users (created_at) WHERE registration IS NOT NULL;

CREATE TABLE emails (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- As written: where mail goes.
    address TEXT NOT NULL,
    -- What addresses are compared by.
    address_key TEXT NOT NULL,
    verified INTEGER NOT NULL CHECK (verified IN (0, 1)),
    preferred INTEGER NOT NULL CHECK (preferred IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX emails_address_key ON emails (address_key);
CREATE INDEX emails_user_id ON emails (user_id);
-- Anybody can claim an address, one user at most has proved it.
CREATE UNIQUE INDEX emails_verified_address_key ON emails (address_key) WHERE verified = 1;
CREATE UNIQUE INDEX emails_preferred ON emails (user_id) WHERE preferred = 1;

CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- NULL for a decoy, which leads nowhere.
    user_id BLOB REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 of the bearer: what every check looks a session up by.
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    -- The server key that the bearer hangs on.
    key_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- When the code was redeemed; NULL while the session waits for it.
    verified_at INTEGER,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    last_used_at INTEGER,
    ip TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    CHECK (verified_at IS NULL OR user_id IS NOT NULL)
) STRICT;

CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
CREATE INDEX sessions_waiting ON sessions (created_at) WHERE verified_at IS NULL;

CREATE TABLE codes (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    purpose TEXT NOT NULL,
    -- The session that a sign-in code opens.
    session_id BLOB REFERENCES sessions (id) ON DELETE CASCADE,
    -- The address that a right guess proves; NULL for a decoy.
    email_id BLOB REFERENCES emails (id) ON DELETE CASCADE,
    -- The address that was asked about, whether or not anybody has it.
    address_key TEXT NOT NULL,
    -- The first address of the network that asked.
    network TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    key_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    wrong_guesses INTEGER NOT NULL DEFAULT 0 CHECK (wrong_guesses >= 0),
    -- Used or replaced.
    ended INTEGER NOT NULL DEFAULT 0 CHECK (ended IN (0, 1)),
    CHECK ((purpose = 'sign-in') = (session_id IS NOT NULL))
) STRICT;

CREATE INDEX codes_address_key ON codes (address_key, ended, expires_at);
CREATE INDEX codes_session_id ON codes (session_id);
CREATE INDEX codes_email_id ON codes (email_id);
CREATE INDEX codes_expires_at ON codes (expires_at);

CREATE TABLE outbox (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    class TEXT NOT NULL CHECK (class IN ('code', 'notice', 'decoy')),
    -- NULL once the code is gone: a notice is still owed then, a code mail is given up.
    code_id BLOB REFERENCES codes (id) ON DELETE SET NULL,
    key_id TEXT NOT NULL,
    -- The encrypted mail, erased when it is settled.
    sealed BLOB,
    created_at INTEGER NOT NULL,
    -- When it may be claimed: a claim moves this to the end of its lease, a deferral to the next attempt.
    due_at INTEGER NOT NULL,
    -- Attempts so far, the one under way included.
    attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- NULL while it is owed.
    settled_at INTEGER,
    outcome TEXT CHECK (outcome IN ('delivered', 'abandoned')),
    CHECK ((settled_at IS NULL) = (outcome IS NULL)),
    CHECK ((settled_at IS NULL) = (sealed IS NOT NULL))
) STRICT;

CREATE INDEX outbox_owed ON outbox (class, due_at) WHERE settled_at IS NULL;
CREATE INDEX outbox_settled_at ON outbox (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX outbox_code_id ON outbox (code_id);

-- What the mail server said to each attempt.
CREATE TABLE mail_attempts (
    mail_id BLOB NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL CHECK (attempt > 0),
    ended_at INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('delivered', 'deferred', 'abandoned')),
    reply TEXT NOT NULL,
    PRIMARY KEY (mail_id, attempt)
) STRICT, WITHOUT ROWID;
