-- Everything that is stored. Columns stand in the order in which the service knows them.
--
-- No rule is said here: what is alive, due, over or known, the domain decides. Constraints hold what a bug must not break.
--
-- Ids are UUIDs (16 bytes), times are milliseconds since the Unix epoch, booleans are 0 or 1, IP addresses are text, and a
-- network is its first address.
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
-- What accounts are counted by and leafed through in, without reading them all: with every column that takes.
CREATE INDEX users_accounts ON users (id, enabled, registration) WHERE registration IS NULL;
-- Whether an administrator is left must not take a look at everybody. Used only for this very condition.
CREATE INDEX users_administrators ON users (id) WHERE instr(roles, '"users_admin"') > 0;

CREATE TABLE emails (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- As written: where mail goes.
    address TEXT NOT NULL,
    -- What addresses are compared by.
    address_key TEXT NOT NULL,
    -- Whether its owner proved that they read its mail.
    verified INTEGER NOT NULL CHECK (verified IN (0, 1)),
    -- Whether an administrator vouches for it: it signs in although nobody has proved it yet.
    vouched INTEGER NOT NULL DEFAULT 0 CHECK (vouched IN (0, 1)),
    preferred INTEGER NOT NULL CHECK (preferred IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX emails_address_key ON emails (address_key);
CREATE INDEX emails_user_id ON emails (user_id);
-- Anybody can claim an address, one user at most owns it.
CREATE UNIQUE INDEX emails_owned_address_key ON emails (address_key) WHERE verified = 1 OR vouched = 1;
CREATE UNIQUE INDEX emails_preferred ON emails (user_id) WHERE preferred = 1;

CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- NULL for a decoy, which leads nowhere.
    user_id BLOB REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 of the bearer: what every check looks a session up by.
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    -- The server key that the bearer depends on.
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

CREATE TABLE key_pairs (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- The public half, as it is: an identifier.
    api_key TEXT NOT NULL UNIQUE,
    -- SHA-256 of the secret half: what every check looks a key pair up by.
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    -- The server key that both halves depend on.
    key_id TEXT NOT NULL,
    -- The roles it is narrowed to, as a JSON array; NULL for all that its owner has.
    roles TEXT CHECK (json_valid(roles) AND json_type(roles) = 'array'),
    -- When the code was redeemed; NULL while the pair waits for it.
    verified_at INTEGER,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT;

CREATE INDEX key_pairs_user_id ON key_pairs (user_id);
CREATE INDEX key_pairs_expires_at ON key_pairs (expires_at);
CREATE INDEX key_pairs_waiting ON key_pairs (created_at) WHERE verified_at IS NULL;

CREATE TABLE codes (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    purpose TEXT NOT NULL,
    -- The session that a sign-in code opens.
    session_id BLOB REFERENCES sessions (id) ON DELETE CASCADE,
    -- The key pair that a code verifies.
    key_pair_id BLOB REFERENCES key_pairs (id) ON DELETE CASCADE,
    -- The address that a right guess proves; NULL for a decoy.
    email_id BLOB REFERENCES emails (id) ON DELETE CASCADE,
    -- The address that was asked about, whether or not anybody has it.
    address_key TEXT NOT NULL,
    -- The network that asked.
    network TEXT NOT NULL,
    -- HMAC of the digits.
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    -- The server key that the hash depends on.
    key_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    wrong_guesses INTEGER NOT NULL DEFAULT 0 CHECK (wrong_guesses >= 0),
    -- Used or replaced.
    ended INTEGER NOT NULL DEFAULT 0 CHECK (ended IN (0, 1)),
    CHECK ((purpose = 'sign-in') = (session_id IS NOT NULL)),
    CHECK ((purpose = 'key-pair') = (key_pair_id IS NOT NULL))
) STRICT;

CREATE INDEX codes_address_key ON codes (address_key, ended, expires_at);
CREATE INDEX codes_session_id ON codes (session_id);
CREATE INDEX codes_key_pair_id ON codes (key_pair_id);
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

-- From where the owner of an address has signed in: strangers cannot use up what is let through from there.
CREATE TABLE known_networks (
    email_id BLOB NOT NULL REFERENCES emails (id) ON DELETE CASCADE,
    network TEXT NOT NULL,
    last_signed_in_at INTEGER NOT NULL,
    PRIMARY KEY (email_id, network)
) STRICT, WITHOUT ROWID;

CREATE INDEX known_networks_last_signed_in_at ON known_networks (last_signed_in_at);

-- Wrong guesses at the codes of an address, whether or not anybody has it: from a network that is known to it, and from all
-- others together, as ''.
CREATE TABLE failures (
    address_key TEXT NOT NULL,
    network TEXT NOT NULL,
    -- When the first one of the day was made.
    day_began_at INTEGER NOT NULL,
    of_day INTEGER NOT NULL CHECK (of_day >= 0),
    -- Since the last success, on however many days.
    in_a_row INTEGER NOT NULL CHECK (in_a_row >= 0),
    last_at INTEGER NOT NULL,
    -- When the audit log was last told that a request was refused for them.
    told_at INTEGER,
    -- When the owner of the address was told that no more guesses are accepted.
    owner_told_at INTEGER,
    PRIMARY KEY (address_key, network)
) STRICT, WITHOUT ROWID;

CREATE INDEX failures_untold ON failures (in_a_row) WHERE owner_told_at IS NULL;
CREATE INDEX failures_untold_last_at ON failures (last_at) WHERE owner_told_at IS NULL;
-- Used only for this very condition.
CREATE INDEX failures_forgiven ON failures (day_began_at) WHERE in_a_row = 0;

-- What is let through so often in so long: all that this takes to know is when all of it is there again.
CREATE TABLE throttles (
    kind TEXT NOT NULL CHECK (kind IN ('look-ups', 'mails-from-network', 'mails-to-address', 'requests', 'sign-ups')),
    -- '' for a limit of a network.
    address_key TEXT NOT NULL,
    network TEXT NOT NULL,
    full_at INTEGER NOT NULL,
    -- When the audit log was last told that it refused a request.
    told_at INTEGER,
    PRIMARY KEY (kind, address_key, network)
) STRICT, WITHOUT ROWID;

CREATE INDEX throttles_full_at ON throttles (full_at);

-- The audit log. Refers to nothing: it outlives everybody it names.
CREATE TABLE events (
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('success', 'failure')),
    -- The user who did it; NULL for a stranger, and on the command line.
    actor_id BLOB CHECK (length(actor_id) = 16),
    -- The user it is about.
    subject_id BLOB CHECK (length(subject_id) = 16),
    -- The session or key pair that it was done with, or that came of it.
    credential_id BLOB CHECK (length(credential_id) = 16),
    -- NULL on the command line.
    ip TEXT,
    detail TEXT NOT NULL,
    -- Where it stands in the order of commits, since one fact is stored at a time. Never used again: whoever reads on behind one
    -- misses none.
    position INTEGER PRIMARY KEY AUTOINCREMENT
) STRICT;

CREATE INDEX events_actor_id ON events (actor_id, id) WHERE actor_id IS NOT NULL;
CREATE INDEX events_subject_id ON events (subject_id, id) WHERE subject_id IS NOT NULL;
CREATE INDEX events_at ON events (at);

-- Migrations that a build from before them can live with: they only add. Each such migration puts its own version here.
CREATE TABLE __compatible_migrations (version TEXT NOT NULL PRIMARY KEY) STRICT;
