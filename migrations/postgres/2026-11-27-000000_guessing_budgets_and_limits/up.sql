-- Guessing budgets and limits: what they remember, and how the facts that they hold back are judged and charged for. Those that
-- are one call do it in that call.
--
-- A request that is refused waits for nobody: whether it is, is read before anything is locked. What a request is charged to
-- is locked last, just before the transaction ends: others from the same network wait for it.
--
-- The rules are the domain's, as before: their numbers come as arguments, and the contract of all stores holds the rest.
-- Addresses and networks are compared by their octets in these tables, so that all kinds of store have them in one order.

-- From where the owners of addresses have signed in. Who asks or guesses from there is not counted with the strangers.
CREATE TABLE known_networks (
    email_id uuid NOT NULL REFERENCES emails (id) ON DELETE CASCADE,
    -- Its first address.
    network text COLLATE "C" NOT NULL,
    last_signed_in_at timestamptz NOT NULL,
    PRIMARY KEY (email_id, network)
);

CREATE INDEX known_networks_last_signed_in_at ON known_networks (last_signed_in_at);

-- Wrong guesses at the codes of an address, whether or not anybody has it.
CREATE TABLE failures (
    address_key text COLLATE "C" NOT NULL,
    -- One that is known to the address; empty for all others together.
    network text COLLATE "C" NOT NULL,
    -- A day is 24 hours from the first of its failures.
    day_began_at timestamptz NOT NULL,
    of_day integer NOT NULL CHECK (of_day >= 0),
    -- Since the last success.
    in_a_row integer NOT NULL CHECK (in_a_row >= 0),
    last_at timestamptz NOT NULL,
    -- When the audit log was last told of a request that they held back.
    told_at timestamptz,
    -- When the owner of the address was told that no more guesses are accepted.
    owner_told_at timestamptz,
    PRIMARY KEY (address_key, network)
);

-- Those that make no difference once their day is over, and those that make none after a long time.
CREATE INDEX failures_forgiven ON failures (day_began_at) WHERE in_a_row = 0;
CREATE INDEX failures_last_at ON failures (last_at) WHERE owner_told_at IS NULL;
-- Whose owners may have to be told: the few with the most.
CREATE INDEX failures_untold ON failures (in_a_row) WHERE owner_told_at IS NULL;

-- What is let through so often in so long: buckets that fill evenly.
CREATE TABLE throttles (
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('mails-from-network', 'mails-to-address', 'requests', 'sign-ups')),
    -- Empty for a limit that is one for a network.
    address_key text COLLATE "C" NOT NULL,
    -- With an address, one that is known to it; empty for all others together.
    network text COLLATE "C" NOT NULL,
    -- When it is full again: all there is to know of a bucket.
    full_at timestamptz NOT NULL,
    -- When the audit log was last told of a request that it held back.
    told_at timestamptz,
    PRIMARY KEY (kind, address_key, network)
);

CREATE INDEX throttles_full_at ON throttles (full_at);

-- What a request is measured by: NULL as a whole when there are no limits. Whether there are is `asked IS NULL`, or not that:
-- `asked IS NOT NULL` asks for every single field.
CREATE TYPE restraint AS (
    -- The address that a code is asked for. NULL for a guess, of which it is not known yet.
    address_key text,
    network text,
    at timestamptz,
    -- Since when somebody must have signed in from a network for it to be known: after this moment.
    known_after timestamptz,
    failures_per_day integer,
    failures_in_a_row integer,
    -- After so many wrong guesses of a day the address rests; so long at first, and twice as long each time.
    rests_from integer,
    first_rest interval,
    -- What it is charged to, sorted: how long it takes until one more fits in, and until the bucket is full again.
    kinds text[],
    every interval[],
    spans interval[],
    -- What the audit log will say of a refusal, but for whom it is about and which limit it was.
    told events
);

-- The network that a request about an address counts under: its own if that is known to the address, else all others.
CREATE FUNCTION counted_under(asked restraint, for_address text) RETURNS text
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

-- Until when no guess is judged after these wrong ones; NULL if guesses are. What no time ends, for a day: whoever asks is told
-- so.
CREATE FUNCTION shut_until(asked restraint, failed failures) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    end_of_day timestamptz := failed.day_began_at + interval '24 hours';
    rested_at timestamptz;
