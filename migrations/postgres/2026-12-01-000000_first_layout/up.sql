-- Everything that is stored. Columns stand in the order in which the service knows them.
--
-- No rule is said here: what is alive, due, over or known, the domain decides. Constraints hold what a bug must not break.
--
-- Tables whose rows come and go are analysed and vacuumed early, so that plans fit what they hold.

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
-- Who holds a role.
CREATE INDEX users_roles ON users USING gin (roles);

CREATE TABLE emails (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- As written: where mail goes.
    address text NOT NULL,
    -- What addresses are compared by.
    address_key text NOT NULL,
    -- Whether its owner proved that they read its mail.
    verified boolean NOT NULL,
    -- Whether an administrator vouches for it.
    vouched boolean NOT NULL DEFAULT false,
    preferred boolean NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE INDEX emails_address_key ON emails (address_key);
CREATE INDEX emails_user_id ON emails (user_id);
-- Anybody can claim an address, one user at most owns it.
CREATE UNIQUE INDEX emails_owned_address_key ON emails (address_key) WHERE verified OR vouched;
CREATE UNIQUE INDEX emails_preferred ON emails (user_id) WHERE preferred;

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    -- NULL for a decoy, which leads nowhere.
    user_id uuid REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 of the bearer: what every check looks a session up by.
    digest bytea NOT NULL CONSTRAINT sessions_digest UNIQUE CHECK (length(digest) = 32),
    -- The server key that the bearer depends on.
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
) WITH (autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
CREATE INDEX sessions_waiting ON sessions (created_at) WHERE verified_at IS NULL;

CREATE TABLE key_pairs (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name text NOT NULL,
    -- The public half.
    api_key text NOT NULL CONSTRAINT key_pairs_api_key UNIQUE,
    -- SHA-256 of the secret half: what every check looks a key pair up by.
    digest bytea NOT NULL CONSTRAINT key_pairs_digest UNIQUE CHECK (length(digest) = 32),
    -- The server key that both halves depend on.
    key_id text NOT NULL,
    -- NULL for all roles that its owner has.
    roles text[] CHECK (array_position(roles, NULL) IS NULL),
    -- When the code was redeemed; NULL while the key pair waits for it.
    verified_at timestamptz,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    last_used_at timestamptz
);

CREATE INDEX key_pairs_user_id ON key_pairs (user_id);
CREATE INDEX key_pairs_expires_at ON key_pairs (expires_at);
CREATE INDEX key_pairs_waiting ON key_pairs (created_at) WHERE verified_at IS NULL;

CREATE TABLE codes (
    id uuid PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('sign-in', 'email', 'key-pair')),
    session_id uuid REFERENCES sessions (id) ON DELETE CASCADE,
    key_pair_id uuid REFERENCES key_pairs (id) ON DELETE CASCADE,
    -- The address that a right guess proves; NULL for a decoy.
    email_id uuid REFERENCES emails (id) ON DELETE CASCADE,
    -- The address that was asked about.
    address_key text NOT NULL,
    -- The network that asked.
    network cidr NOT NULL,
    -- HMAC of the digits.
    hash bytea NOT NULL CHECK (length(hash) = 32),
    -- The server key that the hash depends on.
    key_id text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    wrong_guesses integer NOT NULL DEFAULT 0 CHECK (wrong_guesses >= 0),
    -- Whether it was used or replaced.
    ended boolean NOT NULL DEFAULT false,
    CHECK ((purpose = 'sign-in') = (session_id IS NOT NULL)),
    CHECK ((purpose = 'key-pair') = (key_pair_id IS NOT NULL))
) WITH (autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX codes_address_key ON codes (address_key, expires_at) WHERE NOT ended;
CREATE INDEX codes_session_id ON codes (session_id);
CREATE INDEX codes_key_pair_id ON codes (key_pair_id);
CREATE INDEX codes_email_id ON codes (email_id);
CREATE INDEX codes_expires_at ON codes (expires_at);

CREATE TABLE outbox (
    id uuid PRIMARY KEY,
    class text NOT NULL CHECK (class IN ('code', 'notice', 'decoy')),
    -- The code whose life starts to run out when the mail is handed over; NULL for none, and once the code is gone.
    code_id uuid REFERENCES codes (id) ON DELETE SET NULL,
    -- The server key that the mail is, or was, sealed under.
    key_id text NOT NULL,
    -- The sealed mail; erased once it is settled.
    sealed bytea,
    created_at timestamptz NOT NULL,
    -- When it may be claimed next: a claim moves this to the end of its lease.
    due_at timestamptz NOT NULL,
    -- Attempts so far. Only the latest one can settle the mail.
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    settled_at timestamptz,
    outcome text CHECK (outcome IN ('delivered', 'abandoned')),
    CHECK ((settled_at IS NULL) = (outcome IS NULL)),
    CHECK ((settled_at IS NULL) = (sealed IS NOT NULL))
) WITH (autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX outbox_owed ON outbox (class, due_at) WHERE settled_at IS NULL;
CREATE INDEX outbox_settled_at ON outbox (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX outbox_code_id ON outbox (code_id);

CREATE TABLE mail_attempts (
    mail_id uuid NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    attempt integer NOT NULL CHECK (attempt > 0),
    ended_at timestamptz NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('delivered', 'deferred', 'abandoned')),
    -- What the mail server said.
    reply text NOT NULL,
    PRIMARY KEY (mail_id, attempt)
);

-- From where the owners of addresses have signed in. Somebody who asks or guesses from there is not counted with the strangers.
-- Addresses and networks are compared by their bytes in these tables, so that all kinds of store have them in one order.
CREATE TABLE known_networks (
    email_id uuid NOT NULL REFERENCES emails (id) ON DELETE CASCADE,
    -- Its first address.
    network text COLLATE "C" NOT NULL,
    last_signed_in_at timestamptz NOT NULL,
    PRIMARY KEY (email_id, network)
);

CREATE INDEX known_networks_last_signed_in_at ON known_networks (last_signed_in_at);

-- Wrong guesses at the codes of an address, whether or not anybody has it.
CREATE TABLE failures (
    address_key text COLLATE "C" NOT NULL,
    -- One that is known to the address; empty for all others together.
    network text COLLATE "C" NOT NULL,
    -- A day is 24 hours from the first of its failures.
    day_began_at timestamptz NOT NULL,
    of_day integer NOT NULL CHECK (of_day >= 0),
    -- Since the last success.
    in_a_row integer NOT NULL CHECK (in_a_row >= 0),
    last_at timestamptz NOT NULL,
    -- When the audit log was last told of a request that they held back.
    told_at timestamptz,
    -- When the owner of the address was told that no more guesses are accepted.
    owner_told_at timestamptz,
    PRIMARY KEY (address_key, network)
);

-- Those that make no difference once their day is over, and those that make none after a long time.
CREATE INDEX failures_forgiven ON failures (day_began_at) WHERE in_a_row = 0;
CREATE INDEX failures_last_at ON failures (last_at) WHERE owner_told_at IS NULL;
-- Those whose owners may have to be told: the few with the most.
CREATE INDEX failures_untold ON failures (in_a_row) WHERE owner_told_at IS NULL;

-- What is let through so often in so long: buckets that fill evenly.
CREATE TABLE throttles (
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('look-ups', 'mails-from-network', 'mails-to-address', 'requests', 'sign-ups')),
    -- Empty for a limit that is one for a network.
    address_key text COLLATE "C" NOT NULL,
    -- With an address, one that is known to it; empty for all others together.
    network text COLLATE "C" NOT NULL,
    -- When it is full again: all there is to know of a bucket.
    full_at timestamptz NOT NULL,
    -- When the audit log was last told of a request that it held back.
    told_at timestamptz,
    PRIMARY KEY (kind, address_key, network)
);

CREATE INDEX throttles_full_at ON throttles (full_at);

-- The audit log. It outlives everybody it names, so it refers to nobody.
CREATE TABLE events (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('success', 'failure')),
    -- The user who did it, if one is known.
    actor_id uuid,
    -- The user it is about, if there is one.
    subject_id uuid,
    -- The session or key pair that it was done with, or that came of it.
    credential_id uuid,
    ip inet,
    detail text NOT NULL,
    -- The transaction that wrote it. Events of transactions below the oldest one that is under way are complete: whoever reads
    -- these in the order of position and id, and then goes on behind them, misses none, however late one commits.
    position bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint)
);

CREATE INDEX events_actor_id ON events (actor_id, id DESC) WHERE actor_id IS NOT NULL;
CREATE INDEX events_subject_id ON events (subject_id, id DESC) WHERE subject_id IS NOT NULL;
CREATE INDEX events_at ON events (at);
CREATE INDEX events_position ON events (position, id);

-- Migrations that a build from before them can live with: they only add. Each such migration puts its own version here.
CREATE TABLE __compatible_migrations (version text PRIMARY KEY);
