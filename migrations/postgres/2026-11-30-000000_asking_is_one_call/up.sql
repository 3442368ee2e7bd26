-- Asking for a code is one call: whom the address leads to is found out where it is locked. A mail that is stored with it was
-- sealed before anybody knew, without recipient. It goes to the address on record that its code is for, which is told when it is
-- claimed.

DROP FUNCTION open_limited_session(pending_sign_in, integer, integer, restraint);
DROP FUNCTION open_session(pending_sign_in, integer, integer);

-- Opens a session that waits for its code, for whoever has the address: which user and which address of theirs, is written into
-- `sign_in` here. If nobody has it, it is a decoy, whose code hashes to `decoy_hash`.
CREATE FUNCTION open_session(
    sign_in pending_sign_in, decoy_hash bytea, tries integer, living_per_address integer
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    registrations uuid[];
    -- User and address, of the first of which it leads to.
    led_to uuid[];
BEGIN
    PERFORM lock_address(sign_in.address_key);

    -- Its owner comes first, of whom there is one at most. Two registrations replace each other, so the newest is the one. An
    -- account that is deleted after this is found out by a foreign key.
    SELECT array_agg(users.id) FILTER (WHERE users.registration IS NOT NULL),
        array_agg(
            ARRAY[users.id, emails.id] ORDER BY emails.verified OR emails.vouched DESC, emails.created_at DESC, emails.id DESC
        ) FILTER (WHERE emails.verified OR emails.vouched OR users.registration = 'pending')
    INTO registrations, led_to
    FROM emails JOIN users ON users.id = emails.user_id
    WHERE emails.address_key = sign_in.address_key;
    sign_in.user_id := led_to[1][1];
    sign_in.email_id := led_to[1][2];

    IF any_living(sign_in.address_key, tries, sign_in.code_created_at) THEN
        PERFORM supersede_codes(sign_in, tries, living_per_address);
    ELSIF registrations IS NOT NULL THEN
        -- A registration lives as long as a code for its address. The new code must not revive one that has ended.
        PERFORM lock_owner(sign_in.address_key);
        PERFORM delete_users(registrations);
        IF sign_in.user_id = ANY (registrations) THEN
            sign_in.user_id := NULL;
            sign_in.email_id := NULL;
        END IF;
    END IF;
    IF sign_in.user_id IS NULL THEN
        sign_in.hash := decoy_hash;
        sign_in.class := 'decoy';
    END IF;
    PERFORM insert_sign_in(sign_in);
END
$$;

-- Opens a session within limits. When they hold it back, `refused_by` is not NULL, and nothing is stored.
CREATE FUNCTION open_limited_session(
    sign_in pending_sign_in, decoy_hash bytea, tries integer, living_per_address integer, asked restraint,
    OUT refused_by text, OUT until timestamptz, OUT owner uuid, OUT was_told boolean
)
LANGUAGE plpgsql AS $$
DECLARE
    counted_as text;
BEGIN
    SELECT refusal.refused_by, refusal.until, refusal.owner, refusal.was_told, refusal.counted_as
    INTO refused_by, until, owner, was_told, counted_as FROM refuse(asked) AS refusal;
    IF refused_by IS NULL THEN
        PERFORM open_session(sign_in, decoy_hash, tries, living_per_address);
        PERFORM charge(asked, counted_as);
    END IF;
END
$$;

DROP FUNCTION claim_mails(text[], timestamptz, timestamptz, timestamptz, integer, integer);

-- Under another name than before: a process of the version before would not know where some of these mails go, and give them up.
-- It fails now, and they wait.
--
-- Claims up to `room` mails that are due, class by class in the order given, each for one attempt. What another worker holds is
-- passed over, not waited for. What is not due before `put_off_at_most` was put off under a clock that has been set back since,
-- and is due now. When nothing is due, nothing is written. `on_record` is the address that the mail's code is for.
CREATE FUNCTION claim_due_mails(
    classes text[], at timestamptz, put_off_at_most timestamptz, lease_until timestamptz, room integer, tries integer
)
RETURNS TABLE (
    id uuid, class text, key_id text, sealed bytea, created_at timestamptz, attempt integer, code_is_living boolean,
    on_record text
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
            ), false),
            (
                SELECT emails.address FROM emails
                WHERE emails.id = (SELECT codes.email_id FROM codes WHERE codes.id = claimed.code_id)
            )
        FROM claimed;
    END LOOP;
END
$$;
