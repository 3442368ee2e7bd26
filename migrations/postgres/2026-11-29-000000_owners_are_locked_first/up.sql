-- As before, but in an order that holds. What a statement inserts is checked against foreign keys in the order in which it was
-- inserted, and of parts that do not need each other that order is PostgreSQL's own: it began with the code, and so took hold of
-- the address before its owner, whom everybody else takes hold of first. Now each part needs the one before.
CREATE OR REPLACE FUNCTION insert_sign_in(sign_in pending_sign_in) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    WITH session AS (
        INSERT INTO sessions (id, user_id, digest, key_id, kind, created_at, expires_at, ip, user_agent)
        VALUES (sign_in.session_id, sign_in.user_id, sign_in.digest, sign_in.session_key_id, sign_in.kind,
            sign_in.session_created_at, sign_in.session_expires_at, sign_in.ip, sign_in.user_agent)
        RETURNING id
    ), code AS (
        INSERT INTO codes (id, purpose, session_id, email_id, address_key, network, hash, key_id, created_at, expires_at)
        SELECT sign_in.code_id, sign_in.purpose, session.id, sign_in.email_id, sign_in.address_key,
            sign_in.network, sign_in.hash, sign_in.code_key_id, sign_in.code_created_at, sign_in.code_expires_at
        FROM session
        RETURNING id
    )
    INSERT INTO outbox (id, class, code_id, key_id, sealed, created_at, due_at)
    SELECT sign_in.mail_id, sign_in.class, sign_in.mail_code_id, sign_in.mail_key_id, sign_in.sealed,
        sign_in.mail_created_at, sign_in.mail_created_at
    FROM code;
END
$$;
