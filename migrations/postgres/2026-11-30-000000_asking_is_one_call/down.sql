-- Mails that are owed without recipient are given up by whoever claims them after this: who asked for a code asks again.

DROP FUNCTION claim_due_mails(text[], timestamptz, timestamptz, timestamptz, integer, integer);
DROP FUNCTION open_limited_session(pending_sign_in, bytea, integer, integer, restraint);
DROP FUNCTION open_session(pending_sign_in, bytea, integer, integer);

CREATE FUNCTION open_session(
    sign_in pending_sign_in, tries integer, living_per_address integer
) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    registrations uuid[];
    is_theirs boolean;
BEGIN
    PERFORM lock_address(sign_in.address_key);

    -- An account that is deleted after this is found out by a foreign key.
    SELECT array_agg(users.id) FILTER (WHERE users.registration IS NOT NULL),
        coalesce(bool_or(
            emails.id = sign_in.email_id AND users.id = sign_in.user_id
            AND (emails.verified OR emails.vouched OR users.registration = 'pending')
        ), false)
    INTO registrations, is_theirs
    FROM emails JOIN users ON users.id = emails.user_id
    WHERE emails.address_key = sign_in.address_key;

    IF any_living(sign_in.address_key, tries, sign_in.code_created_at) THEN
        IF sign_in.user_id IS NULL OR is_theirs THEN
            PERFORM supersede_codes(sign_in, tries, living_per_address);
        END IF;
    ELSIF registrations IS NOT NULL THEN
        -- A registration lives as long as a code for its address. The new code must not revive one that has ended.
        PERFORM lock_owner(sign_in.address_key);
        PERFORM delete_users(registrations);
        is_theirs := is_theirs AND sign_in.user_id <> ALL (registrations);
    END IF;
    IF sign_in.user_id IS NOT NULL AND NOT is_theirs THEN
        RETURN false;
    END IF;

    PERFORM insert_sign_in(sign_in);
    RETURN true;
END
$$;

CREATE FUNCTION open_limited_session(
    sign_in pending_sign_in, tries integer, living_per_address integer, asked restraint,
    OUT outcome text, OUT refused_by text, OUT until timestamptz, OUT owner uuid, OUT was_told boolean
)
LANGUAGE plpgsql AS $$
DECLARE
    counted_as text;
BEGIN
    SELECT refusal.refused_by, refusal.until, refusal.owner, refusal.was_told, refusal.counted_as
    INTO refused_by, until, owner, was_told, counted_as FROM refuse(asked) AS refusal;
    IF refused_by IS NOT NULL THEN
        outcome := 'throttled';
    ELSIF open_session(sign_in, tries, living_per_address) THEN
        PERFORM charge(asked, counted_as);
        outcome := 'opened';
    ELSE
        outcome := 'stale';
    END IF;
END
$$;

CREATE FUNCTION claim_mails(
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
