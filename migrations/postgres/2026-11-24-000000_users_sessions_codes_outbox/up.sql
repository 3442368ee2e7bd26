CREATE TABLE users (
    id uuid PRIMARY KEY,
    alias text NOT NULL,
    -- What aliases are compared by. Uncompleted registrations, decoys among them, hold their alias like accounts do.
    alias_key text NOT NULL CONSTRAINT users_alias_key UNIQUE,
    full_name text NOT NULL,
    verified boolean NOT NULL,
    enabled boolean NOT NULL,
    -- NULL for an account; else a registration that nobody completed yet, or one that never can be.
    registration text CHECK (registration IN ('pending', 'decoy')),
    -- In the user's own row: the check reads them each time, and a join costs half its speed.
    roles text[] NOT NULL CHECK (array_position(roles, NULL) IS NULL),
    groups text[] NOT NULL CHECK (array_position(groups, NULL) IS NULL),
    created_at timestamptz NOT NULL,
    CHECK (registration IS NULL OR NOT verified)
);

CREATE INDEX users_registrations ON users (created_at) WHERE registration IS NOT NULL;

CREATE TABLE emails (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- As written: where mail goes.
    address text NOT NULL,
    -- What addresses are compared by.
    address_key text NOT NULL,
    verified boolean NOT NULL,
    preferred boolean NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE INDEX emails_address_key ON emails (address_key);
CREATE INDEX emails_user_id ON emails (user_id);
-- Anybody can claim an address, one user at most has proved it.
CREATE UNIQUE INDEX emails_verified_address_key ON emails (address_key) WHERE verified;
CREATE UNIQUE INDEX emails_preferred ON emails (user_id) WHERE preferred;

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    -- NULL for a decoy, which leads nowhere.
    user_id uuid REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 of the bearer: what every check looks a session up by.
    digest bytea NOT NULL CONSTRAINT sessions_digest UNIQUE CHECK (length(digest) = 32),
    -- The server key that the bearer hangs on.
    key_id text NOT NULL,
    kind text NOT NULL,
    -- When the code was redeemed; NULL while the session waits for it.
    verified_at timestamptz,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    last_used_at timestamptz,
    ip inet NOT NULL,
    user_agent text NOT NULL,
    CHECK (verified_at IS NULL OR user_id IS NOT NULL)
);

CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
CREATE INDEX sessions_waiting ON sessions (created_at) WHERE verified_at IS NULL;

CREATE TABLE codes (
    id uuid PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('sign-in', 'email', 'key-pair')),
    -- The session that a sign-in code opens.
    session_id uuid REFERENCES sessions (id) ON DELETE CASCADE,
    -- The address that a right guess proves; NULL for a decoy.
    email_id uuid REFERENCES emails (id) ON DELETE CASCADE,
    -- The address that was asked about, whether or not anybody has it.
    address_key text NOT NULL,
    -- The network that asked.
    network cidr NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32),
    key_id text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    wrong_guesses integer NOT NULL DEFAULT 0 CHECK (wrong_guesses >= 0),
    -- Used or replaced.
    ended boolean NOT NULL DEFAULT false,
    CHECK ((purpose = 'sign-in') = (session_id IS NOT NULL))
);

CREATE INDEX codes_address_key ON codes (address_key, expires_at) WHERE NOT ended;
CREATE INDEX codes_session_id ON codes (session_id);
CREATE INDEX codes_email_id ON codes (email_id);
CREATE INDEX codes_expires_at ON codes (expires_at);

CREATE TABLE outbox (
    id uuid PRIMARY KEY,
    class text NOT NULL CHECK (class IN ('code', 'notice', 'decoy')),
    -- NULL once the code is gone: a notice is still owed then, a code mail is given up.
    code_id uuid REFERENCES codes (id) ON DELETE SET NULL,
    key_id text NOT NULL,
    -- The encrypted mail, erased when it is settled.
    sealed bytea,
    created_at timestamptz NOT NULL,
    -- When it may be claimed: a claim moves this to the end of its lease, a deferral to the next attempt.
    due_at timestamptz NOT NULL,
    -- Attempts so far, the one under way included.
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- NULL while it is owed.
    settled_at timestamptz,
    outcome text CHECK (outcome IN ('delivered', 'abandoned')),
    CHECK ((settled_at IS NULL) = (outcome IS NULL)),
    CHECK ((settled_at IS NULL) = (sealed IS NOT NULL))
);

CREATE INDEX outbox_owed ON outbox (class, due_at) WHERE settled_at IS NULL;
CREATE INDEX outbox_settled_at ON outbox (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX outbox_code_id ON outbox (code_id);

-- What the mail server said to each attempt.
CREATE TABLE mail_attempts (
    mail_id uuid NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    attempt integer NOT NULL CHECK (attempt > 0),
    ended_at timestamptz NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('delivered', 'deferred', 'abandoned')),
    reply text NOT NULL,
    PRIMARY KEY (mail_id, attempt)
);
