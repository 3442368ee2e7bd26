DROP FUNCTION redeem_code(code_guess, integer, integer, event_candidates, restraint);
DROP FUNCTION spend_code(code_guess, integer, integer, restraint);
DROP FUNCTION forgive_failures(text, text);
DROP FUNCTION count_failure(text, text, timestamptz);
DROP FUNCTION know_network(uuid, text, timestamptz, integer);
DROP FUNCTION store_limited_sign_in(pending_sign_in, integer, integer, restraint);
DROP FUNCTION open_limited_session(pending_sign_in, integer, integer, restraint);
DROP FUNCTION begin_request(restraint);
DROP FUNCTION charge(restraint, text);
DROP FUNCTION refuse(restraint);
DROP FUNCTION refuse_for_guesses(restraint, text, text);
DROP FUNCTION tell_of_refusal(restraint, text, uuid);
DROP FUNCTION is_to_be_told(timestamptz, interval, timestamptz);
DROP FUNCTION shut_until(restraint, failures);
DROP FUNCTION counted_under(restraint, text);
DROP TYPE restraint;
DROP TABLE throttles;
DROP TABLE failures;
DROP TABLE known_networks;
ALTER TYPE code_guess DROP ATTRIBUTE network;

-- What redeems codes, as it was before.

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
