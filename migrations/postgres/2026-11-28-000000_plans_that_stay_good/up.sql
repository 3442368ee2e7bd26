-- A plan is made once for each connection, perhaps while a table is empty. Then one way is as good as another, and what is
-- chosen may read all that the table holds later. So these leave one way only.

-- `IS TRUE` keeps the time out of what an index is searched with: living codes of an address are not sought among all living
-- codes.

CREATE OR REPLACE FUNCTION any_living(for_address text, tries integer, at timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM codes
        WHERE address_key = for_address AND purpose = 'sign-in'
            AND NOT ended AND wrong_guesses < tries AND (expires_at > at) IS TRUE
    );
END
$$;

CREATE OR REPLACE FUNCTION supersede_codes(
    sign_in pending_sign_in, tries integer, living_per_address integer
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_owner(sign_in.address_key);
    WITH living AS (
        SELECT id, network, created_at FROM codes
        WHERE address_key = sign_in.address_key AND purpose = 'sign-in'
            AND NOT ended AND wrong_guesses < tries AND (expires_at > sign_in.code_created_at) IS TRUE
    )
    UPDATE codes SET ended = true WHERE id = ANY (ARRAY(
        SELECT id FROM living WHERE network = sign_in.network
        UNION ALL
        (SELECT id FROM living WHERE network <> sign_in.network
            ORDER BY created_at DESC, id DESC OFFSET living_per_address - 1)
    ));
END
$$;

CREATE OR REPLACE FUNCTION counted_under(asked restraint, for_address text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM emails JOIN known_networks ON known_networks.email_id = emails.id
        WHERE emails.address_key = for_address
            AND known_networks.network = asked.network AND (known_networks.last_signed_in_at > asked.known_after) IS TRUE
    ) THEN
        RETURN asked.network;
    END IF;
    RETURN '';
END
$$;

-- Their ids are found by whose they are, and then locked in order: not sought among everybody's, which are in order.
CREATE OR REPLACE FUNCTION lock_credentials(users uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM sessions WHERE id = ANY (ARRAY(SELECT id FROM sessions WHERE user_id = ANY (users))) ORDER BY id FOR UPDATE;
    PERFORM FROM key_pairs WHERE id = ANY (ARRAY(SELECT id FROM key_pairs WHERE user_id = ANY (users))) ORDER BY id FOR UPDATE;
END
$$;

-- Claims as before. What is found by id is found by an array of ids, not by a join, and what is due by the end of the index
-- that it lies at, however many mails wait in between for their next attempt.
CREATE OR REPLACE FUNCTION claim_mails(
    classes text[], at timestamptz, put_off_at_most timestamptz, lease_until timestamptz, room integer, tries integer
)
RETURNS TABLE (
    id uuid, class text, key_id text, sealed bytea, created_at timestamptz, attempt integer, code_is_living boolean
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    wanted text;
    due uuid[];
BEGIN
    FOREACH wanted IN ARRAY classes LOOP
        EXIT WHEN room <= 0;
        due := ARRAY(
            SELECT outbox.id FROM outbox
            WHERE settled_at IS NULL AND class = wanted AND due_at <= at
            ORDER BY due_at LIMIT room
            FOR NO KEY UPDATE SKIP LOCKED
        );
        IF cardinality(due) < room THEN
            due := due || ARRAY(
                SELECT outbox.id FROM outbox
                WHERE settled_at IS NULL AND class = wanted AND due_at > put_off_at_most
                ORDER BY due_at LIMIT room - cardinality(due)
                FOR NO KEY UPDATE SKIP LOCKED
            );
        END IF;
        room := room - cardinality(due);
        CONTINUE WHEN due = '{}';
        RETURN QUERY
        WITH claimed AS (
            UPDATE outbox SET attempts = attempts + 1, due_at = lease_until
            WHERE outbox.id = ANY (due)
            RETURNING outbox.*
        )
        SELECT claimed.id, claimed.class, claimed.key_id, claimed.sealed, claimed.created_at, claimed.attempts,
            coalesce((
                SELECT NOT codes.ended AND codes.wrong_guesses < tries AND codes.expires_at > at
                FROM codes WHERE codes.id = claimed.code_id
            ), false)
        FROM claimed;
    END LOOP;
END
$$;
