CREATE OR REPLACE FUNCTION counted_under(asked restraint, for_address text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM emails JOIN known_networks ON known_networks.email_id = emails.id
        WHERE emails.address_key = for_address
            AND known_networks.network = asked.network AND known_networks.last_signed_in_at > asked.known_after
    ) THEN
        RETURN asked.network;
    END IF;
    RETURN '';
END
$$;

CREATE OR REPLACE FUNCTION lock_credentials(users uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM sessions WHERE user_id = ANY (users) ORDER BY id FOR UPDATE;
    PERFORM FROM key_pairs WHERE user_id = ANY (users) ORDER BY id FOR UPDATE;
END
$$;

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

CREATE OR REPLACE FUNCTION any_living(for_address text, tries integer, at timestamptz) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM codes
        WHERE address_key = for_address AND purpose = 'sign-in'
            AND NOT ended AND wrong_guesses < tries AND expires_at > at
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
