DROP FUNCTION settle_mail(uuid, integer, text, timestamptz, timestamptz, text, timestamptz);
DROP FUNCTION claim_mails(text[], timestamptz, timestamptz, integer, integer);

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
