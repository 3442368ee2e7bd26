-- What is done most often, in fewer statements: each costs a function about as much as an index costs a row.
--
-- Mails are claimed, and each settled, by one call: what delivers them takes the database's time from those who ask for them.
-- Signing in locks what is needed seldom only when it is, and stores its rows by one statement.

-- These two are in a language whose statements are planned once a connection. Those of a function in plain SQL were parsed and
-- planned again at every call, which took longer than running them.
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

-- Whether a code for an address is alive with which somebody could sign in.
CREATE FUNCTION any_living(for_address text, tries integer, at timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM codes
        WHERE address_key = for_address AND purpose = 'sign-in'
            AND NOT ended AND wrong_guesses < tries AND expires_at > at
    );
END
$$;

-- Ends the codes that a sign-in supersedes: those from the same network, and of the others the oldest, until the new one fits
-- in. The address is locked by now, and its owner is here, before the codes.
CREATE FUNCTION supersede_codes(sign_in pending_sign_in, tries integer, living_per_address integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_owner(sign_in.address_key);
    WITH living AS (
        SELECT id, network, created_at FROM codes
        WHERE address_key = sign_in.address_key AND purpose = 'sign-in'
            AND NOT ended AND wrong_guesses < tries AND expires_at > sign_in.code_created_at
    )
    UPDATE codes SET ended = true WHERE id IN (
        SELECT id FROM living WHERE network = sign_in.network
        UNION ALL
        (SELECT id FROM living WHERE network <> sign_in.network
            ORDER BY created_at DESC, id DESC OFFSET living_per_address - 1)
    );
END
$$;

-- Stores a session, its code and the mail. What they supersede has ended by now.
CREATE FUNCTION insert_sign_in(sign_in pending_sign_in) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    -- Foreign keys are looked after when the statement ends, in this order.
    WITH session AS (
        INSERT INTO sessions (id, user_id, digest, key_id, kind, created_at, expires_at, ip, user_agent)
        VALUES (sign_in.session_id, sign_in.user_id, sign_in.digest, sign_in.session_key_id, sign_in.kind,
            sign_in.session_created_at, sign_in.session_expires_at, sign_in.ip, sign_in.user_agent)
    ), code AS (
        INSERT INTO codes (id, purpose, session_id, email_id, address_key, network, hash, key_id, created_at, expires_at)
        VALUES (sign_in.code_id, sign_in.purpose, sign_in.session_id, sign_in.email_id, sign_in.address_key,
            sign_in.network, sign_in.hash, sign_in.code_key_id, sign_in.code_created_at, sign_in.code_expires_at)
    )
    INSERT INTO outbox (id, class, code_id, key_id, sealed, created_at, due_at)
    VALUES (sign_in.mail_id, sign_in.class, sign_in.mail_code_id, sign_in.mail_key_id, sign_in.sealed,
        sign_in.mail_created_at, sign_in.mail_created_at);
END
$$;

CREATE OR REPLACE FUNCTION store_sign_in(
    sign_in pending_sign_in, tries integer, living_per_address integer
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF any_living(sign_in.address_key, tries, sign_in.code_created_at) THEN
        PERFORM supersede_codes(sign_in, tries, living_per_address);
    END IF;
    PERFORM insert_sign_in(sign_in);
END
$$;

CREATE OR REPLACE FUNCTION open_session(
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

-- Claims up to `room` mails that are due, class by class in the order given, each for one attempt. What another worker holds is
-- passed over, not waited for. What is not due before `put_off_at_most` was put off under a clock that has been set back since,
-- and is due now. When nothing is due, nothing is written.
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
    taken integer;
BEGIN
    FOREACH wanted IN ARRAY classes LOOP
        EXIT WHEN room <= 0;
        RETURN QUERY
        WITH due AS (
            SELECT outbox.id FROM outbox
            WHERE settled_at IS NULL AND class = wanted AND (due_at <= at OR due_at > put_off_at_most)
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
