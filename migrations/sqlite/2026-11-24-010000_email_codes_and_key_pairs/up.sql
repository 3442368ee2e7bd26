-- Several addresses per account and API key pairs. An address's code is one whose purpose is 'email': it has neither a
-- session nor a key pair.

CREATE TABLE key_pairs (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- The public half, as it is: an identifier.
    api_key TEXT NOT NULL UNIQUE,
    -- SHA-256 of the secret half: what every check looks a key pair up by.
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    -- The server key that both halves hang on.
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

-- The key pair that a code verifies.
ALTER TABLE codes ADD COLUMN key_pair_id BLOB REFERENCES key_pairs (id) ON DELETE CASCADE
    CHECK ((purpose = 'key-pair') = (key_pair_id IS NOT NULL));

CREATE INDEX codes_key_pair_id ON codes (key_pair_id);
