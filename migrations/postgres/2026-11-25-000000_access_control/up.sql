-- Administrators, the addresses that they vouch for, and the audit log.

ALTER TABLE emails
    -- An administrator vouches for it: it signs in although nobody has proved it yet.
    ADD COLUMN vouched boolean NOT NULL DEFAULT false;

-- Anybody can claim an address, one user at most owns it: has proved it, or is vouched for.
DROP INDEX emails_verified_address_key;
CREATE UNIQUE INDEX emails_owned_address_key ON emails (address_key) WHERE verified OR vouched;

-- Whether somebody else administers users is asked before anybody stops doing so. There are few of them, so their index is
-- small, and no estimate of how many there may be talks the planner out of it.
CREATE INDEX users_administrators ON users (id) WHERE 'users_admin' = ANY (roles);
CREATE INDEX users_roles ON users USING gin (roles);

CREATE TABLE events (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('success', 'failure')),
    -- None of these refers to a row: an event outlives everybody and everything that it names.
    actor_id uuid,
    subject_id uuid,
    credential_id uuid,
    -- NULL on the command line.
    ip inet,
    detail text NOT NULL
);

-- The newest first, of everybody by the primary key, of one user by these two.
CREATE INDEX events_actor_id ON events (actor_id, id DESC) WHERE actor_id IS NOT NULL;
CREATE INDEX events_subject_id ON events (subject_id, id DESC) WHERE subject_id IS NOT NULL;
CREATE INDEX events_at ON events (at);