BEGIN
    IF failed.in_a_row >= asked.failures_in_a_row THEN
        RETURN asked.at + interval '24 hours';
    END IF;
    IF asked.at < end_of_day AND failed.of_day >= asked.failures_per_day THEN
        RETURN end_of_day;
    END IF;
    IF asked.at < end_of_day AND failed.of_day >= asked.rests_from THEN
        -- A millisecond that was doubled 27 times is more than a day, and no more is ever needed.
        rested_at := least(
            failed.last_at + asked.first_rest * 2 ^ least(failed.of_day - asked.rests_from, 27), end_of_day
        );
        -- A clock that stepped back opens nothing, and does not make a day longer.
        IF greatest(asked.at, failed.day_began_at) < rested_at THEN
            RETURN rested_at;
        END IF;
    END IF;
    RETURN NULL;
END
$$;

-- Whether the audit log is to be told of another refusal: once in every span. A moment to come, which only a clock that
-- stepped back can tell, does not silence it.
CREATE FUNCTION is_to_be_told(told_at timestamptz, span interval, at timestamptz) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN told_at IS NULL OR at < told_at OR at >= told_at + span;
END
$$;

-- Tells the audit log of a request that a limit holds back, of the user whom the address belongs to.
CREATE FUNCTION tell_of_refusal(asked restraint, refused_by text, owner uuid) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    event events := asked.told;
BEGIN
    event.subject_id := owner;
    event.detail := refused_by;
    INSERT INTO events SELECT event.*;
END
$$;

-- The same of a request that wrong guesses hold back, unless it was told of late or somebody else is about to: nobody waits.
CREATE FUNCTION refuse_for_guesses(
    asked restraint, for_address text, counted_as text, OUT owner uuid, OUT was_told boolean
)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT user_id INTO owner FROM emails WHERE address_key = for_address AND (verified OR vouched);
    PERFORM FROM failures
    WHERE address_key = for_address AND network = counted_as AND is_to_be_told(told_at, interval '24 hours', asked.at)
    FOR NO KEY UPDATE SKIP LOCKED;
    was_told := FOUND;
    IF was_told THEN
        UPDATE failures SET told_at = asked.at WHERE address_key = for_address AND network = counted_as;
        PERFORM tell_of_refusal(asked, 'guesses', owner);
    END IF;
END
$$;

-- Judges a request by everything that limits it, and waits for nobody. What holds it back longest is `refused_by`: NULL when
-- nothing does. The owner is that of the address, for a limit that is one for an address.
CREATE FUNCTION refuse(
    asked restraint,
    OUT refused_by text, OUT until timestamptz, OUT owner uuid, OUT was_told boolean, OUT counted_as text
)
LANGUAGE plpgsql AS $$
DECLARE
    failed failures;
    is_for_address boolean;
    held throttles;
    longest throttles;
    longest_span interval;
BEGIN
    was_told := false;
    IF asked.address_key IS NOT NULL THEN
        counted_as := counted_under(asked, asked.address_key);
        SELECT * INTO failed FROM failures WHERE address_key = asked.address_key AND network = counted_as;
        until := shut_until(asked, failed);
        refused_by := CASE WHEN until IS NOT NULL THEN 'guesses' END;
    END IF;
    -- One by one: asked for all together, they would be planned anew each time.
    FOR n IN 1 .. cardinality(asked.kinds) LOOP
        is_for_address := asked.kinds[n] = 'mails-to-address';
        SELECT * INTO held FROM throttles
        WHERE kind = asked.kinds[n]
            AND address_key = CASE WHEN is_for_address THEN asked.address_key ELSE '' END
            AND network = CASE WHEN is_for_address THEN counted_as ELSE asked.network END;
        -- A moment too far ahead was told by a clock that has stepped back since: it holds nobody back.
        IF held.full_at + asked.every[n] > asked.at + asked.spans[n] AND held.full_at <= asked.at + 2 * asked.spans[n]
            AND (until IS NULL OR until < held.full_at + asked.every[n] - asked.spans[n]) THEN
            refused_by := held.kind;
            until := held.full_at + asked.every[n] - asked.spans[n];
            longest := held;
            longest_span := asked.spans[n];
        END IF;
    END LOOP;

    IF refused_by = 'guesses' THEN
        SELECT told.owner, told.was_told INTO owner, was_told
        FROM refuse_for_guesses(asked, asked.address_key, counted_as) AS told;
    ELSIF refused_by IS NOT NULL THEN
        IF longest.address_key <> '' THEN
            SELECT user_id INTO owner FROM emails WHERE address_key = longest.address_key AND (verified OR vouched);
        END IF;
        -- Whoever holds the row charges it or tells of it at this moment.
        IF is_to_be_told(longest.told_at, longest_span, asked.at) THEN
            PERFORM FROM throttles
            WHERE kind = longest.kind AND address_key = longest.address_key AND network = longest.network
                AND is_to_be_told(told_at, longest_span, asked.at)
            FOR NO KEY UPDATE SKIP LOCKED;
            was_told := FOUND;
        END IF;
        IF was_told THEN
            UPDATE throttles SET told_at = asked.at
            WHERE kind = longest.kind AND address_key = longest.address_key AND network = longest.network;
            PERFORM tell_of_refusal(asked, refused_by, owner);
        END IF;
    END IF;
