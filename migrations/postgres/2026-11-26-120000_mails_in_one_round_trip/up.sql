-- Claiming mails and settling one, each as one call. What delivers mails takes the database's time from those who ask for
-- them: one round trip a mail in place of eight.
--
-- And the two functions that every sign-in begins with, in a language whose statements are planned once a connection. Those of
-- a function in plain SQL are parsed and planned again at every call, which took longer than running them.

CREATE OR REPLACE FUNCTION lock_address(address_key text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(address_key, 1));
END
$$;

CREATE OR REPLACE FUNCTION lock_owner(address_key text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM users WHERE id = (
        SELECT user_id FROM emails WHERE emails.address_key = lock_owner.address_key AND (verified OR vouched)
    ) FOR NO KEY UPDATE;
END
$$;

-- Claims up to `room` mails that are due, class by class in the order given, each for one attempt. What another worker holds is
-- passed over, not waited for. When nothing is due, nothing is written.
CREATE FUNCTION claim_mails(classes text[], at timestamptz, lease_until timestamptz, room integer, tries integer)
RETURNS TABLE (
    id uuid, class text, key_id text, sealed bytea, created_at timestamptz, attempt integer, code_is_living boolean
)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    wanted text;
    taken integer;
BEGIN
    FOREACH wanted IN ARRAY classes LOOP
        EXIT WHEN room <= 0;
        RETURN QUERY
        WITH due AS (
            SELECT outbox.id FROM outbox
            WHERE settled_at IS NULL AND class = wanted AND due_at <= at
            ORDER BY due_at LIMIT room
            FOR NO KEY UPDATE SKIP LOCKED
        ), claimed AS (
            UPDATE outbox SET attempts = attempts + 1, due_at = lease_until
            FROM due WHERE outbox.id = due.id
            RETURNING outbox.*
        )
        SELECT claimed.id, claimed.class, claimed.key_id, claimed.sealed, claimed.created_at, claimed.attempts,
            coalesce(NOT codes.ended AND codes.wrong_guesses < tries AND codes.expires_at > at, false)
        FROM claimed LEFT JOIN codes ON codes.id = claimed.code_id;
        GET DIAGNOSTICS taken = ROW_COUNT;
        room := room - taken;
    END LOOP;
END
$$;

-- Records how an attempt ended. `due_again` is NULL for one that was the last, `code_ends_at` for one that was not a delivery.
-- Returns false, with nothing stored, when another attempt has been made since, or the mail is settled or gone.
CREATE FUNCTION settle_mail(
    mail uuid, made integer, outcome text, due_again timestamptz, code_ends_at timestamptz, reply text, at timestamptz
) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    code uuid;
BEGIN
    -- Which code it is of changes only when that goes: read first, so that locks can be taken in their order.
    IF code_ends_at IS NOT NULL THEN
        SELECT code_id INTO code FROM outbox WHERE id = mail AND attempts = made AND settled_at IS NULL;
        IF code IS NOT NULL THEN
            PERFORM FROM codes WHERE id = code FOR NO KEY UPDATE;
        END IF;
    END IF;
    IF due_again IS NULL THEN
        UPDATE outbox SET settled_at = at, outcome = settle_mail.outcome, sealed = NULL
        WHERE id = mail AND attempts = made AND settled_at IS NULL;
    ELSE
        UPDATE outbox SET due_at = due_again WHERE id = mail AND attempts = made AND settled_at IS NULL;
    END IF;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF code IS NOT NULL THEN
        UPDATE codes SET expires_at = code_ends_at WHERE id = code AND expires_at > code_ends_at;
    END IF;
    -- Replaced, not inserted: a worker whose first settling was stored, but not acknowledged, repeats it.
    INSERT INTO mail_attempts (mail_id, attempt, ended_at, outcome, reply)
    VALUES (mail, made, at, settle_mail.outcome, settle_mail.reply)
    ON CONFLICT (mail_id, attempt) DO UPDATE
    SET ended_at = excluded.ended_at, outcome = excluded.outcome, reply = excluded.reply;
    RETURN true;
END
$$;
