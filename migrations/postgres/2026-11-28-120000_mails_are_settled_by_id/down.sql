-- Records how an attempt ended. `due_again` is NULL for one that was the last, `code_ends_at` for one that was not a delivery.
-- Returns false, with nothing stored, when another attempt has been made since, or the mail is settled or gone.
CREATE OR REPLACE FUNCTION settle_mail(
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

-- Deletes users, or registrations, with all that hangs on them. Notices remain owed: they tell somebody else.
CREATE OR REPLACE FUNCTION delete_users(ids uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    -- The foreign keys would reach the codes by way of the addresses, before the sessions and key pairs.
    PERFORM FROM users WHERE id = ANY (ids) ORDER BY id FOR UPDATE;
    PERFORM lock_credentials(ids);
    PERFORM FROM codes JOIN emails ON emails.id = codes.email_id
    WHERE emails.user_id = ANY (ids) ORDER BY codes.id FOR UPDATE OF codes;
    DELETE FROM outbox WHERE class = 'code' AND settled_at IS NULL AND code_id IN (
        SELECT codes.id FROM codes JOIN emails ON emails.id = codes.email_id WHERE emails.user_id = ANY (ids)
    );
    -- Addresses, sessions, key pairs and codes go by foreign key.
    DELETE FROM users WHERE id = ANY (ids);
END
$$;