END
$$;

-- Charges for a request that was not refused: the last that its transaction does. If others have taken the room since, it
-- ends as one that collided with them: begun again, it sees that. `counted_as` is what `refuse` has found, NULL if that is not
-- known any more.
CREATE FUNCTION charge(asked restraint, counted_as text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    is_for_address boolean;
BEGIN
    IF counted_as IS NULL AND asked.address_key IS NOT NULL THEN
        counted_as := counted_under(asked, asked.address_key);
    END IF;
    -- They come sorted: in one order, whoever asks.
    FOR n IN 1 .. cardinality(asked.kinds) LOOP
        is_for_address := asked.kinds[n] = 'mails-to-address';
        INSERT INTO throttles AS held (kind, address_key, network, full_at)
        VALUES (
            asked.kinds[n],
            CASE WHEN is_for_address THEN asked.address_key ELSE '' END,
            CASE WHEN is_for_address THEN counted_as ELSE asked.network END,
            asked.at + asked.every[n]
        )
        ON CONFLICT (kind, address_key, network) DO UPDATE
        SET full_at = CASE
            WHEN held.full_at > asked.at + 2 * asked.spans[n] THEN asked.at
            ELSE greatest(held.full_at, asked.at)
        END + asked.every[n]
        WHERE held.full_at > asked.at + 2 * asked.spans[n]
            OR greatest(held.full_at, asked.at) + asked.every[n] <= asked.at + asked.spans[n];
        IF NOT FOUND THEN
            RAISE EXCEPTION 'others were charged first' USING ERRCODE = 'serialization_failure';
        END IF;
    END LOOP;
END
$$;

-- Judges a request for a code before anything else, then locks its address. One that is refused locks nothing.
CREATE FUNCTION begin_request(
    asked restraint, OUT refused_by text, OUT until timestamptz, OUT owner uuid, OUT was_told boolean
)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT refusal.refused_by, refusal.until, refusal.owner, refusal.was_told
    INTO refused_by, until, owner, was_told FROM refuse(asked) AS refusal;
    IF refused_by IS NULL THEN
        PERFORM lock_address(asked.address_key);
    END IF;
END
$$;

-- Opens a session within limits. Without any, `open_session` is called as before. What it comes to is one of:
--
--   opened     it is stored, and charged for
--   stale      its owner has the address no longer; nothing is stored
--   throttled  limits hold it back; nothing is stored
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

-- Stores a sign-in within limits that were looked at when its transaction began.
CREATE FUNCTION store_limited_sign_in(
    sign_in pending_sign_in, tries integer, living_per_address integer, asked restraint
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_sign_in(sign_in, tries, living_per_address);
    PERFORM charge(asked, NULL);
END
$$;

-- From here on what redeems codes, as before, with what limits ask of it.

DROP FUNCTION redeem_code(code_guess, integer, event_candidates);
DROP FUNCTION spend_code(code_guess, integer);

ALTER TYPE code_guess ADD ATTRIBUTE network text;

-- Makes a network known to an address from which its owner has just signed in, in place of the one that was unused longest if
-- there are too many.
CREATE FUNCTION know_network(email uuid, new_network text, at timestamptz, known_at_most integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE known_networks SET last_signed_in_at = greatest(last_signed_in_at, at)
    WHERE email_id = email AND network = new_network;
    IF FOUND THEN
        RETURN;
    END IF;
    DELETE FROM known_networks WHERE email_id = email AND network IN (
        SELECT network FROM known_networks WHERE email_id = email
        ORDER BY last_signed_in_at DESC, network DESC OFFSET known_at_most - 1
    );
    INSERT INTO known_networks (email_id, network, last_signed_in_at) VALUES (email, new_network, at);
END
$$;

-- Counts a wrong guess at a code of an address.
CREATE FUNCTION count_failure(for_address text, counted_as text, at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO failures AS held (address_key, network, day_began_at, of_day, in_a_row, last_at)
    VALUES (for_address, counted_as, at, 1, 1, at)
    ON CONFLICT (address_key, network) DO UPDATE SET
        day_began_at = CASE WHEN at >= held.day_began_at + interval '24 hours' THEN at ELSE held.day_began_at END,
        of_day = CASE
            WHEN at >= held.day_began_at + interval '24 hours' THEN 1
            -- No further than an integer goes.
            ELSE held.of_day + (held.of_day < 2147483647)::integer
        END,
        in_a_row = held.in_a_row + (held.in_a_row < 2147483647)::integer,
        last_at = greatest(held.last_at, at);
END
$$;

-- Ends the count of a network from which a code was guessed right, and that of strangers in a row. They keep their day: an
-- owner who signs in often hands nobody another day's guesses.
CREATE FUNCTION forgive_failures(for_address text, guessed_from text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM failures WHERE address_key = for_address AND network = guessed_from;
    UPDATE failures SET in_a_row = 0, owner_told_at = NULL WHERE address_key = for_address AND network = '';
END
$$;

-- Judges a guess and does what it comes to, but for telling anybody. What it comes to is one of:
--
--   refused     there was nothing to guess at, or what there was leads nowhere any more
--   shut        there was, but too much was guessed wrong at the codes of the same address: not judged, and not counted
--   wrong       counted
--   disabled    right, and the code is used, but the account is disabled
--   opened      right: what the code opens is open
--   registered  the same, and a registration has become an account
--   damaged     the code's row does not say what it opens
--
-- An account that was not verified, and is now, has `changed`. Of an address that is shut, `owner` is who owns it.
CREATE FUNCTION spend_code(
    guess code_guess, tries integer, known_at_most integer, asked restraint,
    OUT redeemed text, OUT owner uuid, OUT opened uuid, OUT changed boolean, OUT until timestamptz, OUT was_told boolean
)
LANGUAGE plpgsql AS $$
DECLARE
    code codes;
    account users;
    email emails;
    is_waiting boolean;
    counted_as text;
    failed failures;
BEGIN
    redeemed := 'refused';
    changed := false;
    was_told := false;

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
    IF NOT (asked IS NULL) THEN
        counted_as := counted_under(asked, code.address_key);
        SELECT * INTO failed FROM failures WHERE address_key = code.address_key AND network = counted_as;
        until := shut_until(asked, failed);
        IF until IS NOT NULL THEN
            redeemed := 'shut';
            SELECT told.owner, told.was_told INTO owner, was_told
            FROM refuse_for_guesses(asked, code.address_key, counted_as) AS told;
            RETURN;
        END IF;
    END IF;
    -- Keyed hashes: how long comparing them takes tells nothing of the code.
    IF code.hash <> ALL (guess.hashes) THEN
        UPDATE codes SET wrong_guesses = wrong_guesses + 1 WHERE id = code.id;
        IF NOT (asked IS NULL) THEN
            PERFORM count_failure(code.address_key, counted_as, guess.at);
        END IF;
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
            PERFORM know_network(email.id, guess.network, guess.at, known_at_most);
            opened := code.session_id;
            changed := account.registration IS NULL AND NOT account.verified;
        WHEN 'key-pair' THEN
            UPDATE key_pairs SET verified_at = guess.at WHERE id = code.key_pair_id;
            opened := code.key_pair_id;
        WHEN 'email' THEN
            opened := code.email_id;
    END CASE;
    IF NOT (asked IS NULL) THEN
        PERFORM forgive_failures(code.address_key, guess.network);
    END IF;
    redeemed := CASE WHEN account.registration = 'pending' THEN 'registered' ELSE 'opened' END;
END
$$;

-- Spends a code, and tells the audit log and whoever remembers credentials what came of it. A guess that its network has no
-- room for is `throttled`: nothing was looked at.
CREATE FUNCTION redeem_code(
    guess code_guess, tries integer, known_at_most integer, candidates event_candidates, asked restraint,
    OUT redeemed text, OUT owner uuid, OUT opened uuid, OUT changed boolean,
    OUT refused_by text, OUT until timestamptz, OUT was_told boolean
)
LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(asked.kinds) > 0 THEN
        SELECT refusal.refused_by, refusal.until, refusal.was_told
        INTO refused_by, until, was_told FROM refuse(asked) AS refusal;
        IF refused_by IS NOT NULL THEN
            redeemed := 'throttled';
            changed := false;
            RETURN;
        END IF;
    END IF;
    SELECT spent.redeemed, spent.owner, spent.opened, spent.changed, spent.until, spent.was_told
    INTO redeemed, owner, opened, changed, until, was_told
    FROM spend_code(guess, tries, known_at_most, asked) AS spent;
    IF redeemed = 'shut' THEN
        refused_by := 'guesses';
    END IF;

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
    IF cardinality(asked.kinds) > 0 THEN
        PERFORM charge(asked, NULL);
    END IF;
END
$$;
