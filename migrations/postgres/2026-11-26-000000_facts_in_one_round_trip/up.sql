-- Signing in and redeeming a code, each as one call: one round trip, and one transaction without asking for it.
--
-- They are functions and not statements, because a statement sees the database as it was before it waited for a lock. Every
-- statement inside a function of this kind sees what was committed until then, so that what is decided after a lock was
-- taken is decided on what the lock protects.
--
-- The rules themselves are the domain's: their numbers come as arguments, and the contract of all stores holds the rest.

-- Locks everything about who an address leads to, and which codes for it are alive, until the transaction ends.
CREATE FUNCTION lock_address(address_key text) RETURNS void
LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtextextended(address_key, 1));
$$;

-- Locks the row of who owns an address, if anybody does. A new code for the address ends some of this user's, and rows are
-- locked in one order: the user before the codes.
CREATE FUNCTION lock_owner(address_key text) RETURNS void
LANGUAGE sql AS $$
    SELECT FROM users WHERE id = (
        SELECT user_id FROM emails WHERE emails.address_key = lock_owner.address_key AND (verified OR vouched)
    ) FOR NO KEY UPDATE;
$$;

-- Locks all credentials of these users, whose own rows are locked by now. What is deleted together is locked in the order of
-- the ids first, as everybody does who locks several; a cascade would take the rows as it finds them.
CREATE FUNCTION lock_credentials(users uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM sessions WHERE user_id = ANY (users) ORDER BY id FOR UPDATE;
    PERFORM FROM key_pairs WHERE user_id = ANY (users) ORDER BY id FOR UPDATE;
END
$$;

-- Deletes users, or registrations, with all that hangs on them. Notices remain owed: they tell somebody else.
CREATE FUNCTION delete_users(ids uuid[]) RETURNS void
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

-- A session that waits for its code, the code, and the mail with it.
CREATE TYPE pending_sign_in AS (
    session_id uuid,
    -- These two are NULL for a decoy.
    user_id uuid,
    email_id uuid,
    digest bytea,
    session_key_id text,
    kind text,
    session_created_at timestamptz,
    session_expires_at timestamptz,
    ip inet,
    user_agent text,
    code_id uuid,
    purpose text,
    address_key text,
    network cidr,
    hash bytea,
    code_key_id text,
    code_created_at timestamptz,
    code_expires_at timestamptz,
    mail_id uuid,
    class text,
    mail_code_id uuid,
    mail_key_id text,
    sealed bytea,
    mail_created_at timestamptz
);

-- Stores a sign-in, and ends the codes that it supersedes. The address and its owner are locked by now.
CREATE FUNCTION store_sign_in(sign_in pending_sign_in, tries integer, living_per_address integer) RETURNS void
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

-- Opens a session that waits for its code. Returns false, with nothing stored, when its owner has the address no longer.
CREATE FUNCTION open_session(sign_in pending_sign_in, tries integer, living_per_address integer) RETURNS boolean
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

-- Somebody's try at a code.
CREATE TYPE code_guess AS (
    code_id uuid,
    purpose text,
    -- What the guess hashes to under each server key.
    hashes bytea[],
    -- Who guesses; NULL for a stranger.
    by_user uuid,
    ip inet,
    at timestamptz,
    event_id uuid
);

-- What the audit log will say after each outcome, in the domain's words: a column of candidates for each of the log's.
CREATE TYPE event_candidates AS (
    -- The outcome that each is for.
    outcomes_told text[],
    kinds text[],
    outcomes text[],
    actors uuid[],
    subjects uuid[],
    credentials uuid[],
    details text[],
    -- In them, these two stand for what only the function knows: whose the code is, and what it has opened.
    owner_stand_in uuid,
    opened_stand_in uuid
);

-- Judges a guess and does what it comes to, but for telling anybody. What it comes to is one of:
--
--   refused     there was nothing to guess at, or what there was leads nowhere any more
--   wrong       counted
--   disabled    right, and the code is used, but the account is disabled
--   opened      right: what the code opens is open
--   registered  the same, and a registration has become an account
--   damaged     the code's row does not say what it opens
--
-- An account that was not verified, and is now, has `changed`.
CREATE FUNCTION spend_code(
    guess code_guess, tries integer, OUT redeemed text, OUT owner uuid, OUT opened uuid, OUT changed boolean
)
LANGUAGE plpgsql AS $$
DECLARE
    code codes;
    account users;
    email emails;
    is_waiting boolean;
BEGIN
    redeemed := 'refused';
    changed := false;

    -- What the code leads to never changes: read first, so that locks can be taken in their order.
    SELECT * INTO code FROM codes WHERE id = guess.code_id;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF coalesce(code.session_id, code.key_pair_id, code.email_id) IS NULL THEN
        redeemed := 'damaged';
        RETURN;
    END IF;
    PERFORM lock_address(code.address_key);
    owner := CASE code.purpose
        WHEN 'sign-in' THEN (SELECT user_id FROM sessions WHERE id = code.session_id)
        WHEN 'key-pair' THEN (SELECT user_id FROM key_pairs WHERE id = code.key_pair_id)
        WHEN 'email' THEN (SELECT user_id FROM emails WHERE id = code.email_id)
    END;
    SELECT * INTO account FROM users WHERE id = owner FOR NO KEY UPDATE;
    -- A decoy's code leads to nobody.
    owner := CASE WHEN account.registration = 'decoy' THEN NULL ELSE account.id END;
    CASE code.purpose
        WHEN 'sign-in' THEN
            SELECT verified_at IS NULL AND expires_at > guess.at INTO is_waiting
            FROM sessions WHERE id = code.session_id FOR NO KEY UPDATE;
        WHEN 'key-pair' THEN
            SELECT verified_at IS NULL AND expires_at > guess.at INTO is_waiting
            FROM key_pairs WHERE id = code.key_pair_id FOR NO KEY UPDATE;
        WHEN 'email' THEN
            SELECT NOT verified INTO is_waiting FROM emails WHERE id = code.email_id FOR NO KEY UPDATE;
    END CASE;
    IF is_waiting IS NOT TRUE OR (guess.by_user IS NOT NULL AND guess.by_user IS DISTINCT FROM owner) THEN
        RETURN;
    END IF;

    -- From here on nobody else judges a guess at this code: all share one budget, and a right one is accepted once.
    SELECT * INTO code FROM codes WHERE id = guess.code_id FOR NO KEY UPDATE;
    IF NOT FOUND OR code.purpose <> guess.purpose
        OR code.ended OR code.wrong_guesses >= tries OR code.expires_at <= guess.at THEN
        RETURN;
    END IF;
    -- Keyed hashes: how long comparing them takes tells nothing of the code.
    IF code.hash <> ALL (guess.hashes) THEN
        UPDATE codes SET wrong_guesses = wrong_guesses + 1 WHERE id = code.id;
        redeemed := 'wrong';
        RETURN;
    END IF;
    UPDATE codes SET ended = true WHERE id = code.id;

    -- No guess is right for a decoy's hash; should one be, it still leads nowhere.
    SELECT * INTO email FROM emails WHERE id = code.email_id AND user_id = owner;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF code.purpose = 'sign-in' AND NOT account.enabled THEN
        redeemed := 'disabled';
        RETURN;
    END IF;
    -- An address or a key is only ever added to what is an account already, and stays one.
    IF code.purpose <> 'sign-in' AND NOT (account.enabled AND account.verified) THEN
        RETURN;
    END IF;
    -- Both of these prove the address, unless it has meanwhile got another owner.
    IF code.purpose IN ('sign-in', 'email') AND NOT email.verified THEN
        IF EXISTS (
            SELECT FROM emails WHERE address_key = email.address_key AND (verified OR vouched) AND user_id <> owner
        ) THEN
            RETURN;
        END IF;
        UPDATE emails SET verified = true WHERE id = email.id;
    END IF;

    CASE code.purpose
        WHEN 'sign-in' THEN
            UPDATE users SET verified = true, registration = NULL
            WHERE id = owner AND (NOT verified OR registration IS NOT NULL);
            UPDATE sessions SET verified_at = guess.at WHERE id = code.session_id;
            opened := code.session_id;
            changed := account.registration IS NULL AND NOT account.verified;
        WHEN 'key-pair' THEN
            UPDATE key_pairs SET verified_at = guess.at WHERE id = code.key_pair_id;
            opened := code.key_pair_id;
        WHEN 'email' THEN
            opened := code.email_id;
    END CASE;
    redeemed := CASE WHEN account.registration = 'pending' THEN 'registered' ELSE 'opened' END;
END
$$;

-- Spends a code, and tells the audit log and whoever remembers credentials what came of it.
CREATE FUNCTION redeem_code(
    guess code_guess, tries integer, candidates event_candidates,
    OUT redeemed text, OUT owner uuid, OUT opened uuid, OUT changed boolean
)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT spent.redeemed, spent.owner, spent.opened, spent.changed INTO redeemed, owner, opened, changed
    FROM spend_code(guess, tries) AS spent;

    INSERT INTO events (id, at, kind, outcome, actor_id, subject_id, credential_id, ip, detail)
    SELECT guess.event_id, guess.at, said.kind, said.outcome,
        CASE said.actor WHEN candidates.owner_stand_in THEN owner ELSE said.actor END,
        CASE said.subject WHEN candidates.owner_stand_in THEN owner ELSE said.subject END,
        CASE said.credential WHEN candidates.opened_stand_in THEN opened ELSE said.credential END,
        guess.ip,
        replace(said.detail, candidates.opened_stand_in::text, coalesce(opened::text, ''))
    FROM unnest(candidates.outcomes_told, candidates.kinds, candidates.outcomes, candidates.actors,
            candidates.subjects, candidates.credentials, candidates.details)
        AS said (told, kind, outcome, actor, subject, credential, detail)
    WHERE said.told = redeemed;

    IF changed THEN
        PERFORM pg_notify('auth_revocations', owner::text);
    END IF;
END
$$;
