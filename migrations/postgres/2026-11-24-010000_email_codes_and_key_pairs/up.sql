-- Several addresses per account and API key pairs. An address's code is one whose purpose is 'email': it has neither a
-- session nor a key pair.

CREATE TABLE key_pairs (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name text NOT NULL,
    -- The public half, as it is: an identifier.
    api_key text NOT NULL CONSTRAINT key_pairs_api_key UNIQUE,
    -- SHA-256 of the secret half: what every check looks a key pair up by.
    digest bytea NOT NULL CONSTRAINT key_pairs_digest UNIQUE CHECK (length(digest) = 32),
    -- The server key that both halves hang on.
    key_id text NOT NULL,
    -- The roles it is narrowed to; NULL for all that its owner has.
    roles text[] CHECK (array_position(roles, NULL) IS NULL),
    -- When the code was redeemed; NULL while the pair waits for it.
    verified_at timestamptz,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    last_used_at timestamptz
);

CREATE INDEX key_pairs_user_id ON key_pairs (user_id);
CREATE INDEX key_pairs_expires_at ON key_pairs (expires_at);
CREATE INDEX key_pairs_waiting ON key_pairs (created_at) WHERE verified_at IS NULL;

-- The key pair that a code verifies.
ALTER TABLE codes
    ADD COLUMN key_pair_id uuid REFERENCES key_pairs (id) ON DELETE CASCADE,
    ADD CHECK ((purpose = 'key-pair') = (key_pair_id IS NOT NULL));

CREATE INDEX codes_key_pair_id ON codes (key_pair_id);
