WITH owner AS (
    SELECT emails.id AS email_id, users.id AS user_id, address_key
    FROM emails INNER JOIN users ON users.id = user_id
    WHERE address_key = 'user' || CAST(:n AS text) || '@example.org'
), living AS (
    SELECT codes.id, network, created_at
    FROM codes INNER JOIN owner ON codes.address_key = owner.address_key
    WHERE purpose = 'sign-in' AND NOT ended AND wrong_guesses < 5 AND expires_at > now()
), superseded AS (
    UPDATE codes SET ended = true WHERE id IN (
        SELECT id FROM living WHERE network = '127.0.0.0/24'
        UNION ALL
        (SELECT id FROM living WHERE network <> '127.0.0.0/24' ORDER BY created_at DESC, id DESC OFFSET 4)
    )
), opened AS (
    INSERT INTO sessions (id, user_id, digest, key_id, kind, created_at, expires_at, ip, user_agent)
    SELECT gen_random_uuid(), user_id, sha256(gen_random_uuid()::text::bytea), '0badcafe', 'standard', now(),
        now() + interval '1 day', '127.0.0.1', ''
    FROM owner
    RETURNING id
), made AS (
    INSERT INTO codes (id, purpose, session_id, email_id, address_key, network, hash, key_id, created_at, expires_at)
    SELECT gen_random_uuid(), 'sign-in', opened.id, email_id, address_key, '127.0.0.0/24',
        sha256(gen_random_uuid()::text::bytea), '0badcafe', now(), now() + interval '1 hour'
    FROM owner, opened
    RETURNING id
)
INSERT INTO outbox (id, class, code_id, key_id, sealed, created_at, due_at)
SELECT gen_random_uuid(), 'code', id, '0badcafe', sha256(id::text::bytea) || sha256(id::text::bytea), now(), now()
FROM made;
