-- What limits remember: networks that are known, wrong guesses, and what was asked for. A network is stored as its first
-- address, and as '' where all that are not known count together.

-- From where the owner of an address has signed in: strangers cannot use up what is let through from there.
CREATE TABLE known_networks (
    email_id BLOB NOT NULL REFERENCES emails (id) ON DELETE CASCADE,
    network TEXT NOT NULL,
    last_signed_in_at INTEGER NOT NULL,
    PRIMARY KEY (email_id, network)
) STRICT, WITHOUT ROWID;

CREATE INDEX known_networks_last_signed_in_at ON known_networks (last_signed_in_at);

-- Wrong guesses at the codes of an address, whether or not anybody has it.
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
    kind TEXT NOT NULL CHECK (kind IN ('mails-from-network', 'mails-to-address', 'requests', 'sign-ups')),
    -- '' for a limit of a network.
    address_key TEXT NOT NULL,
    network TEXT NOT NULL,
    full_at INTEGER NOT NULL,
    -- When the audit log was last told that it refused a request.
    told_at INTEGER,
    PRIMARY KEY (kind, address_key, network)
) STRICT, WITHOUT ROWID;

CREATE INDEX throttles_full_at ON throttles (full_at);
