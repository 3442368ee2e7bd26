DROP FUNCTION settle_mail(uuid, integer, text, timestamptz, timestamptz, text, timestamptz);
DROP FUNCTION claim_mails(text[], timestamptz, timestamptz, timestamptz, integer, integer);

CREATE OR REPLACE FUNCTION lock_address(address_key text) RETURNS void
LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtextextended(address_key, 1));
$$;

CREATE OR REPLACE FUNCTION lock_owner(address_key text) RETURNS void
LANGUAGE sql AS $$
    SELECT FROM users WHERE id = (
        SELECT user_id FROM emails WHERE emails.address_key = lock_owner.address_key AND (verified OR vouched)
    ) FOR NO KEY UPDATE;
$$;

CREATE OR REPLACE FUNCTION store_sign_in(sign_in pending_sign_in, tries integer, living_per_address integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    -- Those from the same network, and of the others the oldest, until the new one fits in.
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

    INSERT INTO sessions (id, user_id, digest, key_id, kind, created_at, expires_at, ip, user_agent)
    VALUES (sign_in.session_id, sign_in.user_id, sign_in.digest, sign_in.session_key_id, sign_in.kind,
        sign_in.session_created_at, sign_in.session_expires_at, sign_in.ip, sign_in.user_agent);
    INSERT INTO codes (id, purpose, session_id, email_id, address_key, network, hash, key_id, created_at, expires_at)
    VALUES (sign_in.code_id, sign_in.purpose, sign_in.session_id, sign_in.email_id, sign_in.address_key, sign_in.network,
        sign_in.hash, sign_in.code_key_id, sign_in.code_created_at, sign_in.code_expires_at);
    INSERT INTO outbox (id, class, code_id, key_id, sealed, created_at, due_at)
    VALUES (sign_in.mail_id, sign_in.class, sign_in.mail_code_id, sign_in.mail_key_id, sign_in.sealed,
        sign_in.mail_created_at, sign_in.mail_created_at);
END
$$;

CREATE OR REPLACE FUNCTION open_session(sign_in pending_sign_in, tries integer, living_per_address integer) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    registrations uuid[];
BEGIN
    PERFORM lock_address(sign_in.address_key);
    PERFORM lock_owner(sign_in.address_key);

    -- A registration lives as long as a code for its address. The new code must not revive one that has ended.
    registrations := ARRAY(
        SELECT users.id FROM emails JOIN users ON users.id = emails.user_id
        WHERE emails.address_key = sign_in.address_key AND users.registration IS NOT NULL
    );
    IF registrations <> '{}' AND NOT EXISTS (
        SELECT FROM codes
        WHERE address_key = sign_in.address_key AND purpose = 'sign-in'
            AND NOT ended AND wrong_guesses < tries AND expires_at > sign_in.code_created_at
    ) THEN
        PERFORM delete_users(registrations);
    END IF;

    IF sign_in.user_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM emails JOIN users ON users.id = emails.user_id
        WHERE emails.id = sign_in.email_id AND emails.user_id = sign_in.user_id
            AND emails.address_key = sign_in.address_key
            AND (emails.verified OR emails.vouched OR users.registration = 'pending')
    ) THEN
        RETURN false;
    END IF;

    PERFORM store_sign_in(sign_in, tries, living_per_address);
    RETURN true;
END
$$;

DROP FUNCTION insert_sign_in(pending_sign_in);
DROP FUNCTION supersede_codes(pending_sign_in, integer, integer);
DROP FUNCTION any_living(text, integer, timestamptz);
